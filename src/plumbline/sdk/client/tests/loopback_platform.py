"""A loopback HTTP server with a real socket that checks signatures, holds files, and can fail on request."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import msgspec

from plumbline.evidence.leaf import entry_id
from plumbline.exchange.decode import outer_batch
from plumbline.exchange.places import places_of, request_bytes
from plumbline.exchange.signatures import Target, check_digests, read_signature, verify
from plumbline.exchange.submission import Submission

Fault = Callable[["_Handler"], bool]


def answer_with(status: int, problem: str = "", headers: dict[str, str] | None = None) -> Fault:
    """A fault that answers with a problem instead of doing the work."""

    def fault(handler: _Handler) -> bool:
        body = json.dumps(
            {"type": f"/x/problems/{problem}", "title": "标题", "detail": "所见", "remedy": "办法"}
        ).encode()
        handler.reply(status, body, headers or {}, "application/problem+json")
        return True

    return fault


def cut_connection(handler: _Handler) -> bool:
    """A fault that closes the socket without an answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def answer_lost(handler: _Handler) -> bool:
    """A fault that does the work and then loses the answer."""
    handler.lose_answer = True
    return False


class LoopbackPlatform:
    """Context manager; `faults` are used up one a request."""

    def __init__(self, keys: dict[str, tuple[str, bytes]]) -> None:
        self.keys = keys
        self.faults: deque[Fault] = deque()
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.entries: dict[str, bytes] = {}
        self.turned: set[bytes] = set()
        #: How many messages of a request are taken at once; None: all.
        self.takes: int | None = None
        self.files: dict[str, bytearray] = {}
        self.lengths: dict[str, int] = {}
        #: Entry ids that have been asked for one by one, and items of the change feed; without items the feed counts to three.
        self.looked_for: list[str] = []
        self.changes: list[dict[str, Any]] = []
        #: Entry id → what was decided on it, told to whoever waits.
        self.decisions: dict[str, dict[str, Any]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.platform = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> LoopbackPlatform:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _busy(slug: str, status: int, retry_after_s: int) -> dict[str, Any]:
    return {"status": status, "problem": {"type": f"/x/problems/{slug}"}, "retry_after_s": retry_after_s}


def _entry_of(uid: str, message: bytes) -> str:
    return entry_id(bytes.fromhex(json.loads(message)["sender"]), UUID(uid)).hex()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lose_answer = False

    @property
    def platform(self) -> LoopbackPlatform:
        return self.server.platform  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *_: Any) -> None:
        return

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(usegmt=True)

    def send_header(self, keyword: str, value: str) -> None:
        if keyword == "Date" and any(k.startswith(b"Date") for k in self._headers_buffer):
            return
        super().send_header(keyword, value)

    def reply(
        self,
        status: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> None:
        if self.lose_answer:
            cut_connection(self)
            return
        self.send_response_only(status)
        always = {"Date": formatdate(usegmt=True), "Content-Type": kind or "application/json"}
        for name, value in (always | (headers or {})).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.platform.seen.append((self.command, self.path, headers, body))
        if self.platform.faults and self.platform.faults.popleft()(self):
            return
        message = body
        if self.path in {"/x/v1/entries", "/x/v1/dry-run"}:
            message = bytes(msgspec.json.decode(body, type=Submission).message)
        if self.path == "/x/v1/batches":
            parts = [message for _, message in outer_batch(body)]
            message = request_bytes(places_of(parts)[0], len(parts))
        signed = read_signature(headers, Target(method=self.command, uri=self.platform.url + self.path))
        algorithm, key = self.platform.keys[signed.key_id]
        assert verify(algorithm, key, signed.base, signed.signature)
        check_digests(headers, body, message)
        self._act(headers, body, message)

    do_GET = do_POST = do_HEAD = do_PATCH = _serve

    def _act(self, headers: dict[str, str], body: bytes, message: bytes) -> None:
        if self.path == "/x/v1/entries":
            self._entry(message, headers)
        elif self.path == "/x/v1/batches":
            parts = [each for _, each in outer_batch(body)]
            taken = parts[: self.platform.takes]
            answers = [self._part(each, headers) for each in taken]
            answers += [_busy("rate-limited", 429, 1) for _ in parts[len(taken) :]]
            self.reply(200, json.dumps({"answers": answers}).encode())
        elif self.path == "/x/v1/dry-run":
            self.reply(200, b'{"would": "reserve"}')
        elif self.path.startswith("/x/v1/changes"):
            self._changes(int(self.path.partition("after=")[2]))
        elif self.path.startswith("/x/v1/receipts/"):
            self.reply(200, b"receipt text", kind="text/plain; charset=utf-8")
        elif self.path.startswith("/x/v1/files"):
            self._file(headers, body)
        elif self.path.startswith("/x/v1/entries/"):
            name = self.path.rpartition("/")[2]
            self.platform.looked_for.append(name)
            known = {_entry_of(uid, message) for uid, message in self.platform.entries.items()}
            self.reply(200, b"{}") if name in known else answer_with(404, "not-found")(self)

    def _changes(self, after: int) -> None:
        if self.platform.changes:
            items = [each for each in self.platform.changes if each["idx"] > after]
            following = max([after, *(each["idx"] for each in items)])
        else:
            items = [{"index": after + 1}] if after < 3 else []
            following = after + len(items)
        self.reply(200, json.dumps({"items": items, "next": following}).encode())

    def _part(self, message: bytes, headers: dict[str, str]) -> dict[str, Any]:
        """The answer to one message of several: refused, asked to come again once, or taken."""
        because = json.loads(message)["because"]
        if because == "refused":
            return {"status": 422, "problem": {"type": "/x/problems/schema", "title": "标题"}}
        if because == "later" and message not in self.platform.turned:
            self.platform.turned.add(message)
            return _busy("rate-limited", 429, 3)
        if because == "new key" and message not in self.platform.turned:
            self.platform.turned.add(message)
            return _busy("key-unknown", 401, 5)
        return {"status": 201} | self._taken(message, headers)

    def _entry(self, message: bytes, headers: dict[str, str]) -> None:
        self.reply(201, json.dumps(self._taken(message, headers)).encode())

    def _taken(self, message: bytes, headers: dict[str, str]) -> dict[str, Any]:
        uid = json.loads(message)["uid"]
        duplicate = uid in self.platform.entries
        assert self.platform.entries.setdefault(uid, message) == message
        entry = _entry_of(uid, message)
        body = {
            "entry": entry,
            "epoch": 0,
            "index": len(self.platform.entries),
            "duplicate": duplicate,
            "logged_at": "2026-11-19T06:02:00.000001+00:00",
            "receipt": f"receipt of {entry}\n",
        }
        if "prefer" in headers:
            decided = self.platform.decisions.get(entry)
            body["result"] = {"prefer": headers["prefer"]} | ({"decision": decided} if decided else {})
        return body

    def _file(self, headers: dict[str, str], body: bytes) -> None:
        files, name = self.platform.files, self.path.removeprefix("/x/v1/files").strip("/")
        if self.command == "POST":
            stated = dict(part.split(" ") for part in headers["upload-metadata"].split(","))
            name = base64.b64decode(stated["sha256"]).decode()
            held, length = files.setdefault(name, bytearray()), int(headers["upload-length"])
            self.platform.lengths[name] = length
            if len(held) == length:
                return self.reply(200, b"{}")
            held += b"" if held else body
            reached = {"Upload-Offset": str(len(held))}
            return self.reply(201, headers={"Location": f"/x/v1/files/{name}"} | reached)
        if len(files[name]) == self.platform.lengths[name]:
            return answer_with(404, "not-found")(self) and None
        if self.command == "PATCH":
            if int(headers["upload-offset"]) != len(files[name]):
                return answer_with(409, "offset-mismatch")(self) and None
            files[name] += body
            return self.reply(204, headers={"Upload-Offset": str(len(files[name]))})
        return self.reply(200, headers={"Upload-Offset": str(len(files[name]))})
