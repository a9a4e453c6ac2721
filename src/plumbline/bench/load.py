"""The load generator (发压器), a process of its own: sends requests that were made beforehand over keep-alive connections.

`python -m plumbline.bench.load FILE PORT CONNECTIONS OUT [RATE]`: prints `ready`, waits for a line, sends, prints one JSON line. FILE
holds requests, OUT receives answers, each with its length ahead. It parses no more of an answer than its status and length. With a RATE so
many requests become due each second, whether those before are answered or not; `late` then tells how long after that each was answered.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_LENGTH = struct.Struct(">I")
_ANSWER = struct.Struct(">HI")


def pack(requests: list[bytes]) -> bytes:
    """Requests as FILE holds them."""
    return b"".join(_LENGTH.pack(len(each)) + each for each in requests)


def _unpacked(data: bytes) -> Iterator[bytes]:
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


class _Caller(asyncio.Protocol):
    """One connection: one request after another, each when the one before is answered."""

    def __init__(self, work: Iterator[tuple[float, bytes]], kept: list[bytes], late: list[float]) -> None:
        """`work`: when each is due (monotonic; 0 at once), and the request. `late` receives how long after that its answer came."""
        self._work = work
        self._kept = kept
        self._late = late
        self._due = 0.0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self) -> None:
        """The next request, or the end."""
        found = next(self._work, None)
        assert self._transport is not None
        if found is None:
            self._transport.close()
            return
        self._due, request = found
        if self._due > time.monotonic():
            asyncio.get_running_loop().call_at(self._due, self._transport.write, request)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _content_length(head)
        if len(body) < length:
            return
        self._kept.append(_ANSWER.pack(int(head[9:12]), length) + body[:length])
        if self._due:
            self._late.append(time.monotonic() - self._due)
        self._buffer = body[length:]
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _content_length(head: bytes) -> int:
    for field in head.split(b"\r\n"):
        name, _, value = field.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _paced(requests: list[bytes], rate: float) -> Iterator[tuple[float, bytes]]:
    """Each with the moment when it is due; the first one is asked for when the clock begins."""
    begin = time.monotonic()
    for number, request in enumerate(requests):
        yield (begin + number / rate if rate else 0.0), request


async def _run(file: Path, port: int, connections: int, out: Path, rate: float) -> None:
    requests = list(_unpacked(file.read_bytes()))
    kept: list[bytes] = []
    late: list[float] = []
    work = _paced(requests, rate)
    loop = asyncio.get_running_loop()
    callers = []
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: _Caller(work, kept, late), "127.0.0.1", port)
        callers.append(caller)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    begin, cpu = time.monotonic(), time.process_time()
    for caller in callers:
        caller.send()
    await asyncio.gather(*(caller.done for caller in callers))
    result = {"begin": begin, "end": time.monotonic(), "cpu": time.process_time() - cpu, "answers": len(kept)}
    out.write_bytes(b"".join(kept))
    print(json.dumps(result | {"late": sorted(late)}), flush=True)


if __name__ == "__main__":
    told = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), told))
