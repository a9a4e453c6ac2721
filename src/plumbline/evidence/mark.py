"""The head mark: what a signing host must remember to never contradict itself (日志水位).

A signature over a head cannot be taken back. So each host keeps, on its own disk and apart from the database,
the largest head it has signed; a restored or rewritten database then cannot make it sign a second history.

Order of an advance: lock → compare → temporary file → fsync → rename → fsync of the folder; only then may the
signature leave the process. POSIX only (``flock``): signing hosts are servers.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_HEADER = "plumbline-head-mark/v1"

#: The named failpoints of an advance, in order. The step that the name speaks of is done when it is called.
FAILPOINTS = (
    "mark.locked",
    "mark.compared",
    "mark.temp_written",
    "mark.temp_synced",
    "mark.renamed",
    "mark.folder_synced",
)


def _no_failpoint(_name: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Head:
    """One head of one log. Within an epoch heads only grow; operators open a new epoch by an explicit act."""

    origin: str
    epoch: int
    #: Leaves in this epoch's tree.
    size: int
    #: Root hash, 32 bytes.
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or any(ord(char) < 0x20 for char in self.origin):
            raise ValueError("the origin of a head is one line, not empty")
        if self.epoch < 0 or self.size < 0 or len(self.root) != 32:
            raise ValueError("a head has an epoch, a size and a root of 32 bytes")

    def encode(self) -> bytes:
        """The mark file: lines, the last of which is the SHA-256 of the lines before."""
        body = f"{_HEADER}\n{self.origin}\n{self.epoch}\n{self.size}\n{self.root.hex()}\n".encode()
        return body + hashlib.sha256(body).hexdigest().encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Head of a mark file; ValueError if a single byte is wrong."""
        try:
            header, origin, epoch, size, root, _digest, rest = data.decode().split("\n")
            head = cls(origin, int(epoch), int(size), bytes.fromhex(root))
        except ValueError as error:
            raise ValueError("not a head mark") from error
        if header != _HEADER or rest or head.encode() != data:
            raise ValueError("not a head mark, or damaged")
        return head


class MarkRefused(Exception):
    """The head must not be signed: it contradicts, or may contradict, what this host signed before."""

    def __init__(self, reason: str, text: str, standing: Head | None = None) -> None:
        """``standing`` is the mark that stays.

        ``reason`` is one of missing, unreadable, exists, origin, epoch, smaller, fork, moved.
        """
        super().__init__(text)
        self.reason = reason
        self.standing = standing


class HeadMark:
    """The mark file of one signing host; safe between threads and processes of that host."""

    def __init__(self, path: Path | str, failpoint: Callable[[str], None] = _no_failpoint) -> None:
        """``failpoint`` is called with each name of ``FAILPOINTS``; tests crash there."""
        self.path = Path(path)
        self._failpoint = failpoint

    def read(self) -> Head | None:
        """The standing mark, None if there is none; MarkRefused("unreadable") if the file is damaged.

        None although the log has leaves means *stop*: the memory of what was signed is gone.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return Head.decode(data)
        except ValueError as error:
            raise MarkRefused("unreadable", f"the head mark {self.path} is damaged") from error

    def create(self, head: Head) -> None:
        """Write the first mark of this host: new log, or a host that an operator lets join at a proven head.

        MarkRefused("exists") if there is a mark, whatever it says.
        """
        with self._locked():
            standing = self.read()
            if standing is not None:
                raise MarkRefused("exists", f"the head mark {self.path} exists already", standing)
            self._failpoint("mark.compared")
            self._replace(head)

    def advance(self, head: Head) -> None:
        """Make ``head`` the mark; when this returns, it is durable and ``head`` may be signed.

        MarkRefused if the head is smaller, has another root at the same size, is of another origin or an
        earlier epoch; also if the mark is damaged, or missing while the head has leaves (``create`` is for
        that). An equal head passes. An OSError (full disk) leaves the old mark standing; nothing may be
        signed then.
        """
        with self._locked():
            standing = self.read()
            if standing is None and head.size > 0:
                raise MarkRefused("missing", f"the head mark {self.path} is missing but the log has leaves")
            if standing is not None:
                _require_successor(standing, head)
            self._failpoint("mark.compared")
            if head == standing:
                # The process before us may have died between rename and fsync of the folder.
                self._sync_folder()
            else:
                self._replace(head)

    def begin_epoch(self, head: Head, expected: Head | None) -> None:
        """Make ``head``, of a later epoch, the mark: an operator's act. The former mark, readable or not, stays beside it.

        ``expected`` is what the operator was shown as the standing mark, None for a missing or damaged one;
        MarkRefused("moved") if another process has signed since.
        """
        with self._locked():
            try:
                standing = self.read()
            except MarkRefused:
                standing, kept = None, "damaged"
            else:
                kept = f"epoch-{standing.epoch}" if standing else ""
            if standing != expected:
                raise MarkRefused("moved", f"the head mark {self.path} has moved meanwhile", standing)
            if standing is not None:
                _require_successor(standing, head)
            if kept and head != standing:
                os.link(self.path, self._free_name(kept))
            self._failpoint("mark.compared")
            self._replace(head)

    def former(self) -> list[Head]:
        """The marks of former epochs that :meth:`begin_epoch` kept and that can be read."""
        found = []
        for path in sorted(self.path.parent.glob(f"{self.path.name}.epoch-*")):
            with contextlib.suppress(ValueError):
                found.append(Head.decode(path.read_bytes()))
        return found

    def _free_name(self, kept: str) -> Path:
        for number in range(1, 10_000):
            path = self.path.with_name(f"{self.path.name}.{kept}-{number}")
            if not path.exists():
                return path
        raise FileExistsError(f"too many former marks beside {self.path}")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # The lock is a file of its own: the mark is replaced by rename, and a lock on the old file would be
        # void.
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._failpoint("mark.locked")
            yield
        finally:
            os.close(descriptor)

    def _replace(self, head: Head) -> None:
        # One fixed name is enough under the lock, and what a crash left there is simply overwritten.
        temporary = f"{self.path}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(head.encode())
            file.flush()
            self._failpoint("mark.temp_written")
            os.fsync(file.fileno())
        self._failpoint("mark.temp_synced")
        os.replace(temporary, self.path)
        self._failpoint("mark.renamed")
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._failpoint("mark.folder_synced")


def _require_successor(standing: Head, head: Head) -> None:
    """MarkRefused unless ``head`` may follow ``standing``; the caller proves that it extends it."""
    if head.origin != standing.origin:
        raise MarkRefused(
            "origin", f"the mark is of {standing.origin!r}, the head of {head.origin!r}", standing
        )
    if head.epoch < standing.epoch:
        raise MarkRefused("epoch", f"epoch {head.epoch} lies before the mark's {standing.epoch}", standing)
    if head.epoch > standing.epoch:
        return
    if head.size < standing.size:
        raise MarkRefused("smaller", f"size {head.size} is smaller than the mark's {standing.size}", standing)
    if head.size == standing.size and head.root != standing.root:
        raise MarkRefused("fork", f"two roots at size {head.size}: the log has been rewritten", standing)
