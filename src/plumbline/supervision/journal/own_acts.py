"""The platform's own acts, kept outside the database (平台自己的决定): it is a sender too, and a restore must not undo what it decided.

Registrations, keys and their revocation, grants, releases, destructions are entered by the platform itself; no institution can send them
again. A revoked key that is good again after a restore would be worse than a lost report. What follows from other entries (files,
recomputation, deadlines, codes) is made anew and not kept here.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import LostRange
from plumbline.exchange.messages.registry import KeyEnrolled, KeyRevoked, PartyRegistered, PartySuspended
from plumbline.exchange.problems import Problem
from plumbline.supervision.journal.model import Accepted, Outcome, Pending, canonical_claim
from plumbline.supervision.journal.vault import SealedRecord

#: Made again from other entries, or spoken to one epoch only.
DERIVED = frozenset(
    {
        "log.opened",
        "clock.corrected",
        "blob.stored",
        "clock.deadline_passed",
        "evaluation.computed",
        "report.examined",
        "code.reserved",
        "code.withheld",
        "retransmit.requested",
        "trail.sealed",
    }
)
_log = logging.getLogger("plumbline.journal")
#: From this status on a refusal is of the moment, not of the act.
_LATER = 500
#: How an envelope of a stranger's message begins: nothing more of it is read.
_FOREIGN = b'{"v":1,"channel":"http"'
_TABLE = """
CREATE TABLE IF NOT EXISTS act (uid TEXT, sender TEXT, epoch INTEGER NOT NULL, idx INTEGER NOT NULL, key_id TEXT NOT NULL,
  envelope BLOB NOT NULL, message BLOB NOT NULL, arrived_at TEXT NOT NULL, personal BLOB NOT NULL, PRIMARY KEY (uid, sender))
"""
_COLUMNS = "epoch, idx, uid, sender, key_id, envelope, message, arrived_at, personal"
_KEEP = f"""
INSERT INTO act ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET epoch = excluded.epoch, idx = excluded.idx
"""

_LOST = f"SELECT {_COLUMNS} FROM act WHERE epoch = ? AND idx >= ? AND idx < ?"
_ANY = 2**62


class _Kind(msgspec.Struct):
    kind: str


@dataclass(slots=True)
class Replayed:
    """What came of entering the platform's own acts again."""

    entered: int = 0
    present: int = 0
    #: Not yet: what they are about has to come again first.
    waiting: int = 0
    #: One Chinese sentence each.
    refused: list[str] = field(default_factory=list)


class OwnActs:
    """One SQLite file that gateway, web and worker of a host share; nothing is made before there is something to keep.

    Personal records are kept as the ciphertext that the database holds: after the person's key is destroyed they are noise here too.
    """

    def __init__(self, folder: Path, *, synced: bool = True) -> None:
        self._folder, self._synced = folder, synced
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def keep(self, batch: Sequence[Pending], outcomes: Sequence[Outcome]) -> None:
        """Write down what a committed batch holds of the platform's own acts; durable on return."""
        rows = [
            _row(pending, outcome)
            for pending, outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, Accepted) and _is_own_act(pending)
        ]
        if not rows:
            return
        with self._lock, self._open() as db:
            db.executemany(_KEEP, rows)

    def keep_or_tell(self, batch: Sequence[Pending], outcomes: list[Outcome]) -> list[Outcome]:
        """The outcomes; where the file cannot be written, an own act is not confirmed yet, and is kept when it is sent again."""
        try:
            self.keep(batch, outcomes)
        except (sqlite3.Error, OSError) as error:
            _log.error("the platform's own acts cannot be kept in %s: %s", self._folder.name, error)
            unkept = Problem(
                slug="unavailable", detail="平台自己的决定没有留底，请稍后再试", retry_after_s=60
            )
            return [
                unkept if isinstance(outcome, Accepted) and _is_own_act(pending) else outcome
                for pending, outcome in zip(batch, outcomes, strict=True)
            ]
        return outcomes

    def lost(self, ranges: Sequence[LostRange]) -> list[Pending]:
        """Acts that stood in these ranges, in their order."""
        if not (self._folder / "acts.db").exists():
            return []
        found: list[tuple[object, ...]] = []
        with self._lock, self._open() as db:
            for each in ranges:
                found += db.execute(_LOST, [each.epoch, each.first, _ANY if each.end is None else each.end])
        return [_pending(row) for row in sorted(set(found))]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / "acts.db"
            db = sqlite3.connect(path, timeout=30, check_same_thread=False)
            try:
                path.chmod(0o600)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute(f"PRAGMA synchronous = {'FULL' if self._synced else 'NORMAL'}")
                db.execute(_TABLE)
            except BaseException:  # half opened is not opened: the next one begins anew
                db.close()
                raise
            self._db = db
        return self._db


