"""The limit of everything durable (基准：裸 COPY): the same bytes, encoded beforehand, into tables of the same shape."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
#: Connections that are tried; the fastest counts.
WIDTHS = (1, 2, 4)
_CHUNK = 1 << 18
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def instant(at: datetime) -> bytes:
    """`timestamptz` in binary: µs since 2000."""
    gone = at - _EPOCH
    return struct.pack(">q", (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds)


def row(fields: Sequence[bytes]) -> bytes:
    """One row of binary COPY."""
    return struct.pack(">h", len(fields)) + b"".join(struct.pack(">i", len(each)) + each for each in fields)


@dataclass(frozen=True, slots=True)
class Load:
    """One COPY: statement and bytes."""

    statement: str
    data: bytes


def split(statement: str, rows: Sequence[bytes], width: int) -> list[Load]:
    """The rows dealt to `width` connections."""
    return [
        Load(statement, HEADER + b"".join(rows[start::width]) + TRAILER)
        for start in range(width)
        if rows[start::width]
    ]


def timed(connect: Callable[[], psycopg.Connection], parts: Sequence[Sequence[Load]]) -> float:
    """Seconds until every part is committed; each part is one transaction of its own connection, opened beforehand."""
    connections = [connect() for _ in parts]
    failures: list[Exception] = []
    gate = threading.Barrier(len(parts) + 1)

    def work(conn: psycopg.Connection, loads: Sequence[Load]) -> None:
        gate.wait()
        try:
            with conn.transaction():
                for load in loads:
                    _copy(conn, load)
        except Exception as error:
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=pair, daemon=True) for pair in zip(connections, parts, strict=True)
    ]
    for thread in threads:
        thread.start()
    gate.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begin
    for conn in connections:
        conn.close()
    if failures:
        raise failures[0]
    return took


def _copy(conn: psycopg.Connection, load: Load) -> None:
    view = memoryview(load.data)
    with conn.cursor().copy(load.statement.encode()) as copy:
        for at in range(0, len(view), _CHUNK):
            copy.write(bytes(view[at : at + _CHUNK]))
