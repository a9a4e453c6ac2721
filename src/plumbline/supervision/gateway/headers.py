"""Headers that every answer of the gateway has (网关的安全响应头), whichever part of it answers: files, errors and relayed pages too."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.supervision.gateway.context import scheme_in
from plumbline.web.security import STRICT_TRANSPORT

#: For what no page of its own has set: nothing is guessed from the content, nothing is shown inside another site's page.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
}
_ALWAYS = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
_SECURE = [*_ALWAYS, (b"strict-transport-security", STRICT_TRANSPORT.encode())]


def always(scheme: str) -> list[tuple[bytes, bytes]]:
    """What an answer over http or https has, where it has nothing of its own by these names."""
    return _SECURE if scheme == "https" else _ALWAYS


def completed(headers: list[tuple[bytes, bytes]], scheme: str) -> list[tuple[bytes, bytes]]:
    """Headers of an answer, with what it has nothing of its own for."""
    present = {name.lower() for name, _ in headers}
    return headers + [pair for pair in always(scheme) if pair[0] not in present]


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
                message["headers"] = completed(list(message["headers"]), scheme_in(scope))
            await send(message)

        await self._app(scope, receive, sent)
