"""What a sender sent (已报留底): submissions and files in the order in which they were made, to be sent again when asked for.

A receipt proves that something was acknowledged; only the bytes bring it back. They are written before they are sent, so that what was
never answered is known too.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.submission import OriginSignature

#: Name of the book in a sender's folder.
SENT = "sent.db"
_TABLES = (
    "CREATE TABLE IF NOT EXISTS sent (entry TEXT PRIMARY KEY, seq INTEGER UNIQUE NOT NULL, message BLOB NOT NULL, origin BLOB NOT NULL,"
    " personal BLOB NOT NULL, claims TEXT)",
    "CREATE TABLE IF NOT EXISTS file (sha256 TEXT PRIMARY KEY, seq INTEGER UNIQUE NOT NULL, media_type TEXT NOT NULL,"
    " bytes INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS place (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO place VALUES ('seq', 0)",
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message as it was sent: its bytes, origin signatures, personal records."""

    entry: str
    seq: int
    message: bytes
    origin: list[OriginSignature]
    personal: list[PersonalRecord]
    #: Claims of the supervision code that the platform gave for it.
    claims: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file as it was sent; its bytes stand in the folder unless the sender keeps them elsewhere."""

    sha256: str
    seq: int
    media_type: str
    length: int


class SentBook:
    """One SQLite file beside the receipts, and a folder of files. Threads may share it.

    Of files whose media type is among `elsewhere` only hash, type and length are kept, for a sender that has their bytes elsewhere and
    finds them for the `Answerer`. Without `synced` a power cut may take the newest, for a sender that can make them again. It holds
    personal records in clear: it is as private as the sender's own records, and grows with them; `forget_person` takes a person out.
    """

    def __init__(self, folder: Path | str, *, elsewhere: Container[str] = (), synced: bool = True) -> None:
        self.folder, self._elsewhere, self._synced = Path(folder), elsewhere, synced
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            self.folder / SENT, timeout=30, isolation_level=None, check_same_thread=False
        )
        (self.folder / SENT).chmod(0o600)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
        for statement in _TABLES:
            self._db.execute(statement)

    def keep(
        self,
        entry: str,
        message: bytes,
        origin: Iterable[OriginSignature] = (),
        personal: Iterable[PersonalRecord] = (),
    ) -> None:
        """Write down a submission; what is there already stays, since its bytes are the same."""
        self.keep_all([(entry, message, origin, personal)])

    def keep_all(
        self, submissions: Iterable[tuple[str, bytes, Iterable[OriginSignature], Iterable[PersonalRecord]]]
    ) -> None:
        """Write down several, (entry, message, origin, personal) each, in their order and with one sync: all of them or none."""
        rows = [
            (entry, message, msgspec.json.encode(list(origin)), msgspec.json.encode(list(personal)))
            for entry, message, origin, personal in submissions
        ]
        with self._numbered() as next_seq:
            for entry, message, signed, told in rows:
                if self._row("SELECT 1 FROM sent WHERE entry = ?", entry) is None:
                    self._db.execute(
                        "INSERT INTO sent (entry, seq, message, origin, personal) VALUES (?, ?, ?, ?, ?)",
                        [entry, next_seq(), message, signed, told],
                    )

    def keep_claims(self, entry: str, claims: str) -> None:
        """The claims of the code that an application was given."""
        with self._lock:
            self._db.execute("UPDATE sent SET claims = ? WHERE entry = ?", [claims, entry])

    def forget_person(self, subject: str) -> int:
        """Take the records of a person out of the book, as when they were destroyed on the platform; in how many submissions they stood.

        Messages and files stay: a message names a record by its digest only. What a file says of a person is the sender's to keep or not.
        """
        found = 0
        with self._lock:
            holding = self._db.execute(
                "SELECT entry, personal FROM sent WHERE instr(personal, ?)", [subject.encode()]
            )
            for entry, data in holding.fetchall():
                records = msgspec.json.decode(data, type=list[PersonalRecord])
                kept = [each for each in records if each.subject != subject]
                if len(kept) < len(records):
                    self._db.execute(
                        "UPDATE sent SET personal = ? WHERE entry = ?", [msgspec.json.encode(kept), entry]
                    )
                    found += 1
            if found:  # the old pages stand in the log file until it is cut
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return found

    def keep_file(self, data: bytes, media_type: str) -> None:
        """Write down a file."""
        sha256 = hashlib.sha256(data).hexdigest()
        with self._lock:
            if self._row("SELECT 1 FROM file WHERE sha256 = ?", sha256) is not None:
                return
            if media_type not in self._elsewhere:
                self._write(sha256, data)
            with self._numbered() as next_seq:  # another process may have been first
                self._db.execute(
                    "INSERT OR IGNORE INTO file (sha256, seq, media_type, bytes) VALUES (?, ?, ?, ?)",
                    [sha256, next_seq(), media_type, len(data)],
                )

    def submission(self, entry: str) -> Submission | None:
        """What was sent as `entry`, or None."""
        row = self._row(
            "SELECT entry, seq, message, origin, personal, claims FROM sent WHERE entry = ?", entry
        )
        if row is None:
            return None
        return Submission(
            entry=row[0],
            seq=row[1],
            message=row[2],
            origin=msgspec.json.decode(row[3], type=list[OriginSignature]),
            personal=msgspec.json.decode(row[4], type=list[PersonalRecord]),
            claims=row[5],
        )

    def entries(self) -> list[str]:
        """Everything that was sent, in order."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT entry FROM sent ORDER BY seq").fetchall()]

    def files(self, first: int = 0) -> list[SentFile]:
        """Files from a place in the order on."""
        with self._lock:
            rows = self._db.execute(
                "SELECT sha256, seq, media_type, bytes FROM file WHERE seq >= ? ORDER BY seq", [first]
            )
            return [
                SentFile(sha256=row[0], seq=row[1], media_type=row[2], length=row[3])
                for row in rows.fetchall()
            ]

    def file(self, sha256: str) -> SentFile | None:
        """A file that was sent, or None."""
        row = self._row("SELECT sha256, seq, media_type, bytes FROM file WHERE sha256 = ?", sha256)
        return SentFile(sha256=row[0], seq=row[1], media_type=row[2], length=row[3]) if row else None

    def file_bytes(self, sha256: str) -> bytes | None:
        """The bytes of a file that are kept here; None when they are not, or are no longer the same."""
        if not _SHA256.fullmatch(sha256):
            return None
        try:
            data = self._path(sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def place(self, name: str) -> int | None:
        """A number that was noted, such as how far the change feed was read."""
        row = self._row("SELECT value FROM place WHERE name = ?", name)
        return int(row[0]) if row else None

    def note(self, name: str, value: int) -> None:
        """Note a number."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", [name, value])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _row(self, statement: str, key: str) -> Any:
        with self._lock:
            return self._db.execute(statement, [key]).fetchone()

    @contextmanager
    def _numbered(self) -> Iterator[Callable[[], int]]:
        """One transaction; yields what gives the next place in the order."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                known = first = int(
                    self._db.execute("SELECT value FROM place WHERE name = 'seq'").fetchone()[0]
                )

                def following() -> int:
                    nonlocal known
                    known += 1
                    return known

                yield following
                if known > first:
                    self._db.execute("UPDATE place SET value = ? WHERE name = 'seq'", [known])
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def _path(self, sha256: str) -> Path:
        return self.folder / "files" / sha256[:2] / sha256

    def _write(self, sha256: str, data: bytes) -> None:
        path = self._path(sha256)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{sha256}.{uuid4().hex}")
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            if self._synced:
                os.fsync(file.fileno())
        temporary.replace(path)
