"""The answer to a program that asks about a code (查验接口): given before routes and pages are looked through.

The whole city's phones ask this one question. Everything else of the framework costs more than the answer itself, so it is told
by the bare protocol; whatever is not plainly this question goes on to the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from plumbline.domain.reporting.code import CodeProblem, parse_code
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import Endpoint, date_now, refused
from plumbline.supervision.gateway.context import Context, asker_in
from plumbline.supervision.gateway.headers import always, completed
from plumbline.supervision.gateway.line import Question
from plumbline.supervision.gateway.public_page import state_of

#: What a QR code holds is upper case throughout, path included.
_AREAS = ("/v/", "/V/")
_AREA_LENGTH = 3
_METHODS = frozenset({"GET", "HEAD"})
_LONGEST = 80
_FAILED = "plumbline.failed"
_JSON = (b"content-type", b"application/json")
_KEPT = (b"cache-control", b"max-age=5")
#: The same address is a page for people; one must never be kept as the other.
_VARY = (b"vary", b"accept")
_encode = msgspec.json.Encoder().encode


class BriefAnswer(msgspec.Struct, frozen=True, gc=False):
    """What a program is told of a code, in this order."""

    code: str
    state: str
    number: str
    institution: str
    pdf_sha256: str
    claims: str


_TOLD = ("code", "number", "institution_name", "pdf_sha256", "claims")
_STATE = (
    "state",
    "examined",
    "accepted",
    "root_kind",
    "application_attestation",
    "registration_attestation",
)
COLUMNS = _TOLD + _STATE


@lru_cache(maxsize=256)
def _state(*values: object) -> str:
    """There are few of them among all codes."""
    return state_of(dict(zip(_STATE, values, strict=True))).value


def brief_answer(row: Sequence[Any]) -> bytes:
    """The JSON of a row of `ops.verify_briefly`, its columns as in COLUMNS."""
    code, number, institution, pdf_sha256, claims, *rest = row
    return _encode(BriefAnswer(code, _state(*rest), number, institution, pdf_sha256 or "", claims or ""))


#: Answered with the body, ready to be sent.
BRIEFLY: Question[bytes] = Question(
    b"verify_briefly",
    b"SELECT " + ", ".join(COLUMNS).encode() + b" FROM ops.verify_briefly($1)",
    lambda _: brief_answer,
)


class BriefAnswers:
    """ASGI middleware, the innermost: answers JSON to `GET /v/CODE`, passes on everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        typed = asked_code(scope)
        if typed is None:
            await self._app(scope, receive, send)
            return
        try:
            if (failed := scope.get(_FAILED)) is not None:
                raise failed
            told = await _answer(scope["app"].state.context, scope, typed)
        except Exception as error:
            response, _, _ = await refused(Request(scope), error)
            await response(scope, receive, send)
            return
        await _tell(scope, send, *told)


class ShortWay(Starlette):
    """The application, with a short way for the one question and for uploads: around what every answer passes through, to the same answer.

    Whatever is not plainly answered goes the whole way: other addresses, failed look-ups, and what one of `holds` would keep back or
    has to look at.
    """

    def __init__(
        self,
        *args: Any,
        holds: Sequence[Callable[[Scope], bool]] = (),
        straight: Mapping[tuple[str, str], Endpoint] | None = None,
        **options: Any,
    ) -> None:
        """`holds` stand for the middlewares that may answer in place of the application; `straight` are endpoints by method and path, which
        answer failures themselves."""
        super().__init__(*args, **options)
        self._holds = tuple(holds)
        self._straight = dict(straight or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or go the whole way."""
        scope["app"] = self
        is_http = scope["type"] == "http"
        endpoint = self._straight.get((scope["method"], scope["path"])) if is_http else None
        typed = asked_code(scope) if endpoint is None else None
        is_plain = endpoint is not None or typed is not None
        if not is_plain or (self._holds and any(hold(scope) for hold in self._holds)):
            await super().__call__(scope, receive, send)
            return
        if endpoint is not None:
            response = await endpoint(Request(scope, receive, send))
            response.raw_headers = completed(response.raw_headers, asker_in(scope, self.state.context)[1])
            await response(scope, receive, send)
            return
        assert typed is not None
        try:
            told = await _answer(self.state.context, scope, typed)
        except Exception as error:
            scope[_FAILED] = error
            await super().__call__(scope, receive, send)
            return
        await _tell(scope, send, *told)


def asked_code(scope: Mapping[str, Any]) -> str | None:
    """What was typed as the code, when a program asks about one; None for any other request."""
    if scope["type"] != "http" or scope["method"] not in _METHODS:
        return None
    path: str = scope["path"]
    if not path.startswith(_AREAS) or len(path) == _AREA_LENGTH or "/" in path[_AREA_LENGTH:]:
        return None
    for name, value in scope["headers"]:
        if name == b"accept":
            return path[_AREA_LENGTH:][:_LONGEST] if b"application/json" in value else None
    return None


async def _answer(context: Context, scope: Scope, typed: str) -> tuple[str, bytes]:
    """(http or https, the body). Raises Problem and whatever keeps the database from answering."""
    address, scheme = asker_in(scope, context)
    context.lookups.take(address)
    parsed = parse_code(typed)
    if isinstance(parsed, CodeProblem):
        raise Problem(slug="not-found", detail=str(parsed))
    body = await context.briefly.find(parsed.text)
    if body is None:
        raise Problem(slug="not-found", detail="没有登记这个监管码")
    return scheme, body


async def _tell(scope: Scope, send: Send, scheme: str, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    headers = [_JSON, length, _KEPT, _VARY, (b"date", date_now().encode()), *always(scheme)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})
