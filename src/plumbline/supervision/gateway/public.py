"""Public verification (公众验证): /v/ pages, the check of a PDF's hash, complaints. Masked rows only, through one database function."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from psycopg.rows import dict_row
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from plumbline.domain.reporting.code import CodeProblem, format_code, parse_code
from plumbline.evidence.position import place_text
from plumbline.exchange.masks import name_for
from plumbline.exchange.messages.reports import ComplaintFiled
from plumbline.exchange.problems import Problem, field_problem
from plumbline.exchange.uids import new_uid
from plumbline.supervision.gateway.answers import json_response
from plumbline.supervision.gateway.context import Context, client_of, context_of, read_body, require_media
from plumbline.supervision.gateway.page_refusals import is_browser, refusal
from plumbline.supervision.gateway.public_page import (
    check_answer,
    offers_document,
    page_of,
    typed_text,
    unknown_page,
)
from plumbline.supervision.journal.files import DOUBTED, FileDigestMismatch
from plumbline.supervision.journal.vault import SealedRecord, SubjectDestroyedError
from plumbline.supervision.pages.public_rendering import code_entry_html, complaint_html, verification_html
from plumbline.supervision.pages.verification import CodeEntryPage, ComplaintPage
from plumbline.supervision.scanner import withheld_because
from plumbline.web.security import CONTENT_SECURITY_POLICY

#: What has no place in the name of a file that a browser stores.
_UNSAFE = re.compile(r"[^0-9A-Za-z.-]+")
_SHA = re.compile(r"[0-9a-f]{64}")
_DAMAGED = "平台存的原件不在，或与登记的摘要不符，不能给出；请用您手里的文件验签，或联系监督机构"
#: What a person is told in the place of the document.
_NO_DOCUMENT = {
    "not-found": ("没有原件可看", "请核对监管码，或回到这份报告看它的状态。"),
    "unavailable": ("原件现在不能给出", "报告的登记不受影响；请稍后再看。"),
}
_log = logging.getLogger("plumbline.gateway")
_FIELDS = {"grade", "strength", "structural_part", "tested_on", "client", "number", "other"}
_KEYS = {"part": "structural_part", "date": "tested_on"}
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, HEADERS)


async def _find(context: Context, code: str) -> dict[str, Any] | None:
    return await context.asked.find(code)


async def entry_page(request: Request) -> Response:
    """Where a code is typed or scanned; `?code=` goes on to its page."""
    context = context_of(request)
    typed = request.query_params.get("code", "").strip()[:80]
    if not typed:
        return _html(code_entry_html(CodeEntryPage(is_demo=context.platform.demo)))
    parsed = parse_code(typed)
    if isinstance(parsed, CodeProblem):
        return _html(
            code_entry_html(CodeEntryPage(typed=typed, problem=str(parsed), is_demo=context.platform.demo)),
            404,
        )
    return RedirectResponse(f"/v/{parsed.text}", 303)


async def code_page(request: Request) -> Response:
    """The answer to one code: one sentence, then facts, then technical detail. A program is answered by `BriefAnswers`."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    typed = request.path_params["code"][:80]
    parsed = parse_code(typed)
    now = datetime.now(UTC)
    if isinstance(parsed, CodeProblem):
        return _html(verification_html(unknown_page(typed, now, str(parsed), context.platform)), 404)
    row = await _find(context, parsed.text)
    if row is None:
        return _html(
            verification_html(unknown_page(format_code(parsed.text), now, "", context.platform)), 404
        )
    names = await _masked_names(context, row)
    withheld = await _withheld(context, row["pdf_sha256"])
    return _html(verification_html(page_of(row, names, now, context.platform, withheld=withheld)))


async def _withheld(context: Context, sha256: str | None) -> str:
    """Why the virus scan keeps the registered file from everybody; empty when it does not."""
    if not sha256:
        return ""
    async with context.pool.connection() as conn:
        found = await conn.execute("SELECT scan FROM ops.file WHERE sha256 = %s", [bytes.fromhex(sha256)])
        row = await found.fetchone()
    return withheld_because(row[0] if row else None, context.scanning)


async def _masked_names(context: Context, row: dict[str, Any]) -> dict[str, str]:
    """Sampler and witness by role, masked; a person whose records were destroyed is left out."""
    wanted = {role: row[f"{role}_personal"] for role in ("sampler", "witness") if row[f"{role}_personal"]}
    async with context.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(
            "SELECT digest, subject, nonce, ciphertext FROM ops.personal WHERE digest = ANY(%s)",
            [[bytes.fromhex(d) for d in wanted.values()]],
        )
        sealed = {bytes(r["digest"]).hex(): r for r in await cur.fetchall()}
    names = {}
    for role, digest in wanted.items():
        if stored := sealed.get(digest):
            try:
                fields = context.vault.open(
                    SealedRecord(
                        digest=bytes(stored["digest"]),
                        subject=stored["subject"],
                        nonce=bytes(stored["nonce"]),
                        ciphertext=bytes(stored["ciphertext"]),
                    )
                )
            except SubjectDestroyedError:
                continue
            names[role] = name_for("public", fields.name or "")
    return names


