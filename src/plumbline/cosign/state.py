"""What a cosigner must never forget (联署方的记忆): of each log the newest head that it cosigned, and under which key.

A cosignature cannot be taken back, so the head is on the disk before the signature leaves the process: lock → compare → temporary file →
fsync → rename → fsync of the folder. A memory that is lost or damaged stops the cosigner; only an explicit new key starts it again,
because nobody can say any more what the old key has signed. POSIX only (``flock``).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from plumbline.evidence.note import NoteError
from plumbline.evidence.tree import EMPTY_ROOT

_HEADER = b"plumbline-cosigner-state/v1\n"
#: The named failpoints of an advance, in order. The step that the name speaks of is done when it is called.
FAILPOINTS = (
    "state.compared",
    "state.temp_written",
    "state.temp_synced",
    "state.renamed",
    "state.folder_synced",
)


def _no_failpoint(_name: str) -> None:
    return None


class StateLost(RuntimeError):
    """The memory of what was cosigned is gone or damaged: nothing may be cosigned with this key any more."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The newest head of a log that was cosigned; size 0 and no note before the first."""

    origin: str
    size: int = 0
    root: bytes = EMPTY_ROOT
    #: POSIX seconds that the cosignature states.
    at: int = 0
    #: The checkpoint with the log's signatures and ours.
    note: str = ""
    #: The vkey that signed: a memory speaks of one key only.
    key: str = ""

    def encode(self) -> bytes:
        """Header, SHA-256 of what follows, and one JSON object."""
        told = {
            "origin": self.origin,
            "size": self.size,
            "root": self.root.hex(),
            "at": self.at,
            "note": self.note,
            "key": self.key,
        }
        body = json.dumps(told, ensure_ascii=False).encode() + b"\n"
        return _HEADER + hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """State of a file; ValueError if a single byte is wrong."""
        _, _, rest = data.partition(_HEADER)
        _, _, body = rest.partition(b"\n")
        told = json.loads(body or b"null")
        if not isinstance(told, dict):
            raise ValueError("not the state of a cosigner")
        root = bytes.fromhex(told["root"])
        made = cls(told["origin"], told["size"], root, told["at"], told["note"], told["key"])
        if made.encode() != data:
            raise ValueError("not the state of a cosigner, or damaged")
        return made


class StateFolder:
    """One file for each log; safe between threads and processes of one machine."""

    def __init__(
        self, folder: Path, *, key: str = "", failpoint: Callable[[str], None] = _no_failpoint
    ) -> None:
        """``key``: the vkey of which the states speak. ``failpoint`` is called with each name of ``FAILPOINTS``; tests crash there."""
        self.folder, self.key = folder, key
        self._shown: dict[str, Cosigned] = {}
        self._showing = threading.Lock()
        self._failpoint = failpoint

    def path(self, origin: str) -> Path:
        """The file of a log."""
        return self.folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.state"

    def read(self, origin: str) -> Cosigned:
        """What was cosigned last; raises :class:`StateLost`."""
        try:
            found = Cosigned.decode(self.path(origin).read_bytes())
        except FileNotFoundError as error:
            raise StateLost(f"日志 {origin} 的联署记录不见了") from error
        except (ValueError, KeyError, TypeError) as error:
            raise StateLost(f"日志 {origin} 的联署记录坏了") from error
        if found.origin != origin:
            raise StateLost(f"日志 {origin} 的联署记录是另一个日志的")
        if found.key != self.key:
            # A process that still runs with a retired key, or a key that was put back: this is not what that key signed.
            raise StateLost(f"日志 {origin} 的联署记录是另一把密钥的")
        return found

    def read_durable(self, origin: str) -> Cosigned:
        """The same for showing it to others: a state that is renamed but not yet synced could still be forgotten, its signature not."""
        found = self.read(origin)
        with self._showing:
            if self._shown.get(origin) != found:
                with self.locked():
                    found = self.read(origin)
                    sync_folder(self.folder)
                self._shown[origin] = found
        return found

    def create(self, origin: str) -> None:
        """The first state of a log that is followed from now on; FileExistsError if there is one, whatever it says."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked():
            if self.path(origin).exists():
                raise FileExistsError(origin)
            self.write(Cosigned(origin, key=self.key))

    def write(self, state: Cosigned) -> None:
        """Make a state durable; the caller holds the lock and has compared. OSError leaves the old one standing, or neither known."""
        path = self.path(state.origin)
        temporary = path.with_suffix(".new")
        self._failpoint("state.compared")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(state.encode())
            file.flush()
            self._failpoint("state.temp_written")
            os.fsync(file.fileno())
        self._failpoint("state.temp_synced")
        os.replace(temporary, path)
        self._failpoint("state.renamed")
        sync_folder(self.folder)
        self._failpoint("state.folder_synced")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """The lock of this folder; a file of its own, since states are replaced by rename."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """A 0600 file that is either the old one or the new one, never half of it."""
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def require_line(text: str, what: str) -> str:
    """``text`` if it is one line, not empty and not long; else NoteError."""
    if not text.strip() or len(text) > 200 or any(ord(char) < 0x20 for char in text):
        raise NoteError(f"{what}应是一行文字，不超过 200 字")
    return text.strip()
