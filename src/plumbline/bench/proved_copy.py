"""The limit of accept (基准：先验签、取摘要的裸 COPY): what nobody who accepts a message can do without, and nothing else.

The signatures of every message are verified, the digests of its leaf taken, and its bytes copied into a table of the journal's shape, in
one transaction of each process. No HTTP, no JSON, no checks of what the message says, no log, no receipt. Processes, not threads: that
the interpreter takes turns is no law of nature.

`python -m plumbline.bench.proved_copy FILE STATEMENT`, the address of the database in PLUMB_BENCH_DSN: prints `ready`, waits for a
line, works, prints when it began and ended by the machine's monotonic clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psycopg

from plumbline.bench.raw_copy import HEADER, TRAILER
from plumbline.evidence.leaf import sha256, sm3
from plumbline.exchange.signatures import verify

_DSN = "PLUMB_BENCH_DSN"
#: Rows between two writes.
_PORTION = 64


class Signature(msgspec.Struct, frozen=True, array_like=True):
    """Something signed, as `exchange.signatures.verify` takes it."""

    algorithm: str
    key: bytes
    data: bytes
    signature: bytes


class ProvedRow(msgspec.Struct, frozen=True, array_like=True):
    """One row of binary COPY with what is verified and digested for it."""

    row: bytes
    envelope: bytes
    message: bytes
    #: Of a request of several messages they stand at its first.
    signatures: list[Signature]


def dealt(rows: Sequence[ProvedRow], width: int) -> list[list[ProvedRow]]:
    """The rows for each of `width` processes, requests in turn: each begins with a row that bears signatures, so that these are shared out
    evenly."""
    parts: list[list[ProvedRow]] = [[] for _ in range(width)]
    turn = -1
    for row in rows:
        turn += bool(row.signatures)
        parts[max(turn, 0) % width].append(row)
    return parts


def timed(folder: Path, dsn: str, statement: str, rows: Sequence[ProvedRow], width: int) -> float:
    """Seconds of `width` processes, connected beforehand, until the last has committed; RuntimeError where one fails."""
    with ExitStack() as stack:
        children = [
            stack.enter_context(_child(folder / f"{number}.rows", dsn, statement, part))
            for number, part in enumerate(dealt(rows, width))
        ]
        for child in children:
            if _line(child) != "ready":
                raise RuntimeError("a process of the limit did not start")
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        spans = [tuple(map(float, _line(child).split())) for child in children]
        if any(len(span) != 2 for span in spans) or any(child.wait() for child in children):
            raise RuntimeError("a process of the limit failed")
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def _child(file: Path, dsn: str, statement: str, rows: Sequence[ProvedRow]) -> subprocess.Popen[str]:
    file.write_bytes(msgspec.msgpack.encode(rows))
    argv = [sys.executable, "-m", "plumbline.bench.proved_copy", str(file), statement]
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=os.environ | {_DSN: dsn}
    )


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def proved(rows: Sequence[ProvedRow]) -> Iterator[bytes]:
    """Binary COPY of the rows, each portion after its signatures were verified and its digests taken; ValueError where one fails."""
    yield HEADER
    for at in range(0, len(rows), _PORTION):
        portion = rows[at : at + _PORTION]
        for each in portion:
            for signed in each.signatures:
                if not verify(signed.algorithm, signed.key, signed.data, signed.signature):
                    raise ValueError("a signature of the limit does not hold")
            sha256(each.envelope), sha256(each.message), sm3(each.message)
        yield b"".join(each.row for each in portion)
    yield TRAILER


def _run(file: Path, statement: str) -> None:
    rows = msgspec.msgpack.decode(file.read_bytes(), type=list[ProvedRow])
    with psycopg.connect(os.environ[_DSN]) as conn:
        print("ready", flush=True)
        sys.stdin.readline()
        begin = time.monotonic()
        with conn.transaction(), conn.cursor().copy(statement.encode()) as copy:
            for data in proved(rows):
                copy.write(data)
        print(begin, time.monotonic(), flush=True)


if __name__ == "__main__":
    _run(Path(sys.argv[1]), sys.argv[2])
