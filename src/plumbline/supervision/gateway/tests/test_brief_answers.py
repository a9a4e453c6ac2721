"""The answer to a program (查验接口): which requests are its question, what it says, and that every failure is told as elsewhere."""

from __future__ import annotations

import asyncio
from datetime import date
from types import SimpleNamespace

import msgspec
import psycopg
import pytest

from plumbline.domain.reporting.code import new_code
from plumbline.supervision.gateway.briefly import BriefAnswers, asked_code, brief_answer
from plumbline.supervision.gateway.limits import RateLimit

CODE = new_code(date(2026, 11, 1), "A0C", lambda bits: 7)
ROW = {
    "code": CODE,
    "state": "registered",
    "claims": None,
    "institution_name": "某机构",
    "number": "A-1",
    "pdf_sha256": "ab" * 32,
    "examined": True,
    "accepted": True,
    "root_kind": "licensed",
    "application_attestation": "origin",
    "registration_attestation": "origin",
}


def scope_of(path: str, method: str = "GET", accept: str | None = "application/json", **more) -> dict:
    headers = [(b"host", b"x")] + ([(b"accept", accept.encode())] if accept is not None else [])
    return {
        "type": "http",
        "method": method,
        "path": path,
        "headers": headers,
        "client": ("9.9.9.9", 1),
    } | more


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        (scope_of("/v/ABC"), "ABC"),
        (scope_of("/V/ABC"), "ABC"),
        (scope_of("/v/ABC", "HEAD"), "ABC"),
        (scope_of("/v/ABC", accept="text/html, application/json;q=0.5"), "ABC"),
        (scope_of("/v/" + "A" * 200), "A" * 80),
        (scope_of("/v/"), None),
        (scope_of("/v/ABC/check"), None),
        (scope_of("/v/ABC/"), None),
        (scope_of("/x/v1/entries"), None),
        (scope_of("/v/ABC", "POST"), None),
        (scope_of("/v/ABC", accept="text/html"), None),
        (scope_of("/v/ABC", accept=None), None),
        ({"type": "lifespan"}, None),
    ],
)
def test_only_a_program_that_asks_about_a_code_is_answered_here(scope, asked):
    assert asked_code(scope) == asked


def test_the_answer_names_state_number_institution_and_proof():
    assert msgspec.json.decode(brief_answer(ROW)) == {
        "code": CODE,
        "state": "genuine",
        "number": "A-1",
        "institution": "某机构",
        "pdf_sha256": "ab" * 32,
        "claims": "",
    }
    assert (
        msgspec.json.decode(brief_answer(ROW | {"examined": None, "pdf_sha256": None}))["state"] == "reserved"
    )


def told(
    path: str, *, found=None, rate: int = 9, method: str = "GET"
) -> tuple[int, dict[bytes, bytes], bytes]:
    """What comes back over ASGI; a request that is passed on gives 299."""

    async def find(code: str):
        if isinstance(found, Exception):
            raise found
        return found

    async def passed_on(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    context = SimpleNamespace(
        briefly=SimpleNamespace(find=find), lookups=RateLimit(0.1, rate), trusted_proxies=frozenset()
    )
    app = SimpleNamespace(state=SimpleNamespace(context=context))
    messages: list[dict] = []

    async def send(message) -> None:
        messages.append(message)

    asyncio.run(BriefAnswers(passed_on)(scope_of(path, method, app=app), None, send))
    return messages[0]["status"], dict(messages[0]["headers"]), messages[1]["body"]


def test_a_code_is_answered():
    status, headers, body = told(f"/v/{CODE}", found=ROW)
    assert (status, headers[b"content-length"]) == (200, str(len(body)).encode())
    assert headers[b"content-type"] == b"application/json"
    assert told(f"/v/{CODE}", found=ROW, method="HEAD")[::2] == (200, b"")
    assert told("/x/v1/time")[0] == 299


def test_failures_are_problem_details():
    status, headers, body = told(f"/v/{CODE}", found=ROW, rate=0)
    assert (status, headers[b"content-type"]) == (429, b"application/problem+json")
    assert int(headers[b"retry-after"]) > 0
    assert [told(path)[0] for path in (f"/v/{CODE}", "/v/nonsense")] == [404, 404]
    assert msgspec.json.decode(body)["type"].endswith("rate-limited")
    assert told(f"/v/{CODE}", found=psycopg.OperationalError("gone"))[0] == 503
    status, _, body = told(f"/v/{CODE}", found=RuntimeError("secret"))
    assert status == 500 and b"secret" not in body
