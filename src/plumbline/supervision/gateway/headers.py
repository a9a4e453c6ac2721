"""Headers that every answer of the gateway has (网关的安全响应头), whichever part of it answers: files, errors and relayed pages too."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.supervision.gateway.context import scheme_of
from plumbline.web.security import STRICT_TRANSPORT

#: For what no page of its own has set: nothing is guessed from the content, nothing is shown inside another site's page.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
}


class SafeHeaders:
    """ASGI middleware: adds what is missing; over HTTPS also that the browser is to stay with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers of the answer made whole."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
                if scheme_of(Request(scope)) == "https":
                    headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
            await send(message)

        await self._app(scope, receive, sent)
