"""The answer to a program that asks about a code (查验接口): given before routes and pages are looked through.

The whole city's phones ask this one question. Everything else of the framework costs more than the answer itself, so it is told
by the bare protocol; whatever is not plainly this question goes on to the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from plumbline.domain.reporting.code import CodeProblem, parse_code
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import date_now, refused
from plumbline.supervision.gateway.context import Context, client_in
from plumbline.supervision.gateway.public_page import state_of

#: What a QR code holds is upper case throughout, path included.
_AREAS = ("/v/", "/V/")
_METHODS = frozenset({"GET", "HEAD"})
_LONGEST = 80
_encode = msgspec.json.Encoder().encode


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
        context: Context = scope["app"].state.context
        try:
            body = await _answer(context, scope, typed)
        except Exception as error:
            response, _, _ = await refused(Request(scope), error)
            await response(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"max-age=5"),
            # the same address is a page for people; one must never be kept as the other
            (b"vary", b"accept"),
            (b"date", date_now().encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})


def asked_code(scope: Mapping[str, Any]) -> str | None:
    """What was typed as the code, when a program asks about one; None for any other request."""
    if scope["type"] != "http" or scope["method"] not in _METHODS:
        return None
    path: str = scope["path"]
    if not path.startswith(_AREAS) or len(path) <= len(_AREAS[0]) or "/" in path[len(_AREAS[0]) :]:
        return None
    accepts = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return path[len(_AREAS[0]) :][:_LONGEST] if b"application/json" in accepts else None


async def _answer(context: Context, scope: Scope, typed: str) -> bytes:
    context.lookups.take(client_in(scope))
    parsed = parse_code(typed)
    if isinstance(parsed, CodeProblem):
        raise Problem(slug="not-found", detail=str(parsed))
    row = await context.briefly.find(parsed.text)
    if row is None:
        raise Problem(slug="not-found", detail="没有登记这个监管码")
    return brief_answer(row)


def brief_answer(row: Mapping[str, Any]) -> bytes:
    """The JSON of a row of `ops.verify_briefly`."""
    return _encode(
        {
            "code": row["code"],
            "state": state_of(row).value,
            "number": row["number"],
            "institution": row["institution_name"],
            "pdf_sha256": row["pdf_sha256"] or "",
            "claims": row["claims"] or "",
        }
    )
