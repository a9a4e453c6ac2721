"""Faults that the drill must find (故意的缺陷): put into a gateway process of the drill, which then must be reported.

Nothing but the drill and its test starts such a process; the product knows nothing of them.
"""

from __future__ import annotations

import os
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Message

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway import app
from plumbline.supervision.gateway.answers import Endpoint, json_response

BUG = "PLUMB_CONTRACT_BUG"


def _surrogate(endpoint: Endpoint) -> Endpoint:
    """A handler that raises on half a surrogate pair."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        if b"\\ud8" in body:
            body.decode("unicode_escape").encode("utf-8")

        async def again() -> Message:
            # The product reads the body from the connection itself: without this it waits for bytes that were read here.
            return {"type": "http.request", "body": body, "more_body": False}

        return await endpoint(Request(request.scope, again))

    return answer


def _conflict(endpoint: Endpoint) -> Endpoint:
    """A 409 of which the description says nothing."""

    async def answer(request: Request) -> Response:
        if request.query_params.get("after", "").startswith("-"):
            raise Problem(slug="uid-conflict")
        return await endpoint(request)

    return answer


def _lax(endpoint: Endpoint) -> Endpoint:
    """A yes to fields that the description forbids."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            if problem.slug != "schema":
                raise
            return json_response({"reserved": True, "reasons": [], "notes": []})

    return answer


def _shape(endpoint: Endpoint) -> Endpoint:
    """A number where the description has a text."""

    async def answer(request: Request) -> Response:
        return json_response({"now": 1})

    return answer


def _type(endpoint: Endpoint) -> Endpoint:
    """A page where the description has JSON."""

    async def answer(request: Request) -> Response:
        return HTMLResponse("<p>ok</p>")

    return answer


def _mute(endpoint: Endpoint) -> Endpoint:
    """A refusal of a field that does not name it."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            raise Problem(slug=problem.slug, detail=problem.detail) from None

    return answer


#: Name → address whose handler has it, method, what it does.
BUGS: dict[str, tuple[str, str, Any]] = {
    "surrogate": ("/x/v1/batches", "POST", _surrogate),
    "conflict": ("/x/v1/changes", "GET", _conflict),
    "lax": ("/x/v1/dry-run", "POST", _lax),
    "shape": ("/x/v1/time", "GET", _shape),
    "type": ("/x/v1/log/mark", "GET", _type),
    "mute": ("/x/v1/files", "POST", _mute),
}

#: Those that requests made from the description have to find too.
SHOWN_BY_DESCRIPTION = ("lax", "shape", "type")


def gateway() -> Starlette:
    """Factory for the ASGI server: the product's gateway with the faults that the environment names."""
    for name in filter(None, os.environ.get(BUG, "").split("+")):
        path, method, spoil = BUGS[name]
        app.ROUTES[:] = [
            (each, spoil(endpoint) if each == path and method in methods else endpoint, methods)
            for each, endpoint, methods in app.ROUTES
        ]
    return app.application()
