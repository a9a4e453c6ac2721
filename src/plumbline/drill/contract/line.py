"""One connection to the platform (连线): sends exactly the bytes that it is given, whatever HTTP clients think of them."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from plumbline.drill.contract.verdict import Answered

Headers = Sequence[tuple[str, str]]
TIMEOUT_S = 120.0


class _Plain(http.client.HTTPConnection):
    """Without the checks by which the standard library spares servers an odd request."""

    def _validate_path(self, url: str) -> None:
        pass

    def _validate_method(self, method: str) -> None:
        pass

    def _encode_request(self, request: str) -> bytes:
        return request.encode("latin-1")


class Line:
    """Asks again and again over one connection, and opens a new one when the server has closed it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._open: _Plain | None = None

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def ask(self, method: str, target: str, headers: Headers = (), body: bytes = b"") -> Answered:
        """One answer; status 0 when there was none."""
        for _ in range(2):  # a connection kept open may have been closed meanwhile
            is_fresh = self._open is None
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._ask(method, target, headers, body)
            self.close()
            if is_fresh:
                break
        return Answered(status=0, headers={}, body=b"")

    def _ask(self, method: str, target: str, headers: Headers, body: bytes) -> Answered:
        if self._open is None:
            self._open = _Plain(self._host, self._port, timeout=TIMEOUT_S)
            self._open.connect()
            self._open.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conn = self._open
        conn.putrequest(method, target, skip_accept_encoding=True)
        given = {name.lower() for name, _ in headers}
        if "content-length" not in given and (body or method in ("POST", "PUT", "PATCH")):
            conn.putheader("Content-Length", str(len(body)))
        for name, value in headers:
            _add_header(conn, name, value)
        # a server that has refused what it was told of closes: its answer is there to be read all the same
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            conn.endheaders(body or None)
        answer = conn.getresponse()
        data = answer.read()
        if answer.will_close:
            self.close()
        return Answered(
            status=answer.status, headers={k.lower(): v for k, v in answer.getheaders()}, body=data
        )


def _add_header(conn: Any, name: str, value: str) -> None:
    """As it stands: the standard library refuses what servers are to refuse."""
    conn._buffer.append(f"{name}: {value}".encode("latin-1", "replace"))
