"""The cosigner on the network (联署服务): C2SP tlog-witness over HTTP, with the standard library's server.

What is asked and answered is public and signed on both sides, so that plain HTTP betrays and forges nothing; a reverse proxy may add TLS.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from plumbline.cosign.cosigner import Cosigner, Refused
from plumbline.cosign.keys import CosignerProblem
from plumbline.cosign.state import StateLost
from plumbline.evidence.witnessing import ADD_CHECKPOINT, MAX_REQUEST, checkpoint_path

#: A caller that says nothing for so long is cut off, in seconds.
IDLE_S = 15.0
#: Connections at the same time.
MAX_CONNECTIONS = 128
_TEXT = "text/plain; charset=utf-8"


class CosignerServer(ThreadingHTTPServer):
    """One cosigner at one address."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], cosigner: Cosigner) -> None:
        super().__init__(address, _Handler)
        self.cosigner = cosigner
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
    server_version = "plumbline-cosigner"
    sys_version = ""
    timeout = IDLE_S
    server: CosignerServer

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != ADD_CHECKPOINT:
            self._answer(404, "no such address\n", close=True)
        elif not (length.isascii() and length.isdigit() and len(length) < 10):
            self._answer(411, "the request states no length\n", close=True)
        elif int(length) > MAX_REQUEST:
            self._answer(413, "the request is too long\n", close=True)
        else:
            self._add(self.rfile.read(int(length)))

    def _add(self, body: bytes) -> None:
        try:
            self._answer(200, self.server.cosigner.add(body))
        except Refused as refused:
            self._answer(refused.status, str(refused), refused.media_type)
        except OSError as error:
            self.log_error("nothing is cosigned, the state is not kept: %s", error)
            self._answer(503, "the cosigner cannot keep its state\n")

    def do_GET(self) -> None:
        cosigner = self.server.cosigner
        try:
            cosigner.reload()
            heads = cosigner.heads()
        except (StateLost, CosignerProblem, OSError) as lost:
            self._answer(503, f"{lost}\n")
            return
        if self.path == "/status":
            self._answer(200, json.dumps(status_of(cosigner), ensure_ascii=False), "application/json")
            return
        for head in heads:
            if self.path == checkpoint_path(head.origin) and head.note:
                self._answer(200, head.note)
                return
        self._answer(404, "no such address, or nothing cosigned yet\n")

    def _answer(self, status: int, text: str, media_type: str = _TEXT, *, close: bool = False) -> None:
        data = text.encode()
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
        """Nothing of what callers say is written down; refusals of a log's own requests are kept as contradictions."""


def status_of(cosigner: Cosigner) -> dict[str, object]:
    """Who this is and what was cosigned last."""
    heads = [
        {
            "origin": head.origin,
            "size": head.size,
            "root": head.root.hex(),
            "cosigned_at": datetime.fromtimestamp(head.at, UTC).isoformat() if head.at else None,
        }
        for head in cosigner.heads()
    ]
    return {
        "name": cosigner.settings.name,
        "trust_domain": cosigner.settings.trust_domain,
        "keys": list(cosigner.verifier_keys),
        "logs": heads,
    }