async def check_file(request: Request) -> Response:
    """Whether bytes of this SHA-256 are the registered ones; the file itself never leaves the reader's device."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    sha256 = request.query_params.get("sha256", "").lower()
    parsed = parse_code(request.path_params["code"][:80])
    if not _SHA.fullmatch(sha256):
        raise field_problem("/query/sha256", "sha256 是 64 位十六进制", "对文件的字节计算 SHA-256")
    row = None if isinstance(parsed, CodeProblem) else await _find(context, parsed.text)
    return json_response(check_answer(row, sha256), headers={"Cache-Control": "no-store"})


async def file_complaint(request: Request) -> Response:
    """不一致: the complaint becomes an entry of the log and has a number."""
    context = context_of(request)
    context.lookups.take(f"complaint/{client_of(request)}")
    parsed = parse_code(request.path_params["code"][:80])
    row = None if isinstance(parsed, CodeProblem) else await _find(context, parsed.text)
    if row is None or isinstance(parsed, CodeProblem):
        raise Problem(slug="not-found", detail="查不到这个监管码")
    require_media(request, "application/x-www-form-urlencoded")
    try:
        form = parse_qs((await read_body(request, 20_000)).decode("utf-8"), max_num_fields=20)
    except ValueError:  # not UTF-8, or more fields than the form has
        raise field_problem("", "表单内容不对，请刷新页面后重新填写", "UTF-8 编码，最多 20 个字段") from None
    try:
        context.complaints.take(f"{client_of(request)}/{parsed.text}")
        context.all_complaints.take("")
    except Problem as problem:
        return _too_many(context, request, problem, parsed.text)
    differs = [_KEYS.get(v, v) for v in form.get("item", [])] or ["other"]
    note, paper_value, file_sha256 = (
        typed_text(form.get(name, [""])[0]) or None for name in ("note", "paper_value", "file_sha256")
    )
    now = (await context.demo_time.look()).now()
    message = ComplaintFiled(
        v=1,
        uid=new_uid(now),
        sender=context.operator,
        occurred_at=now,
        code=parsed.text,
        differs=[d if d in _FIELDS else "other" for d in differs],
        note=note,
        paper_value=paper_value,  # type: ignore[misc]
        file_sha256=file_sha256 if file_sha256 and _SHA.fullmatch(file_sha256) else None,
    )
    accepted = await run_in_threadpool(lambda: context.sender.submit(message, session="public"))
    number = f"J-{place_text(accepted.position)}"
    receipt = f"/x/v1/receipts/{context.operator}/{message.uid}"
    if "application/json" in request.headers.get("accept", ""):
        return json_response(
            {
                "number": number,
                "position": accepted.position,
                "logged_at": accepted.logged_at.isoformat(),
                "receipt_url": receipt,
            },
            201,
        )
    page = ComplaintPage(
        code=format_code(parsed.text),
        number=number,
        logged_at=accepted.logged_at,
        log_index=accepted.position,
        receipt_url=receipt,
        is_demo=context.platform.demo,
    )
    return _html(complaint_html(page), 201)


def _too_many(context: Context, request: Request, problem: Problem, code: str) -> Response:
    """429 as a page for people, as problem details for programs."""
    if "text/html" not in request.headers.get("accept", ""):
        raise problem
    page = CodeEntryPage(typed=format_code(code), problem=problem.detail, is_demo=context.platform.demo)
    answer = _html(code_entry_html(page), 429)
    answer.headers["Retry-After"] = str(problem.retry_after_s)
    return answer


async def document(request: Request) -> Response:
    """The registered document itself: viewers lie, so the page shows what was registered. A person is told on a page why there is none."""
    try:
        return await _document(request)
    except Problem as problem:
        words = _NO_DOCUMENT.get(problem.slug)
        if words is None or not is_browser(request):
            raise
        return refusal(request, problem, words, (f"/v/{request.path_params['code'][:80]}", "回到这份报告"))


async def _document(request: Request) -> Response:
    context = context_of(request)
    context.lookups.take(client_of(request))
    parsed = parse_code(request.path_params["code"][:80])
    row = None if isinstance(parsed, CodeProblem) else await _find(context, parsed.text)
    if row is None or not offers_document(row):
        raise Problem(slug="not-found", detail="没有登记的原件，或者还没有查验")
    if told := await _withheld(context, row["pdf_sha256"]):
        raise Problem(slug="not-found", detail=told)
    try:  # whoever changed the bytes on the disk, or whatever did, must not speak in the registered document's place
        stored = await context.whole.require(row["pdf_sha256"])
    except (FileDigestMismatch, OSError) as error:
        _log.error("document %s is not what was registered: %s", row["pdf_sha256"], type(error).__name__)
        async with context.pool.connection() as conn:
            await conn.execute(DOUBTED, [[bytes.fromhex(row["pdf_sha256"])]])
        raise Problem(slug="unavailable", detail=_DAMAGED, retry_after_s=600) from None
    return FileResponse(
        context.files.path(row["pdf_sha256"]),
        stat_result=stored,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="{_UNSAFE.sub("_", row["number"])}.pdf"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "no-store",
        },
    )
