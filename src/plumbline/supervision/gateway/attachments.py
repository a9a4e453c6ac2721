"""Attachments (附件): re-encoded pictures, by short-lived address alone; no cookie is read here and none is set."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import problem_response
from plumbline.supervision.gateway.context import context_of
from plumbline.supervision.renditions import MEDIA_TYPES

AREA = "/a/"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=300, immutable",
}


async def attachment(request: Request) -> Response:
    """One attachment; 404 alike for an address that was made up, that is over, and whose file is gone."""
    context = context_of(request)
    until, mac, name = (request.path_params[each] for each in ("until", "mac", "name"))
    if not context.attachments.is_good(until, mac, name):
        raise Problem(slug="not-found", detail="附件的地址不对或者已经过期，请回到原来的页面重新打开")
    path = context.renditions.path(name)
    if not path.exists():
        raise Problem(slug="not-found", detail="附件已经不在这里，请回到原来的页面重新打开")
    kind = MEDIA_TYPES[name.rpartition(".")[2]]
    disposition = {"Content-Disposition": f'attachment; filename="{name[:16]}.{name.rpartition(".")[2]}"'}
    return FileResponse(path, media_type=kind, headers=HEADERS | disposition)


def is_elsewhere(host: str, scope: Scope) -> bool:
    """Whether the address is not of the host that was asked; `host`, in lower case, is that of attachments."""
    asked = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
    return (asked == host) is not scope["path"].startswith(AREA)


class FilesHost:
    """Keeps the host of attachments and the host of everything else apart, where PLUMB_FILES_URL names one."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app, self._host = app, host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer that there is no such address on this host."""
        if scope["type"] == "http" and is_elsewhere(self._host, scope):
            answer = problem_response(Problem(slug="not-found", detail="这个地址不在这台主机上"))
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)
