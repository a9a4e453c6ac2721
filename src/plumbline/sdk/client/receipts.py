"""Receipts kept by the sender (回执留存): the institution's own proof, independent of the platform's good
will."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from plumbline.evidence.proof import ProofError, parse_proof

#: Name of the book in a sender's folder.
BOOK = "receipts.db"
_ENTRY = re.compile(r"[0-9a-f]{32}")


class ReceiptStore:
    """A folder with one file `<entry>.receipt` an entry, and beside it the message bytes that it proves.

    A file is durable when `keep` returns: temporary name, fsync, rename, fsync of the folder. Threads and
    processes may share a folder; a later receipt of the same entry replaces the earlier one, since its
    checkpoint is at least as new. One of an earlier epoch of the log is kept beside it: it proves what was lost.
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
        earlier = self.receipt(entry)
        if earlier is not None and (origin := log_of(earlier)) != log_of(receipt):
            self._write(self._path(entry, f"{name_of(origin)}.former"), earlier.encode())
        self._write(path, receipt.encode())
        return path

    def former(self, entry: str) -> list[str]:
        """Receipts of earlier epochs: the entry was lost in a restore and sent again."""
        paths = sorted(self.folder.glob(f"{entry}.*.former")) if _ENTRY.fullmatch(entry) else []
        return [path.read_text(encoding="utf-8") for path in paths]

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


def log_of(receipt: str) -> str:
    """The log that a receipt is of: base and epoch, the same for an epoch and its closing; empty for what is no receipt."""
    try:
        origin = parse_proof(receipt).checkpoint_note.partition("\n")[0]
    except ProofError:
        return ""
    base, _, epoch = origin.rpartition("/")
    return f"{base}/{epoch.partition('-')[0]}"


def name_of(origin: str) -> str:
    """The epoch of an origin line as part of a file's name."""
    return re.sub("[^0-9]", "", origin.rpartition("/")[2]) or "0"


_TABLE = "CREATE TABLE IF NOT EXISTS receipt (entry TEXT PRIMARY KEY, receipt TEXT NOT NULL, message BLOB) WITHOUT ROWID"


_FORMER = "CREATE TABLE IF NOT EXISTS former (entry TEXT, log TEXT, receipt TEXT NOT NULL, PRIMARY KEY (entry, log)) WITHOUT ROWID"


class ReceiptBook:
    """The same in one SQLite file, for whoever sends much: one synced write a receipt instead of several files.

    Without `messages` only receipts are kept, for a sender that has its messages elsewhere. Without `synced` a power cut may
    take the newest ones, for a sender that can ask for them again.
    """

    def __init__(self, path: Path | str, *, messages: bool = True, synced: bool = True) -> None:
        self.path, self._messages = Path(path), messages
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
        self._db.execute(_TABLE)
        self._db.execute(_FORMER)

    def keep(self, entry: str, receipt: str, message: bytes | None = None) -> Path:
        """Write the receipt of `entry` (32 hex) durably; ValueError for another name. sqlite3.Error, an
        OSError's like, when the disk refuses."""
        if not _ENTRY.fullmatch(entry):
            raise ValueError(f"not an entry id: {entry!r}")
        earlier = self.receipt(entry)
        with self._lock:
            if earlier is not None and log_of(earlier) != log_of(receipt):
                told = [entry, log_of(earlier), earlier]
                self._db.execute("INSERT INTO former VALUES (?, ?, ?) ON CONFLICT DO NOTHING", told)
            self._db.execute(
                "INSERT INTO receipt VALUES (?, ?, ?) ON CONFLICT (entry) DO UPDATE SET receipt = excluded.receipt",
                [entry, receipt, message if self._messages else None],
            )
        return self.path

    def receipt(self, entry: str) -> str | None:
        """The kept receipt, or None."""
        with self._lock:
            row = self._db.execute("SELECT receipt FROM receipt WHERE entry = ?", [entry]).fetchone()
        return row[0] if row else None

    def former(self, entry: str) -> list[str]:
        """Receipts of earlier epochs: the entry was lost in a restore and sent again."""
        with self._lock:
            rows = self._db.execute("SELECT receipt FROM former WHERE entry = ? ORDER BY log", [entry])
            return [row[0] for row in rows.fetchall()]

    def message(self, entry: str) -> bytes | None:
        """The message bytes kept with the receipt, or None."""
        with self._lock:
            row = self._db.execute("SELECT message FROM receipt WHERE entry = ?", [entry]).fetchone()
        return row[0] if row else None

    def __iter__(self) -> Iterator[str]:
        """Entry ids that have a receipt here, in order."""
        with self._lock:
            rows = self._db.execute("SELECT entry FROM receipt ORDER BY entry").fetchall()
        return iter([row[0] for row in rows])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def open_receipts(path: Path | str) -> ReceiptStore | ReceiptBook:
    """The receipts of a folder or of a SQLite file; FileNotFoundError when there is neither."""
    place = Path(path)
    if place.is_dir():
        book = place / BOOK
        return ReceiptBook(book) if book.exists() else ReceiptStore(place)
    if not place.exists():
        raise FileNotFoundError(f"{place} 里没有回执")
    return ReceiptBook(place)
