"""The load generator (发压器), a process of its own: sends requests that were made beforehand over keep-alive connections.

`python -m plumbline.bench.load FILE PORT CONNECTIONS OUT [RATE]`: prints `ready`, waits for a line, sends, prints one JSON line. FILE
holds requests, OUT receives answers, each with its length ahead. It parses no more of an answer than its status and length. With a RATE so
many requests become due each second, whether those before are answered or not; `late` then tells how long after that each was answered.

It shares the processors with what it measures, so it does without a framework: bare sockets, and of an answer's head one search.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from pathlib import Path

_LENGTH = struct.Struct(">I")
_ANSWER = struct.Struct(">HI")
_END = b"\r\n\r\n"
_CONTENT_LENGTH = b"\r\ncontent-length:"
_MOST = 1 << 18
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


def pack(requests: list[bytes]) -> bytes:
    """Requests as FILE holds them."""
    return b"".join(_LENGTH.pack(len(each)) + each for each in requests)


def unpacked(data: bytes) -> Iterator[bytes]:
    """Requests that FILE holds."""
    at = 0
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def answers(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(status, body) of every answer that OUT holds."""
    at = 0
    while at < len(data):
        status, length = _ANSWER.unpack_from(data, at)
        yield status, data[at + 6 : at + 6 + length]
        at += 6 + length


class Caller:
    """One connection: one request after another, each when the one before is answered."""

    __slots__ = ("buffer", "due", "is_open", "rest", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.is_open = True
        #: What has come of an answer that is not whole yet.
        self.buffer = b""
        #: When the request under way was due (monotonic); 0: at once.
        self.due = 0.0
        #: What the socket has not taken of it yet.
        self.rest = b""


class Load:
    """All callers on one thread, until everything is answered."""

    def __init__(self, work: Iterator[tuple[float, bytes]], callers: Sequence[Caller]) -> None:
        """`work`: when each is due (monotonic; 0 at once), and the request."""
        self._work = work
        self._callers = callers
        self._open = len(callers)
        self._selector = selectors.DefaultSelector()
        #: Requests that are not due yet; the number keeps those of one moment apart.
        self._soon: list[tuple[float, int, Caller, bytes]] = []
        #: (status, body) of each answer, in the order in which they came.
        self.kept: list[tuple[bytes, bytes]] = []
        #: How long after each was due its answer came.
        self.late: list[float] = []

    def run(self) -> None:
        """A connection that the other end closes is used no more: what it owed is missing among the answers."""
        for caller in self._callers:
            self._selector.register(caller.socket, _READ, caller)
            self._next(caller)
        while self._open:
            wait = max(0.0, self._soon[0][0] - time.monotonic()) if self._soon else None
            for key, events in self._selector.select(wait):
                if events & _READ:
                    self._receive(key.data)
                else:
                    self._send(key.data, key.data.rest)
            while self._soon and self._soon[0][0] <= time.monotonic():
                _, _, caller, request = heappop(self._soon)
                if caller.is_open:
                    self._send(caller, request)
        self._selector.close()

    def _next(self, caller: Caller) -> None:
        """The next request, or the end."""
        found = next(self._work, None)
        if found is None:
            self._close(caller)
            return
        caller.due, request = found
        if caller.due and caller.due > time.monotonic():
            heappush(self._soon, (caller.due, id(caller), caller, request))
        else:
            self._send(caller, request)

    def _close(self, caller: Caller) -> None:
        caller.is_open = False
        self._selector.unregister(caller.socket)
        caller.socket.close()
        self._open -= 1

    def _send(self, caller: Caller, request: bytes) -> None:
        try:
            sent = caller.socket.send(request)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            self._close(caller)
            return
        had_rest = bool(caller.rest)
        caller.rest = request[sent:]
        if bool(caller.rest) is not had_rest:
            self._selector.modify(caller.socket, _READ | _WRITE if caller.rest else _READ, caller)

    def _receive(self, caller: Caller) -> None:
        try:
            data = caller.socket.recv(_MOST)
        except ConnectionError:
            data = b""
        if not data:
            self._close(caller)
            return
        if caller.buffer:
            data = caller.buffer + data
        end = data.find(_END)
        body = end + len(_END)
        if end < 0 or len(data) < (stop := body + _content_length(data, end)):
            caller.buffer = data
            return
        self.kept.append((data[9:12], data[body:stop]))
        caller.buffer = data[stop:]
        if caller.due:
            self.late.append(time.monotonic() - caller.due)
        self._next(caller)


def _content_length(data: bytes, end: int) -> int:
    """As the head of an answer says, which goes up to `end`."""
    at = data.find(_CONTENT_LENGTH, 0, end)
    if at < 0:  # names of fields are written in either case
        data = data[:end].lower()
        at = data.find(_CONTENT_LENGTH)
    if at < 0:
        return 0
    at += len(_CONTENT_LENGTH)
    stop = data.find(b"\r", at, end)
    return int(data[at : stop if stop >= 0 else end])


def _paced(requests: list[bytes], rate: float) -> Iterator[tuple[float, bytes]]:
    """Each with the moment when it is due; the first one is asked for when the clock begins."""
    begin = time.monotonic()
    for number, request in enumerate(requests):
        yield (begin + number / rate if rate else 0.0), request


def _run(file: Path, port: int, connections: int, out: Path, rate: float) -> None:
    requests = list(unpacked(file.read_bytes()))
    callers = [Caller(port) for _ in range(connections)]
    print("ready", flush=True)
    sys.stdin.readline()
    load = Load(_paced(requests, rate), callers)
    begin, cpu = time.monotonic(), time.process_time()
    load.run()
    result = {"begin": begin, "end": time.monotonic(), "cpu": time.process_time() - cpu}
    out.write_bytes(b"".join(_ANSWER.pack(int(status), len(body)) + body for status, body in load.kept))
    print(json.dumps(result | {"answers": len(load.kept), "late": sorted(load.late)}), flush=True)


if __name__ == "__main__":
    told = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
    _run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), told)
