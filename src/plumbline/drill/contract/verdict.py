"""What an answer must be (判定): documented in status, media type and shape, never a fault of the server, and never a yes to what the
description forbids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from plumbline.drill.contract.description import Operation, Schema

#: What every refusal says besides its `type`.
TOLD = ("title", "status", "detail", "remedy", "instance")
#: Refusals of fields, which name each of them.
BY_FIELD = frozenset({"/x/problems/schema"})
#: What the HTTP server itself answers to a request that is none; it has no body.
NO_REQUEST = frozenset({400, 408, 414, 431, 501, 505})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it was sent. `operation` is None for an address or a method that is not described."""

    sender: str
    operation: Operation | None
    method: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: In a few words, what was wrong on purpose.
    how: str = ""
    #: Served, and not part of the description: no fault, and well refused, is all that is promised.
    is_loose: bool = False

    def __str__(self) -> str:
        return f"{self.sender} {self.method} {self.address[:120]}（{self.how}）"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()


def judge(asked: Asked, answered: Answered) -> list[str]:
    """One sentence for each promise that this answer breaks."""
    if answered.status == 0:
        return [f"{asked}：没有答复"]
    if not asked.address.isascii() and answered.status in NO_REQUEST and not answered.body:
        return []  # bytes that no address may hold: the HTTP server's own word
    found = _server_errors(answered) + _of_refusals(answered)
    if asked.is_loose:
        pass
    elif asked.operation is None:
        found += _of_no_operation(answered)
    else:
        found += _undocumented(asked.operation, answered, is_head=asked.method == "HEAD")
        found += _wrongly_accepted(asked, answered)
    return [f"{asked}：{each}" for each in found]


def _server_errors(answered: Answered) -> list[str]:
    if answered.status >= 500 and answered.status != 503:
        return [f"服务器错误 {answered.status}：{answered.body[:200].decode('utf-8', 'replace')}"]
    return []


def _of_refusals(answered: Answered) -> list[str]:
    """Headers by which clients act, and what RFC 9457 and the handbook promise."""
    wanted = {401: "www-authenticate", 405: "allow", 429: "retry-after", 503: "retry-after"}
    name = wanted.get(answered.status)
    found = [f"{answered.status} 没有 {name}"] if name and name not in answered.headers else []
    if answered.media_type != "application/problem+json" or not answered.body:
        return found
    body = _read(answered.body)
    if not isinstance(body, dict):
        return [*found, "问题详情不是一个 JSON 对象"]
    found += [f"问题详情没有 {name}" for name in TOLD if not body.get(name)]
    if body.get("status") != answered.status:
        found.append(f"问题详情写的是 {body.get('status')}，答复是 {answered.status}")
    if body.get("type") in BY_FIELD:
        errors = body.get("errors") or [{}]
        lacking = {name for each in errors for name in ("reason", "remedy") if not each.get(name)}
        lacking |= {"pointer" for each in errors if "pointer" not in each}
        found += [f"没有写明字段的 {name}：{str(body.get('detail'))[:80]}" for name in sorted(lacking)]
    return found


def _of_no_operation(answered: Answered) -> list[str]:
    """Nothing is there: 404 or 405 in problem details, or the HTTP server's own word for what is no request."""
    if answered.status in NO_REQUEST and not answered.body:
        return []
    if answered.status in (404, 405) and answered.media_type in ("application/problem+json", ""):
        return []
    return [f"描述里没有的请求得到 {answered.status} {answered.media_type}"]


def _undocumented(operation: Operation, answered: Answered, *, is_head: bool) -> list[str]:
    told = operation.answers.get(str(answered.status))
    if told is None:
        return [f"描述里没有 {answered.status}：{answered.body[:200].decode('utf-8', 'replace')}"]
    content = told.get("content", {})
    if is_head or not content:
        return [f"{answered.status} 不该有内容"] if answered.body else []
    if answered.media_type not in content:
        return [f"{answered.status} 的类型 {answered.media_type or '（没有）'} 不在描述里"]
    if not answered.media_type.endswith("json"):
        return []
    body = _read(answered.body)
    if body is None:
        return [f"{answered.status} 的内容不是 JSON"]
    key = f"{answered.status} {answered.media_type}"
    return [
        f"{answered.status} 的内容不合描述：{each}"
        for each in operation.errors(key, content[answered.media_type]["schema"], body)
    ]


def _wrongly_accepted(asked: Asked, answered: Answered) -> list[str]:
    operation = asked.operation
    assert operation is not None
    if not 200 <= answered.status < 300 or operation.body is None or not asked.body:
        return []
    media_type, schema = operation.body
    sent = {name.lower(): value for name, value in asked.headers.items()}.get("content-type", media_type)
    found = []
    if sent.partition(";")[0].strip().lower() != media_type:
        found.append(f"类型 {sent} 的内容被收下了")
    if media_type == "application/json":
        found += [
            f"描述不允许的内容被收下了：{each}"
            for each in _forbidden(operation, schema, _read(asked.body), _read(answered.body))
        ]
    return found


def _forbidden(operation: Operation, schema: Schema, sent: object, told: object) -> list[str]:
    """What the description forbids of the body; of several messages in one request, of those that were taken."""
    answers = told.get("answers") if isinstance(told, dict) else None
    submissions = sent.get("submissions") if isinstance(sent, dict) else None
    if not isinstance(answers, list) or not isinstance(submissions, list):
        return operation.errors("body", schema, sent)
    if set(sent or ()) != {"submissions"} or len(answers) != len(submissions):
        return [f"{len(submissions)} 条，{len(answers)} 个答复，字段 {sorted(sent or ())}"]
    each_schema = schema["properties"]["submissions"]["items"]
    taken = (
        one for one, answer in zip(submissions, answers, strict=True) if answer.get("status") in (200, 201)
    )
    return [error for one in taken for error in operation.errors("each", each_schema, one)]


def _read(data: bytes) -> object:
    """The value, None for what is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
