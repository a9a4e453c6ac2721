"""The audit trail bound to the log (审计记录封存): what nobody may change unseen, whoever holds the database.

Events of the trail are rows, not entries. Once a minute the worker seals those that are new: their hashes are put into a tree of RFC 6962,
and its root is entered in the log. The rows beside it (`ops.trail_seal`, `ops.trail_sealed`) are no evidence, the entry is; they say which
event belongs to which seal, and which one is not as it was.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec
import psycopg

from plumbline.evidence.leaf import leaf_hash
from plumbline.evidence.tree import Frontier
from plumbline.exchange.messages.platform import TrailSealed
from plumbline.exchange.uids import new_uid

#: Columns of an event in the order in which they are hashed: µs since 1970 (empty for no time that a clock shows), and details as
#: PostgreSQL writes jsonb.
EVENT_COLUMNS = (
    "e.id, CASE WHEN isfinite(e.at) THEN (extract(epoch FROM e.at) * 1000000)::bigint END, "
    "e.actor, e.action, e.subject, e.outcome, e.request, e.detail::text"
)
#: So long an event may be on its way into the trail while later ones are sealed.
SETTLED = timedelta(hours=1)
#: A time that no clock shows is none.
TIME = "CASE WHEN {0} > '0100-01-01+00' AND {0} < '9000-01-01+00' THEN {0} END"
#: From which number and from which time on events are looked for. A transaction that began before others may commit after them; numbers may
#: be moved away, and clocks put back: what lies before both was not written now, and the audit names it.
_BOUNDS = """
SELECT COALESCE((SELECT max(id) FROM ops.trail_sealed), 0) - 10000,
       COALESCE((SELECT max(at) FROM ops.trail_seal WHERE at <= clock_timestamp()), '1900-01-01+00'::timestamptz) - interval '1 hour'
"""
#: Two ranges of an index each, and of the list only what may be in them.
_UNSEALED = """
(SELECT e.* FROM ops.audit_event e WHERE e.id > %(number)s
    AND NOT EXISTS (SELECT FROM ops.trail_sealed s WHERE s.id = e.id AND s.id > %(number)s)
 UNION
 SELECT e.* FROM ops.audit_event e WHERE e.at > %(since)s AND NOT EXISTS (SELECT FROM ops.trail_sealed s WHERE s.id = e.id))
"""
#: Of one seal at most so many: what an upgrade finds does not fit into memory at once.
MOST_EVENTS = 50_000
#: A seal is made at least so often, of nothing if nothing happened: an event of a quiet night cannot be put in afterwards.
QUIET = timedelta(hours=1)
#: A seal that is not in the log after so long is made anew, so that its time is that of its entry.
STALE = timedelta(minutes=10)
_NEW = f"SELECT {EVENT_COLUMNS} FROM {_UNSEALED} e ORDER BY e.id LIMIT %(most)s"
_SEAL = """
INSERT INTO ops.trail_seal (uid, at, occurred_at, events, first, last, root, nonce) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING number
"""
_ENTERED = "EXISTS (SELECT FROM journal.leaf l WHERE l.uid = s.uid AND l.sender_id = %s)"
_TO_ENTER = f"""
SELECT number, uid, {TIME.format("at")}, {TIME.format("occurred_at")}, events, first, last, root, nonce FROM ops.trail_seal s
 WHERE entered_at IS NULL AND NOT {_ENTERED} ORDER BY number LIMIT 64
"""
_CONFIRM = (
    f"UPDATE ops.trail_seal s SET entered_at = clock_timestamp() WHERE entered_at IS NULL AND {_ENTERED}"
)
_DROP = f"DELETE FROM ops.trail_seal s WHERE number = %s AND NOT {_ENTERED}"
_MEMBERS = f"""
SELECT {EVENT_COLUMNS} FROM ops.trail_sealed s JOIN ops.audit_event e ON e.id = s.id WHERE s.seal = %s ORDER BY s.id
"""
#: Newest seal that is in the log; what waits for one, and whether it waits longer than a worker at work lets it.
_STANDING = f"""
SELECT s.number, s.at, encode(s.root, 'hex'), w.events, COALESCE(w.since < clock_timestamp() - %(stale)s, false)
  FROM (SELECT count(*) AS events, min(at) AS since FROM (
          SELECT e.at FROM {_UNSEALED} e
          UNION ALL
          SELECT e.at FROM ops.trail_seal w JOIN ops.trail_sealed m ON m.seal = w.number JOIN ops.audit_event e ON e.id = m.id
           WHERE w.entered_at IS NULL) e) w
  LEFT JOIN LATERAL (SELECT number, at, root FROM ops.trail_seal WHERE entered_at IS NOT NULL ORDER BY number DESC LIMIT 1) s ON true
