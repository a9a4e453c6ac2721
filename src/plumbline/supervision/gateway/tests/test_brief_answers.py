"""The answer to a program (查验接口): which requests are its question, what it says, and that every failure is told as elsewhere."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime
from types import SimpleNamespace

import msgspec
import psycopg
import pytest
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from plumbline.domain.reporting.code import new_code
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import guarded
from plumbline.supervision.gateway.attachments import is_elsewhere
from plumbline.supervision.gateway.briefly import COLUMNS, BriefAnswers, ShortWay, asked_code, brief_answer
from plumbline.supervision.gateway.demo_time import DemoTime, may_be_stopped
from plumbline.supervision.gateway.headers import SafeHeaders
from plumbline.supervision.gateway.limits import RateLimit
from plumbline.supervision.gateway.public_page import state_of
from plumbline.supervision.journal.demo_clock import DemoClock

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


def body_of(row: dict) -> bytes:
    """The answer to a row, as it goes out."""
    return brief_answer([row[column] for column in COLUMNS])


def test_the_answer_names_state_number_institution_and_proof():
    assert (
        body_of(ROW)
        == (
            f'{{"code":"{CODE}","state":"genuine","number":"A-1","institution":"某机构","pdf_sha256":"{"ab" * 32}","claims":""}}'
        ).encode()
    )
    assert msgspec.json.decode(body_of(ROW | {"examined": None, "pdf_sha256": None}))["state"] == "reserved"


@pytest.mark.parametrize("state", ["registered", "reserved", "expired", "withdrawn", "superseded"])
@pytest.mark.parametrize("examined", [None, False, True])
@pytest.mark.parametrize("accepted", [None, False, True])
def test_a_program_is_told_the_state_that_the_page_tells(state, examined, accepted):
    for root in (None, "licensed", "demo"):
        for proofs in (("origin", "origin"), ("hmac", "origin"), ("origin", "hmac"), ("session", None)):
            row = ROW | {"state": state, "examined": examined, "accepted": accepted, "root_kind": root}
            row |= dict(zip(("application_attestation", "registration_attestation"), proofs, strict=True))
            # twice: the second one is remembered
            assert [msgspec.json.decode(body_of(row))["state"] for _ in range(2)] == [state_of(row).value] * 2


def ways(rate: int, found: object, *, proxies: frozenset[str] = frozenset(), **more) -> list:
    """The whole way and the short one, each with its own context, over routes that say 299."""

    async def find(code: str):
        if isinstance(found, Exception):
            raise found
        return found

    async def passed_on(request) -> Response:
        return Response(status_code=299)

    apps = []
    for whole in (True, False):
        app = ShortWay(
            routes=[Route("/{rest:path}", passed_on)],
            middleware=[Middleware(SafeHeaders), Middleware(BriefAnswers)],
            holds=[lambda scope, whole=whole: whole],
        )
        app.state.context = SimpleNamespace(
            briefly=SimpleNamespace(find=find), lookups=RateLimit(0.1, rate), trusted_proxies=proxies, **more
        )
        apps.append(app)
    return apps


def answer_of(app, scope: dict, sent: bytes = b"") -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """What comes back over ASGI; the number of a refusal, which is another each time, is left out."""
    messages: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": sent, "more_body": False}

    async def send(message) -> None:
        messages.append(message)

    asyncio.run(app(dict(scope), receive, send))
    return (
        messages[0]["status"],
        messages[0]["headers"],
        re.sub(rb"E-[0-9A-F]{10}", b"E-", messages[1]["body"]),
    )


def told(path: str, *, found=None, rate: int = 9, method: str = "GET", **more):
    """What is told, the same by either way."""
    scope = scope_of(path, method, scheme="http", query_string=b"", server=("h", 80), **more)
    whole, short = (answer_of(app, scope) for app in ways(rate, found))
    dated = [[pair for pair in headers if pair[0] != b"date"] for _, headers, _ in (whole, short)]
    assert dated[0] == dated[1]
    assert whole[::2] == short[::2]
    return short[0], dict(short[1]), short[2]


def test_a_code_is_answered():
    for path in (f"/v/{CODE}", f"/V/{CODE}", f"/v/{CODE.lower()}", f"/v/{CODE[:4]}-{CODE[4:]}"):
        status, headers, body = told(path, found=body_of(ROW))
        assert (status, body, headers[b"content-length"]) == (200, body_of(ROW), b"%d" % len(body))
        assert headers[b"content-type"] == b"application/json"
        assert {b"date", b"vary", b"cache-control", b"content-security-policy"} <= set(headers)
    assert told(f"/v/{CODE}", found=body_of(ROW), method="HEAD")[::2] == (200, b"")
    assert told("/x/v1/time")[0] == 299


@pytest.mark.parametrize("fault", [None, Problem(slug="schema", detail="no"), RuntimeError("secret")])
def test_an_upload_is_answered_as_by_the_whole_way(fault):
    asked: list[tuple[str, bytes]] = []

    async def endpoint(request) -> Response:
        asked.append((request.url.path, await request.body()))
        if fault:
            raise fault
        return Response(b"{}", 201, {"Location": "/there", "referrer-policy": "no-referrer"})

    async def passed_on(request) -> Response:
        return Response(status_code=299)

    answering, answers, kept = guarded(endpoint), [], []
    for held in (True, False):
        app = ShortWay(
            routes=[Route("/x/v1/entries", answering, methods=["POST"]), Route("/{rest:path}", passed_on)],
            middleware=[Middleware(SafeHeaders), Middleware(BriefAnswers)],
            holds=[lambda scope, held=held: kept.append(scope["path"]) or held],
            straight={("POST", "/x/v1/entries"): answering},
        )
        app.state.context = SimpleNamespace(trusted_proxies=frozenset({"10.0.0.1"}), demo_time=None)
        headers = [(b"host", b"x"), (b"x-forwarded-for", b"2.2.2.2"), (b"x-forwarded-proto", b"https")]
        scope = scope_of("/x/v1/entries", "POST", scheme="http", query_string=b"", server=("h", 80))
        scope |= {"headers": headers, "client": ("10.0.0.1", 5), "raw_path": b"/x/v1/entries"}
        status, told_headers, body = answer_of(app, scope, b"what is sent")
        answers.append((status, [pair for pair in told_headers if pair[0] != b"date"], body))
        assert answer_of(app, scope | {"method": "DELETE"}, b"")[0] in (299, 405)
    assert answers[0] == answers[1] and asked == [("/x/v1/entries", b"what is sent")] * 2
    assert kept.count("/x/v1/entries") == 2  # who may answer in its place is asked each time
    status, headers, body = answers[1]
    assert status == (201 if fault is None else 422 if isinstance(fault, Problem) else 500)
    assert b"strict-transport-security" in dict(headers) and b"secret" not in body
    assert next(value for name, value in headers if name == b"referrer-policy") == (
        b"no-referrer" if fault is None else b"same-origin"
    )


def test_failures_are_problem_details():
    status, headers, body = told(f"/v/{CODE}", found=body_of(ROW), rate=0)
    assert (status, headers[b"content-type"]) == (429, b"application/problem+json")
    assert int(headers[b"retry-after"]) > 0
    assert [told(path)[0] for path in (f"/v/{CODE}", "/v/nonsense")] == [404, 404]
    assert msgspec.json.decode(body)["type"].endswith("rate-limited")
    assert told(f"/v/{CODE}", found=psycopg.OperationalError("gone"))[0] == 503
    status, _, body = told(f"/v/{CODE}", found=RuntimeError("secret"))
    assert status == 500 and b"secret" not in body


def test_an_address_in_front_is_believed_from_a_known_proxy_alone():
    forwarded = [(b"accept", b"application/json"), (b"x-forwarded-proto", b"https")]
    forwarded.append((b"x-forwarded-for", b"1.1.1.1, 2.2.2.2"))
    scope = scope_of(f"/v/{CODE}") | {"headers": forwarded, "scheme": "http", "client": ("10.0.0.1", 5)}
    for proxies, address, is_told in (
        (frozenset({"10.0.0.1"}), "2.2.2.2", True),
        (frozenset(), "10.0.0.1", False),
    ):
        for app in ways(9, body_of(ROW), proxies=proxies):
            status, headers, _ = answer_of(app, scope)
            assert (status, b"strict-transport-security" in dict(headers)) == (200, is_told)
            assert list(app.state.context.lookups._buckets) == [address]


def test_what_may_be_kept_back_goes_the_whole_way():
    host = scope_of("/v/ABC") | {"headers": [(b"host", b"Files.example")]}
    assert is_elsewhere("files.example", host) and not is_elsewhere("other.example", host)
    assert not is_elsewhere("files.example", host | {"path": "/a/1/2/3"})
    clock = DemoTime(None, is_demo=True)  # type: ignore[arg-type]
    app = SimpleNamespace(state=SimpleNamespace(context=SimpleNamespace(demo_time=clock)))
    assert may_be_stopped({"app": app})  # nobody has asked yet
    clock._asked = float("inf")
    assert not may_be_stopped({"app": app})
    clock._known = DemoClock(stopped_since=datetime.now(UTC))
    assert may_be_stopped({"app": app})
    other = DemoTime(None, is_demo=False)  # type: ignore[arg-type]
    app.state.context.demo_time = other
    assert not may_be_stopped({"app": app})