class Appends(Protocol):
    """What enters a batch."""

    def append(self, batch: list[Pending]) -> list[Outcome]:
        """What became of each, in the order given."""
        ...


def replay_own(
    book: OwnActs,
    journal: Appends,
    ranges: Sequence[LostRange],
    *,
    done: set[str],
    ready: Callable[[Message], bool],
) -> Replayed:
    """Enter lost acts again, one by one and in order: same uid, same bytes, so that nothing is doubled.

    `ready` says whether what an act is about is there, unless it was entered just now; one that is not ready is left for later. `done`
    remembers what needs no second look.
    """
    found, here = Replayed(), set[str]()
    for pending in book.lost(ranges):
        entry = pending.entry.hex()
        if entry in done:
            continue
        message = parse_message(pending.message)
        if _stopped_by(message) not in here and not ready(message):
            found.waiting += 1
            continue
        outcome = journal.append([pending])[0]
        if isinstance(outcome, Problem) and outcome.kind.status >= _LATER and outcome.slug != "internal":
            found.waiting += 1
            continue
        done.add(entry)
        if isinstance(outcome, Accepted):
            here |= _begun_by(message)
        if isinstance(outcome, Problem):
            found.refused.append(f"{entry}：{outcome}")
        elif outcome.duplicate:
            found.present += 1
        else:
            found.entered += 1
    return found


def _is_own_act(pending: Pending) -> bool:
    if pending.envelope.startswith(_FOREIGN):
        return False
    return msgspec.json.decode(pending.message, type=_Kind).kind not in DERIVED


def _begun_by(message: Message) -> set[str]:
    """The key or party that a message brings onto the record."""
    if isinstance(message, KeyEnrolled):
        return {f"key {message.key_id}"}
    return {f"party {message.party}"} if isinstance(message, PartyRegistered) else set()


def _stopped_by(message: Message) -> str | None:
    """The key or party that a message stops."""
    if isinstance(message, KeyRevoked):
        return f"key {message.key_id}"
    return f"party {message.party}" if isinstance(message, PartySuspended) else None


def _row(pending: Pending, outcome: Accepted) -> tuple[object, ...]:
    return (
        outcome.epoch,
        outcome.index,
        str(pending.uid),
        pending.sender_id.hex(),
        pending.key_id,
        pending.envelope,
        pending.message,
        pending.arrived_at.isoformat(),
        msgspec.json.encode(pending.personal),
    )


def _pending(row: tuple[object, ...]) -> Pending:
    _, _, uid, sender, key_id, envelope, message, arrived_at, personal = row
    assert isinstance(message, bytes)
    assert isinstance(envelope, bytes)
    assert isinstance(personal, bytes)
    parsed = parse_message(message)
    return Pending(
        sender_id=bytes.fromhex(str(sender)),
        uid=uuid.UUID(str(uid)),
        key_id=str(key_id),
        envelope=envelope,
        message=message,
        arrived_at=datetime.fromisoformat(str(arrived_at)),
        claims=[canonical_claim(kind, value) for kind, value in kind_of(parsed).claims(parsed)],
        personal=msgspec.json.decode(personal, type=list[SealedRecord]),
    )
