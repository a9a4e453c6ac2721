"""Receipts kept by the sender (回执留存): the institution's own proof, independent of the platform's good
will."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline.evidence.checkpoint import Checkpoint, NoteError, parse_note
from plumbline.evidence.proof import ProofError, parse_proof

#: Name of the book in a sender's folder.
BOOK = "receipts.db"
_ENTRY = re.compile(r"[0-9a-f]{32}")


def agree(earlier: str, later: str) -> bool:
    """Whether a later receipt of an entry says all that the earlier one says: the same leaf at the same place of
    the same log, and no other root at the same size. Only then the earlier one is not needed any more: two that
    do not agree, both with the log's signature, are the proof against it."""
    if earlier == later:
        return True
    try:
        proofs = [parse_proof(text) for text in (earlier, later)]
        heads = [Checkpoint.parse(parse_note(proof.checkpoint_note).text) for proof in proofs]
    except (ProofError, NoteError):
        return False
    (first, second), (old, new) = proofs, heads
    is_same_entry = (first.extra, first.index, old.origin) == (second.extra, second.index, new.origin)
    return is_same_entry and new.size >= old.size and (new.size > old.size or new.root == old.root)


class ReceiptStore:
    """A folder with one file `<entry>.receipt` an entry, and beside it the message bytes that it proves.

    A file is durable when `keep` returns: temporary name, fsync, rename, fsync of the folder. Threads and
    processes may share a folder; a later receipt of the same entry replaces the earlier one when it says all that
    the earlier one says. One of an earlier epoch of the log is kept beside it, `<entry>.<epoch>.former`: it proves
    what a restore has lost. One that contradicts it stands beside it too: `<entry>.<hash>.contradicted`.
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
        with self._alone():
            earlier = self.receipt(entry)
            if earlier is not None and (origin := log_of(earlier)) != log_of(receipt):
                self._write(self._path(entry, f"{name_of(origin)}.former"), earlier.encode())
            elif earlier is not None and not agree(earlier, receipt):
                digest = hashlib.sha256(earlier.encode()).hexdigest()[:16]
                self._write(self._path(entry, f"{digest}.contradicted"), earlier.encode())
            self._write(path, receipt.encode())
        return path

    def contradicted(self, entry: str) -> list[str]:
        """Earlier receipts of an entry that its newest one contradicts."""
        found = sorted(self.folder.glob(f"{self._path(entry, '*').name}.contradicted"))
        return [path.read_text(encoding="utf-8") for path in found]

    def former(self, entry: str) -> list[str]:
        """Receipts of earlier epochs: the entry was lost in a restore and sent again."""
        paths = sorted(self.folder.glob(f"{entry}.*.former")) if _ENTRY.fullmatch(entry) else []
        return [path.read_text(encoding="utf-8") for path in paths]

    def kept(self) -> Iterator[tuple[str, str]]:
        """(entry, receipt) of all that is kept: of an entry those of earlier epochs, the newest, those that it contradicts."""
        for entry in self:
            yield from ((entry, text) for text in self.former(entry))
            yield entry, self.receipt(entry) or ""
            yield from ((entry, text) for text in self.contradicted(entry))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else compares and replaces in this folder meanwhile."""
        import fcntl  # not at the top: a press PC under Windows reads this module for the book alone

        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

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


_TABLES = (
    "CREATE TABLE IF NOT EXISTS receipt (entry TEXT PRIMARY KEY, receipt TEXT NOT NULL, message BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS contradicted (entry TEXT, receipt TEXT, PRIMARY KEY (entry, receipt)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS former (entry TEXT, log TEXT, receipt TEXT NOT NULL, PRIMARY KEY (entry, log)) WITHOUT ROWID",
)


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
        for table in _TABLES:
            self._db.execute(table)

    def keep(self, entry: str, receipt: str, message: bytes | None = None) -> Path:
        """Write the receipt of `entry` (32 hex) durably; ValueError for another name. sqlite3.Error, an
        OSError's like, when the disk refuses."""
        if not _ENTRY.fullmatch(entry):
            raise ValueError(f"not an entry id: {entry!r}")
        with self._lock:
            made = self._db.execute(
                "INSERT INTO receipt VALUES (?, ?, ?) ON CONFLICT (entry) DO NOTHING",
                [entry, receipt, message if self._messages else None],
            )
            if not made.rowcount:
                self._replace(entry, receipt)
        return self.path

    def _replace(self, entry: str, receipt: str) -> None:
        """The newer one in the place of the one that is there, which is kept beside it when they do not agree."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            row = self._db.execute("SELECT receipt FROM receipt WHERE entry = ?", [entry]).fetchone()
            if (log := log_of(row[0])) != log_of(receipt):
                told = [entry, log, row[0]]
                self._db.execute("INSERT INTO former VALUES (?, ?, ?) ON CONFLICT DO NOTHING", told)
            elif not agree(row[0], receipt):
                self._db.execute("INSERT OR IGNORE INTO contradicted VALUES (?, ?)", [entry, row[0]])
            self._db.execute("UPDATE receipt SET receipt = ? WHERE entry = ?", [receipt, entry])
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def contradicted(self, entry: str) -> list[str]:
        """Earlier receipts of an entry that its newest one contradicts."""
        asked = "SELECT receipt FROM contradicted WHERE entry = ? ORDER BY receipt"
        with self._lock:
            return [row[0] for row in self._db.execute(asked, [entry]).fetchall()]

    def kept(self) -> Iterator[tuple[str, str]]:
        """(entry, receipt) of all that is kept: of an entry those of earlier epochs, the newest, those that it contradicts."""
        for entry in self:
            yield from ((entry, text) for text in self.former(entry))
            yield entry, self.receipt(entry) or ""
            yield from ((entry, text) for text in self.contradicted(entry))

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
