"""Receipts kept by the sender (回执留存): the institution's own proof, independent of the platform's good
will."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_ENTRY = re.compile(r"[0-9a-f]{32}")


class ReceiptStore:
    """A folder with one file `<entry>.receipt` an entry, and beside it the message bytes that it proves.

    A file is durable when `keep` returns: temporary name, fsync, rename, fsync of the folder. Threads and
    processes may share a folder; a later receipt of the same entry replaces the earlier one, since its
    checkpoint is at least as new.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def keep(self, entry: str, receipt: str, message: bytes | None = None) -> Path:
        """Write the receipt of `entry` (32 hex) durably; ValueError for another name. OSError when the disk
        refuses."""
        if message is not None:
            self._write(self._path(entry, "message.json"), message)
        path = self._path(entry, "receipt")
        self._write(path, receipt.encode())
        return path

    def receipt(self, entry: str) -> str | None:
        """The kept receipt, or None."""
        path = self._path(entry, "receipt")
        return path.read_text(encoding="utf-8") if path.exists() else None

    def message(self, entry: str) -> bytes | None:
        """The message bytes kept with the receipt, or None."""
        path = self._path(entry, "message.json")
        return path.read_bytes() if path.exists() else None

    def __iter__(self) -> Iterator[str]:
        """Entry ids that have a receipt here, in order of name."""
        return iter(
            sorted(path.stem for path in self.folder.glob("*.receipt") if _ENTRY.fullmatch(path.stem))
        )

    def _path(self, entry: str, suffix: str) -> Path:
        if not _ENTRY.fullmatch(entry):
            raise ValueError(f"not an entry id: {entry!r}")
        return self.folder / f"{entry}.{suffix}"

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
