"""The authority on the network (时间戳服务): RFC 3161 §3.4, a POST of a query, with the standard library's server."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from plumbline.timestamp.authority import MAX_QUERY, Authority
from plumbline.timestamp.keys import AuthorityProblem

#: A caller that says nothing for so long is cut off, in seconds.
IDLE_S = 15.0
MAX_CONNECTIONS = 64
QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
_TEXT = "text/plain; charset=utf-8"


class AuthorityServer(ThreadingHTTPServer):
    """One authority at one address."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], authority: Authority) -> None:
        super().__init__(address, _Handler)
        self.authority = authority
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for each connection, up to a number; beyond it the caller is sent away."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The connection ends, its place is free."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "plumbline-timestamp"
    sys_version = ""
    timeout = IDLE_S
    server: AuthorityServer

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 10):
            self._answer(411, b"the request states no length\n", close=True)
        elif int(length) > MAX_QUERY:
            self._answer(413, b"the request is too long\n", close=True)
        elif self.headers.get_content_type() != QUERY_TYPE:
            self._answer(415, f"send {QUERY_TYPE}\n".encode(), close=True)
        else:
            self._stamp(self.rfile.read(int(length)))

    def _stamp(self, query: bytes) -> None:
        try:
            self._answer(200, self.server.authority.answer(query), REPLY_TYPE)
        except (OSError, AuthorityProblem) as error:
            self.log_error("no time stamp is given: %s", error)
            self._answer(503, b"the authority cannot keep its serial numbers\n")

    def do_GET(self) -> None:
        if self.path != "/status":
            self._answer(404, b"no such address\n")
            return
        settings = self.server.authority.settings
        told = {
            "name": settings.name,
            "trust_domain": settings.trust_domain,
            "policy": settings.policy,
            "last_serial": str(self.server.authority.last_serial),
        }
        self._answer(200, json.dumps(told, ensure_ascii=False).encode(), "application/json")

    def _answer(self, status: int, data: bytes, media_type: str = _TEXT, *, close: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of what callers say is written down."""
