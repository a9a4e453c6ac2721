"""OpenAPI 3.1 of the machine interface (接口描述), made from the code; a test holds its paths equal to the
gateway's."""

from __future__ import annotations

import json
from typing import Any

from plumbline.exchange.decode import MAX_BODY_BYTES
from plumbline.exchange.handbook.examples import example_bytes
from plumbline.exchange.handbook.refusals import ENTRY, JSON, LOOKUP, MESSAGE, SIGNED, UPLOAD, refusal_answers
from plumbline.exchange.handbook.schema import components
from plumbline.exchange.problems import KINDS as PROBLEMS
from plumbline.exchange.signatures import COMPONENTS, MAX_SKEW_S
from plumbline.exchange.submission import MAX_SUBMISSIONS

_Operation = dict[str, Any]
_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
#: What an address that names something may answer.
_NONE = ("not-found",)


def openapi_document(public_url: str) -> dict[str, Any]:
    """The whole document; `public_url` is the address that signatures cover, without a slash at the end."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "检测数据交换接口",
            "version": "1",
            "description": "检测数据上传指导手册见 /x/manual。请求用 HTTP 消息签名（RFC 9421），错误用 RFC 9457。",
        },
        "servers": [{"url": public_url.rstrip("/")}],
        "paths": _entry_paths() | _log_paths() | _file_paths() | _document_paths() | _public_paths(),
        "components": {
            "schemas": components() | _answers() | {"Batch": _batch_answer()},
            "securitySchemes": {"signature": _security()},
            "parameters": _parameters(),
        },
    }


def _security() -> dict[str, Any]:
    covered = " ".join(f'"{name}"' for name in COMPONENTS)
    return {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": f"RFC 9421，依次覆盖 {covered}，参数 created、keyid、alg，时间相差不超过 {MAX_SKEW_S} 秒。",
    }


def _parameters() -> dict[str, Any]:
    def header(name: str, text: str) -> dict[str, Any]:
        return {"name": name, "in": "header", "required": True, "schema": _STRING, "description": text}

    return {
        "SignatureInput": header("Signature-Input", "签名覆盖的部分和参数"),
        "ContentDigest": header("Content-Digest", "请求体的摘要（RFC 9530）"),
        "MessageDigest": header("Plumb-Message-Digest", "消息部分的摘要，写法与 Content-Digest 相同"),
    }


_SIGNED = [
    {"$ref": f"#/components/parameters/{name}"}
    for name in ("SignatureInput", "ContentDigest", "MessageDigest")
]


def _operation(identifier: str, summary: str, answers: dict[str, Any], **more: Any) -> _Operation:
    """`refuses`: slugs of what may be refused, those of a signature or of a look-up come by themselves."""
    signed = more.pop("signed", False)
    refuses = (*(SIGNED if signed else LOOKUP), *more.pop("refuses", ()))
    made: _Operation = {"operationId": identifier, "summary": summary}
    parameters = (_SIGNED if signed else []) + more.pop("parameters", [])
    if parameters:
        made["parameters"] = parameters
    if signed:
        made["security"] = [{"signature": []}]
    return made | more | {"responses": refusal_answers(refuses) | answers}


def _path(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _STRING, "description": text}


def _header(name: str, text: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": _STRING, "description": text}


def _query(name: str, text: str, kind: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": kind, "description": text}


def _json(text: str, *schemas: str) -> dict[str, Any]:
    """JSON of one of these shapes."""
    named = [{"$ref": f"#/components/schemas/{each}"} for each in schemas]
    content = {"application/json": {"schema": named[0] if len(named) == 1 else {"oneOf": named}}}
    return {"description": text, "content": content}


def _any(text: str) -> dict[str, Any]:
    """A JSON object whose shape is a standard of its own."""
    return {"description": text, "content": {"application/json": {"schema": {"type": "object"}}}}


def _receipt() -> dict[str, Any]:
    """A receipt as JSON, or the proof alone."""
    made = _json("最新检查点下的回执", "Accepted")
    made["content"]["text/plain"] = {"schema": _STRING}
    return made


def _page(text: str, schema: str) -> dict[str, Any]:
    """A page for people; JSON for programs that ask for it."""
    media_type = "application/problem+json" if schema == "Problem" else "application/json"
    told = {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": {"text/html": {"schema": _STRING}} | told}


def _media(text: str, media_type: str) -> dict[str, Any]:
    return {"description": text, "content": {media_type: {"schema": _STRING}}}


def _body(example: str) -> dict[str, Any]:
    content = {
        "schema": {"$ref": "#/components/schemas/Submission"},
        "example": {"message": json.loads(example_bytes(example))},
    }
    return {
        "required": True,
        "description": f"最多 {MAX_BODY_BYTES} 字节",
        "content": {"application/json": content},
    }


def _batch_body(example: str) -> dict[str, Any]:
    """One to so many bodies of a single message in a list."""
    items = {"$ref": "#/components/schemas/Submission"}
    listed = {"type": "array", "items": items, "minItems": 1, "maxItems": MAX_SUBMISSIONS}
    content = {
        "schema": _object({"submissions": listed}, "submissions"),
        "example": {"submissions": [{"message": json.loads(example_bytes(example))}]},
    }
    return {
        "required": True,
        "description": f"最多 {MAX_SUBMISSIONS} 条，一共最多 {MAX_BODY_BYTES} 字节",
        "content": {"application/json": content},
    }


def _entry_paths() -> dict[str, Any]:
    wait = _header("Prefer", "wait=秒数：等平台处理完再答复，最多 30 秒（RFC 7240）")
    post = _operation(
        "sendEntry",
        "报送一条消息",
        {
            "201": _json("已入账，附回执", "Accepted"),
            "200": _json("以前收过同样的内容，附那一条的回执；沙箱密钥的试报", "Accepted", "Trial"),
        },
        signed=True,
        refuses=ENTRY,
        parameters=[wait],
        requestBody=_body("contract.signed"),
    )
    several = _operation(
        "sendBatch",
        "一个请求报送多条消息，各有自己的答复",
        {"200": _json("按报送的次序，每条一个答复", "Batch")},
        signed=True,
        refuses=JSON,
        parameters=[wait],
        requestBody=_batch_body("contract.signed"),
    )
    dry = _operation(
        "dryRun",
        "申请监管码的试算，不入账",
        {"200": _json("现在申请会得到什么", "DryRun")},
        signed=True,
        refuses=(*MESSAGE, "queue-full"),
        requestBody=_body("report.applied"),
    )
    receipt = _operation(
        "getReceipt",
        "取回执；Accept: text/plain 时只要证明本身",
        {"200": _receipt()},
        refuses=_NONE,
        parameters=[_path("sender", "发送单位编号"), _path("uid", "消息的 uid")],
    )
    return {
        "/x/v1/entries": {"post": post},
        "/x/v1/batches": {"post": several},
        "/x/v1/dry-run": {"post": dry},
        "/x/v1/receipts/{sender}/{uid}": {"get": receipt},
    }


def _entry() -> dict[str, Any]:
    return _operation(
        "getEntry",
        "一条入账在不在：补传的单位据此等别人先补",
        {"200": _json("在，且已入账", "Entered")},
        signed=True,
        refuses=_NONE,
        parameters=[_path("entry", "入账编号（32 位十六进制）")],
    )


def _log_paths() -> dict[str, Any]:
    changes = _operation(
        "getChanges",
        "变更：与本单位有关的新条目",
        {"200": _json("按日志序号排列，每页最多 200 条", "Changes")},
        signed=True,
        parameters=[_query("after", "已经处理到的日志序号，从 -1 开始", _INTEGER)],
    )
    return _proof_paths() | {
        "/x/v1/changes": {"get": changes},
        "/x/v1/entries/{entry}": {"get": _entry()},
        "/x/v1/checkpoint": {
            "get": _operation(
                "getCheckpoint", "最新检查点（C2SP 签名便笺）", {"200": _media("检查点", "text/plain")}
            )
        },
        "/x/v1/log/key": {
            "get": _operation(
                "getLogKey",
                "日志公钥，仅供参考",
                {"200": _media("验证者公钥，一行一个；国密套件有两行", "text/plain")},
            )
        },
        "/x/v1/log/trust.txt": {
            "get": _operation(
                "getTrust",
                "日志与发码的公钥，仅供与别处得到的一份对照",
                {"200": _media("trust.txt", "text/plain")},
            )
        },
        "/x/v1/log/mark": {
            "get": _operation(
                "getLogMark", "本机签过的最大日志水位", {"200": _json("水位", "Mark")}, refuses=_NONE
            )
        },
        "/x/v1/time": {"get": _operation("getTime", "平台时间", {"200": _json("平台时间", "Time")})},
    }


def _proof_paths() -> dict[str, Any]:
    return {
        "/x/v1/log/{epoch}/consistency/{old}/{new}": {
            "get": _operation(
                "getConsistency",
                "日志从 old 条长到 new 条的一致性证明（RFC 6962）",
                {"200": _media("散列，一行一个，base64", "text/plain")},
                refuses=_NONE,
                parameters=[
                    _path("epoch", "日志的第几期"),
                    _path("old", "较早的条数"),
                    _path("new", "较晚的条数"),
                ],
            )
        },
        "/x/v1/log/{epoch}/tile/{level}/{index}": {
            "get": _operation(
                "getLogTile",
                "日志的一个满片，256 个散列（C2SP tlog-tiles）",
                {"200": _media("片", "application/octet-stream")},
                refuses=_NONE,
                parameters=[
                    _path("epoch", "日志的第几期"),
                    _path("level", "层，叶子是 0"),
                    _path("index", "片号，如 067；一千以上写成 x001/067"),
                ],
            )
        },
    }


def _file_paths() -> dict[str, Any]:
    tus = _header("Tus-Resumable", "1.0.0", required=True)
    create = _operation(
        "createUpload",
        "登记要传的文件（tus 1.0）",
        {"201": {"description": "Location 是续传地址"}, "200": {"description": "平台已有这个文件，不用再传"}},
        signed=True,
        refuses=UPLOAD,
        parameters=[
            tus,
            _header("Upload-Length", "文件字节数", required=True),
            _header("Upload-Metadata", "sha256 和 media_type，值用 base64", required=True),
        ],
        requestBody={"required": False, "content": {"application/offset+octet-stream": {"schema": _STRING}}},
    )
    upload = [_path("upload", "Location 的最后一段"), tus]
    head = _operation(
        "getOffset",
        "已收到多少字节",
        {"200": {"description": "Upload-Offset"}},
        signed=True,
        refuses=_NONE,
        parameters=upload,
    )
    patch = _operation(
        "appendBytes",
        "续传一段",
        {"204": {"description": "新的 Upload-Offset"}},
        signed=True,
        refuses=(*UPLOAD, *_NONE, "media-type", "offset-mismatch"),
        parameters=[*upload, _header("Upload-Offset", "从哪里开始", required=True)],
        requestBody={"required": True, "content": {"application/offset+octet-stream": {"schema": _STRING}}},
    )
    return {"/x/v1/files": {"post": create}, "/x/v1/files/{upload}": {"head": head, "patch": patch}}


def _document_paths() -> dict[str, Any]:
    kind, slug = _path("kind", "消息类型"), _path("slug", "错误代码")
    return {
        "/x/manual": {"get": _operation("getManual", "本手册", {"200": _media("网页", "text/html")})},
        "/x/manual.pdf": {
            "get": _operation("getManualPdf", "本手册的 PDF", {"200": _media("PDF", "application/pdf")})
        },
        "/x/openapi.json": {"get": _operation("getOpenapi", "本接口描述", {"200": _any("OpenAPI 3.1")})},
        "/x/schemas/{kind}.json": {
            "get": _operation(
                "getSchema",
                "一种消息的 JSON Schema",
                {"200": _any("JSON Schema")},
                refuses=_NONE,
                parameters=[kind],
            )
        },
        "/x/problems/{slug}": {
            "get": _operation(
                "getProblem",
                "错误表的一行",
                {"200": _json("错误说明", "ProblemKind")},
                refuses=_NONE,
                parameters=[slug],
            )
        },
    }


def _public_paths() -> dict[str, Any]:
    code = _path("code", "监管码，可带空格或横线")
    sha256 = _query("sha256", "PDF 的 SHA-256，64 位十六进制；文件不离开查验人的设备", _STRING, required=True)
    return {
        "/v/{code}": {
            "get": _operation(
                "getCode",
                "查验一个监管码；Accept: application/json 时给出登记的摘要",
                {"200": _page("查验页；登记的摘要", "Registered"), "404": _page("没有这个监管码", "Problem")},
                parameters=[code],
            )
        },
        "/v/{code}/check": {
            "get": _operation(
                "checkFile",
                "比对一份 PDF",
                {"200": _json("一句话结论", "FileCheck")},
                refuses=("schema", *_NONE),
                parameters=[code, sha256],
            )
        },
        "/v/{code}/document": {
            "get": _operation(
                "getDocument",
                "登记的原件",
                {"200": _media("PDF", "application/pdf")},
                refuses=_NONE,
                parameters=[code],
            )
        },
        "/v/{code}/complaints": {
            "post": _operation(
                "fileComplaint",
                "纸面与登记不一致，举报；Accept: application/json 时给出编号和回执地址",
                {"201": _page("已受理", "Complaint"), "429": _page("反映得太多，稍后再来", "Problem")},
                refuses=(*_NONE, "schema", "too-large", "too-slow", "media-type"),
                parameters=[code],
                requestBody=_complaint_form(),
            )
        },
    }


def _complaint_form() -> dict[str, Any]:
    differs = {"type": "array", "items": _STRING, "description": "哪几项不一致，可以多次"}
    form = _object(
        {"item": differs, "paper_value": _STRING, "file_sha256": _STRING, "note": _STRING},
    )
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _batch_answer() -> dict[str, Any]:
    """An answer for each of several messages."""
    refusal = _object(
        {
            "status": {**_INTEGER, "minimum": 400},
            "problem": {"$ref": "#/components/schemas/Problem"},
            "retry_after_s": _INTEGER,
        },
        *("status", "problem"),
    )
    taken = {"type": "object", "properties": {"status": {"enum": [200, 201]}}, "required": ["status"]}
    shapes = [{"allOf": [{"$ref": f"#/components/schemas/{name}"}, taken]} for name in ("Accepted", "Trial")]
    either = {"oneOf": [*shapes, refusal]}
    return _object({"answers": {"type": "array", "items": either}}, "answers")


def _all_of(**fields: dict[str, Any]) -> dict[str, Any]:
    """An object that always has all of its fields."""
    return _object(fields, *fields)


def _answers() -> dict[str, Any]:
    return _answers_to_messages() | _answers_to_questions()


def _answers_to_messages() -> dict[str, Any]:
    reason = _object(
        {"code": _STRING, "clause": _STRING, "sentence": _STRING, "remedy": _STRING}, "code", "sentence"
    )
    return {
        "Accepted": _object(
            {
                "entry": _STRING,
                "epoch": {"type": "integer", "description": "日志的第几期；每一期是一棵树"},
                "index": {"type": "integer", "description": "这一期里的序号，回执证明的就是它"},
                "position": {"type": "integer", "description": "各期连起来的序号，与 /x/v1/changes 的相同"},
                "logged_at": {"type": "string", "format": "date-time"},
                "duplicate": {"type": "boolean"},
                **dict.fromkeys(("cosigned", "stamped", "anchored"), _STRING),
                "receipt": {"type": "string", "description": "C2SP tlog-proof，可离线验证"},
                "receipt_url": _STRING,
                "result": {"type": "object", "description": "要求等待时，平台处理的结果"},
            },
            *("entry", "epoch", "index", "position", "logged_at", "duplicate", "receipt"),
        ),
        "Trial": _object(
            {
                "sandbox": {"const": True},
                "stored": {"const": False},
                "kind": _STRING,
                "uid": _STRING,
                "conforming": {**_INTEGER, "description": "试报合格的条数"},
                "detail": _STRING,
            },
            *("sandbox", "stored", "kind", "uid", "conforming", "detail"),
        ),
        "Registered": _all_of(
            **dict.fromkeys(("code", "state", "number", "institution", "pdf_sha256", "claims"), _STRING)
        ),
        "DryRun": _object(
            {
                "reserved": {"type": "boolean"},
                "reasons": {"type": "array", "items": reason},
                "notes": {"type": "array", "items": reason},
            },
            *("reserved", "reasons", "notes"),
        ),
    }


def _answers_to_questions() -> dict[str, Any]:
    error = _object({"pointer": _STRING, "reason": _STRING, "remedy": _STRING}, "pointer", "reason", "remedy")
    return {
        "Changes": _object(
            {"items": {"type": "array", "items": {"type": "object"}}, "next": _INTEGER}, "items", "next"
        ),
        "Entered": _all_of(entry=_STRING),
        "Time": _object({"now": {"type": "string", "format": "date-time"}}, "now"),
        "Mark": _all_of(origin=_STRING, epoch=_INTEGER, size=_INTEGER, root=_STRING),
        "Complaint": _object(
            {
                "number": _STRING,
                "position": _INTEGER,
                "logged_at": {"type": "string", "format": "date-time"},
                "receipt_url": _STRING,
            },
            *("number", "position", "logged_at", "receipt_url"),
        ),
        "ProblemKind": _all_of(slug=_STRING, status=_INTEGER, title=_STRING, remedy=_STRING),
        "FileCheck": {"type": "object", "description": "state 与一句话结论"},
        "Problem": _object(
            {
                "type": {"type": "string", "enum": [f"/x/problems/{slug}" for slug in PROBLEMS]},
                "title": _STRING,
                "status": _INTEGER,
                "detail": _STRING,
                "remedy": _STRING,
                "instance": {"type": "string", "description": "询问平台时报这个编号"},
                "errors": {"type": "array", "items": error},
            },
            *("type", "title", "status", "detail", "remedy"),
        ),
    }
