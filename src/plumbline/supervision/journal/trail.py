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
from typing import Any

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
#: A transaction that began before others may commit after them. An event is looked for by its number and by its time: neither may be
#: moved away from under the other.
UNSEALED = """
NOT EXISTS (SELECT FROM ops.trail_sealed s WHERE s.id = e.id)
AND (e.id > (SELECT COALESCE(max(id), 0) FROM ops.trail_sealed) - 10000
     OR e.at > (SELECT COALESCE(max(at), '-infinity') FROM ops.trail_seal WHERE at <= clock_timestamp()) - interval '1 hour')
"""
#: Of one seal at most so many: what an upgrade finds does not fit into memory at once.
MOST_EVENTS = 50_000
#: A seal is made at least so often, of nothing if nothing happened: an event of a quiet night cannot be put in afterwards.
QUIET = timedelta(hours=1)
#: A seal that is not in the log after so long is made anew, so that its time is that of its entry.
STALE = timedelta(minutes=10)
_NEW = f"SELECT {EVENT_COLUMNS} FROM ops.audit_event e WHERE {UNSEALED} ORDER BY e.id LIMIT {MOST_EVENTS}"
_SEAL = """
INSERT INTO ops.trail_seal (uid, at, occurred_at, events, first, last, root, nonce) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING number
"""
_COLUMNS = "number, uid, at, occurred_at, events, first, last, root, nonce"
#: All before the newest few are in the log: none is made while another waits.
_TO_ENTER = f"""
SELECT {_COLUMNS} FROM (SELECT * FROM ops.trail_seal ORDER BY number DESC LIMIT 64) s
 WHERE NOT EXISTS (SELECT FROM journal.leaf l WHERE l.uid = s.uid AND l.sender_id = %s) ORDER BY number
"""
_MEMBERS = f"""
SELECT {EVENT_COLUMNS} FROM ops.trail_sealed s JOIN ops.audit_event e ON e.id = s.id WHERE s.seal = %s ORDER BY s.id
"""

#: Newest seal that is in the log; what waits for one, and whether it waits longer than a worker at work lets it.
STANDING = f"""
SELECT s.number, s.at, encode(s.root, 'hex'), w.events, COALESCE(w.since < clock_timestamp() - %s, false)
  FROM (SELECT count(*) AS events, min(at) AS since FROM (
          SELECT e.at FROM ops.audit_event e WHERE {UNSEALED}
          UNION ALL
          SELECT e.at FROM ops.trail_seal w JOIN ops.trail_sealed m ON m.seal = w.number JOIN ops.audit_event e ON e.id = m.id
           WHERE w.entered_at IS NULL) e) w
  LEFT JOIN LATERAL (SELECT number, at, root FROM ops.trail_seal WHERE entered_at IS NOT NULL ORDER BY number DESC LIMIT 1) s ON true
"""


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal as the database keeps it."""

    number: int
    uid: uuid.UUID
    #: By the database's clock, as the events are dated.
    at: datetime
    #: By the clock of the log.
    occurred_at: datetime
    events: int
    #: Smallest and largest number among them; 0 of a seal of nothing.
    first: int
    last: int
    root: bytes
    nonce: bytes

    def message(self, sender: str) -> TrailSealed:
        """What is entered for it: the same bytes whenever it is made, so that it is entered once."""
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
        events = [(row[0], event_hash(row, nonce)) for row in conn.execute(_NEW.encode()).fetchall()]
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
    row = conn.execute("SELECT at FROM ops.trail_seal ORDER BY number DESC LIMIT 1").fetchone()
    return row is not None and abs(at - row[0]) >= QUIET


def to_enter(conn: psycopg.Connection[Any], sender: bytes) -> list[Seal]:
    """Seals that are not in the log, in their order; `sender` (16 bytes) is who enters them."""
    return [Seal(*row) for row in conn.execute(_TO_ENTER.encode(), [sender]).fetchall()]


def is_sound(conn: psycopg.Connection[Any], seal: Seal, now: datetime) -> bool:
    """Whether a seal that waits may be entered: it is of now, and of the events as they are. Nobody's row is signed unread."""
    rows = conn.execute(_MEMBERS.encode(), [seal.number]).fetchall()
    told = (
        len(rows),
        rows[0][0] if rows else 0,
        rows[-1][0] if rows else 0,
        root_of(event_hash(row, seal.nonce) for row in rows),
    )
    return abs(now - seal.at) < STALE and told == (seal.events, seal.first, seal.last, seal.root)


def drop(conn: psycopg.Connection[Any], seal: Seal) -> None:
    """Forget a seal that was never entered: its events wait for the next one."""
    conn.execute("DELETE FROM ops.trail_seal WHERE number = %s", [seal.number])


def note_entered(conn: psycopg.Connection[Any], seal: Seal) -> None:
    """For the page: it stands in the log."""
    conn.execute("UPDATE ops.trail_seal SET entered_at = clock_timestamp() WHERE number = %s", [seal.number])
