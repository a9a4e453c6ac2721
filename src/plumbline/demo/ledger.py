"""What the institution's own software remembers between two runs (机构台账): numbers taken, references.

A serial belongs to a key, so that a run which was broken off goes on with the numbers it had and leaves no
gap of its own making.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Ledger:
    """A small JSON file, shared by processes under a file lock; a change is durable when the call returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def serial(self, series: str, key: str) -> int:
        """The serial of `key` in `series`, beginning at 1: the one it has, else the next one."""
        with self._locked() as content:
            taken: dict[str, int] = content.setdefault("serials", {}).setdefault(series, {})
            return taken.setdefault(key, len(taken) + 1)

    def get(self, name: str) -> Any:
        """What was stored under `name`, or None."""
        with self._locked() as content:
            return content.get("notes", {}).get(name)

    def put(self, name: str, value: Any) -> None:
        """Store a JSON value under `name`."""
        with self._locked() as content:
            content.setdefault("notes", {})[name] = value

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._path.read_text("utf-8") if self._path.exists() else "{}"
            content: dict[str, Any] = json.loads(before)
            yield content
            after = json.dumps(content, ensure_ascii=False)
            if after != before:
                temporary = self._path.with_suffix(".tmp")
                with temporary.open("w", encoding="utf-8") as file:
                    file.write(after)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)


class MemoryLedger(Ledger):
    """The same for a run whose numbers are all known beforehand: kept in memory, shared by threads.

    A run that is begun anew takes the same numbers, because they are taken in the same order before it starts.
    """

    def __init__(self) -> None:
        self._content: dict[str, Any] = {}
        self._guard = threading.RLock()

    def save(self, path: Path) -> Ledger:
        """Write everything into a file of an institution, whose ledger then goes on from there."""
        kept = Ledger(path)
        with self._guard, kept._locked() as content:
            content.clear()
            content.update(self._content)
        return kept

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        with self._guard:
            yield self._content
