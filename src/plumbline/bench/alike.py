"""What both sides of P2 do alike (两边同样的检查), timed where it is done, by the clock of the thread that checks.

Timed apart, in a process that does nothing else, the same calls take a third less (decision 0047): there the caches are theirs alone
and the other processor rests. Seconds and calls of each thread stand in a file that both processes map, so that the bench reads
what a leg took without asking whoever is measured.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import thread_time
from types import ModuleType
from typing import Any

from starlette.types import ASGIApp

#: Names the file; what is not told of one is not timed.
VARIABLE = "PLUMB_BENCH_ALIKE"
#: By these names `plumbline.supervision.gateway.door` and `plumbline.bench.peers.checks` call them.
ALIKE = (
    "outer_submission",
    "read_signature",
    "check_age",
    "verify",
    "check_digests",
    "read_message",
    "uid_time_problem",
    "verify_origin",
    "encode_envelope",
)
#: Threads of one process that may check in its lifetime.
_THREADS = 4096
#: Of each thread seconds, then calls, of each name.
_ROW = 2 * len(ALIKE)
_SHEET = struct.Struct(f"={_THREADS * _ROW}d")


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor seconds of all threads, and how often each function was called, in the order of :data:`ALIKE`."""

    seconds: float
    calls: tuple[int, ...]

    def since(self, before: Spent) -> Spent:
        """What was spent in between."""
        calls = tuple(now - then for now, then in zip(self.calls, before.calls, strict=True))
        return Spent(self.seconds - before.seconds, calls)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The file of one process."""

    path: Path

    @classmethod
    def fresh(cls, path: Path) -> Sheet:
        """With nothing spent."""
        path.write_bytes(bytes(_SHEET.size))
        return cls(path)

    @property
    def environment(self) -> dict[str, str]:
        """What the process has to be told."""
        return {VARIABLE: str(self.path)}

    def read(self) -> Spent:
        """As of now."""
        values = _SHEET.unpack(self.path.read_bytes())
        names = len(ALIKE)
        seconds = sum(sum(values[at : at + names]) for at in range(0, len(values), _ROW))
        calls = tuple(int(sum(values[names + number :: _ROW])) for number in range(names))
        return Spent(seconds, calls)


def time_in(module: ModuleType) -> None:
    """From now on what `module` calls by the names of :data:`ALIKE` is timed, if the environment names a file."""
    if not (path := os.environ.get(VARIABLE)):
        return
    with open(path, "r+b") as stream:
        sheet = memoryview(mmap.mmap(stream.fileno(), _SHEET.size)).cast("d")
    rows, own, taking = iter(range(0, _THREADS * _ROW, _ROW)), threading.local(), threading.Lock()

    def row() -> int:
        try:
            return int(own.row)
        except AttributeError:
            with taking:
                own.row = next(rows)
            return int(own.row)

    def timed(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            began = thread_time()
            try:
                return function(*given, **named)
            finally:
                spent = thread_time() - began
                at = row() + number
                sheet[at] += spent
                sheet[at + len(ALIKE)] += 1

        return call

    for number, name in enumerate(ALIKE):
        setattr(module, name, timed(number, getattr(module, name)))


def gateway() -> ASGIApp:
    """The gateway, with what it does as its peers do timed."""
    from plumbline.supervision.gateway import app, door

    time_in(door)
    return app.application()