"""


class Rows(Protocol):
    """A cursor, the driver's or Django's."""

    def execute(self, query: Any, parameters: Any = None, /) -> Any:
        """Ask."""

    def fetchone(self) -> Any:
        """The row that was asked for."""


def standing(cursor: Rows) -> tuple[Any, ...]:
    """(number, time and root of the newest seal in the log; how many events wait, whether too long)."""
    cursor.execute(_BOUNDS)
    number, since = cursor.fetchone()
    cursor.execute(_STANDING, {"number": number, "since": since, "stale": STALE})
    found: tuple[Any, ...] = cursor.fetchone()
    return found


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal as the database keeps it."""

    number: int
    uid: uuid.UUID
    #: By the database's clock, as the events are dated.
    at: datetime | None
    #: By the clock of the log.
    occurred_at: datetime | None
    events: int
    #: Smallest and largest number among them; 0 of a seal of nothing.
    first: int
    last: int
    root: bytes
    nonce: bytes

    def message(self, sender: str) -> TrailSealed:
        """What is entered for it: the same bytes whenever it is made, so that it is entered once."""
        assert self.at is not None
        assert self.occurred_at is not None
        return TrailSealed(
            v=1,
            uid=self.uid,
            sender=sender,
            occurred_at=self.occurred_at.astimezone(UTC),
            number=self.number,
            events=self.events,
            first=self.first,
            last=self.last,
            root=self.root.hex(),
            sealed_at=self.at.astimezone(UTC),
        )


def event_hash(row: Sequence[Any], nonce: bytes) -> bytes:
    """The leaf of one event, EVENT_COLUMNS in their order: RFC 6962's hash of the seal's nonce and of them as a JSON array."""
    return leaf_hash(nonce + msgspec.json.encode(list(row)))


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root over the leaves of a seal."""
    return Frontier.empty().append(list(hashes)).frontier.root()


def seal_new(
    conn: psycopg.Connection[Any], at: datetime, occurred_at: datetime, *, even_nothing: bool = False
) -> Seal | None:
    """Write down which events are sealed next, and what they are; None where there are no new ones, unless `even_nothing`. It is not in
    the log yet. Of two that do this at once the second finds the events taken and fails with a unique violation, having changed nothing."""
    with conn.transaction():
        nonce = secrets.token_bytes(16)
        bounds = conn.execute(_BOUNDS).fetchone()
        assert bounds is not None
        asked = {"number": bounds[0], "since": bounds[1], "most": MOST_EVENTS}
        events = [(row[0], event_hash(row, nonce)) for row in conn.execute(_NEW.encode(), asked).fetchall()]
        if not (events or even_nothing):
            return None
        first, last = (events[0][0], events[-1][0]) if events else (0, 0)
        told = (len(events), first, last, root_of(each for _, each in events), nonce)
        uid = new_uid(at)
        made = conn.execute(_SEAL, [uid, at, occurred_at, *told]).fetchone()
        assert made is not None
        with conn.cursor().copy("COPY ops.trail_sealed (id, seal, hash) FROM STDIN") as copy:
            for number, each in events:
                copy.write_row((number, made[0], each))
    return Seal(made[0], uid, at, occurred_at, *told)


def is_quiet(conn: psycopg.Connection[Any], at: datetime) -> bool:
    """Whether the newest seal is so old that the next one is made of nothing, too."""
    row = conn.execute(
        f"SELECT {TIME.format('at')} FROM ops.trail_seal ORDER BY number DESC LIMIT 1".encode()
    ).fetchone()
    return row is not None and (row[0] is None or abs(at - row[0]) >= QUIET)


def note_entered(conn: psycopg.Connection[Any], sender: bytes) -> None:
    """For the page, and so that they are looked at no more: the seals that stand in the log."""
    conn.execute(_CONFIRM.encode(), [sender])


def to_enter(conn: psycopg.Connection[Any], sender: bytes) -> list[Seal]:
    """Seals that are not in the log, in their order; `sender` (16 bytes) is who enters them."""
    return [Seal(*row) for row in conn.execute(_TO_ENTER.encode(), [sender]).fetchall()]


def fault_of(conn: psycopg.Connection[Any], seal: Seal, now: datetime) -> str:
    """Why a seal that waits may not be entered, empty where it may: it has to be of now, and of the events as they are. Nobody's row is
    signed unread."""
    if seal.at is None or seal.occurred_at is None or abs(now - seal.at) >= STALE:
        return "it waited too long, or says so"
    rows = conn.execute(_MEMBERS.encode(), [seal.number]).fetchall()
    first, last = (rows[0][0], rows[-1][0]) if rows else (0, 0)
    told = (len(rows), first, last, root_of(event_hash(row, seal.nonce) for row in rows))
    is_same = told == (seal.events, seal.first, seal.last, seal.root)
    return "" if is_same else "an event of it, or its row, was changed before it was entered"


def drop(conn: psycopg.Connection[Any], seal: Seal, sender: bytes) -> None:
    """Forget a seal that was never entered: its events wait for the next one."""
    conn.execute(_DROP.encode(), [seal.number, sender])
