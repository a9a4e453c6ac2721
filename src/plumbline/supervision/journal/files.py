"""Content-addressed files (文件库): tmp → fsync → rename → fsync directory → row; an entry names a file by hash."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from plumbline.supervision.journal.failpoints import hit

#: Files that somebody found not to be what they are called: the patrol looks at them first, and says what is wrong.
DOUBTED = (
    "UPDATE ops.file SET checked_at = NULL WHERE sha256 = ANY(%s) AND damage = '' AND checked_at IS NOT NULL"
)


class FileDigestMismatch(ValueError):
    """The bytes do not have the announced SHA-256."""


class FileStore:
    """Files under `root/ab/abcdef…`; the name is the SHA-256, so that a file is written once and never changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(root)
        _sync_folder(root.parent)
        #: Folders whose names this process has made durable: one that is there may be of a process that died before it could.
        self._synced: set[Path] = set()

    def path(self, sha256: str) -> Path:
        """Where the file of this hash lives, whether it is there or not."""
        if not (len(sha256) == 64 and all(c in "0123456789abcdef" for c in sha256)):
            raise ValueError("not a SHA-256")
        return self._root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the file is stored; durable by :meth:`make_durable`, or when its row says verified."""
        return self.path(sha256).exists()

    def make_durable(self, sha256: str) -> None:
        """Make the name of a stored file durable: whoever gave it that name may have died before."""
        target = self.path(sha256)
        self._sync_name_of(target.parent)
        _sync_folder(target.parent)

    def _sync_name_of(self, folder: Path) -> None:
        if folder not in self._synced:
            _sync_folder(self._root)
            self._synced.add(folder)

    def read(self, sha256: str) -> bytes:
        """The bytes, checked against the name; raises FileNotFoundError or :class:`FileDigestMismatch`."""
        data = self.path(sha256).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise FileDigestMismatch(sha256)
        return data

    def require_whole(self, sha256: str) -> None:
        """Hold a stored file against its name, without taking it into memory; raises FileNotFoundError or :class:`FileDigestMismatch`."""
        with self.path(sha256).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise FileDigestMismatch(sha256)

    def store(self, data: bytes) -> str:
        """Store bytes; durable on return. Returns the SHA-256."""
        temporary = self._incoming / secrets.token_hex(16)
        temporary.write_bytes(data)
        hit("file.after_write")
        return self.adopt(temporary, hashlib.sha256(data).hexdigest())

    def adopt(self, temporary: Path, sha256: str) -> str:
        """Take over a finished temporary file whose hash was announced; durable on return."""
        digest = hashlib.sha256()
        with temporary.open("rb+") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
            if digest.hexdigest() != sha256:
                raise FileDigestMismatch(sha256)
            try:
                os.fsync(file.fileno())
            except OSError:  # asked again the kernel would say that all is well, and the bytes may be gone
                temporary.unlink(missing_ok=True)
                raise
        hit("file.after_fsync")
        target = self.path(sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        self._sync_name_of(target.parent)
        temporary.rename(target)
        hit("file.after_rename")
        _sync_folder(target.parent)
        hit("file.after_directory_fsync")
        return sha256

    def incoming(self, upload: str) -> Path:
        """The growing file of a resumable upload."""
        if not (len(upload) == 32 and all(c in "0123456789abcdef" for c in upload)):
            raise ValueError("not an upload id")
        return self._incoming / upload


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
