"""The audit trail bound to the log (审计记录封存): what nobody may change unseen, whoever holds the database.

Events of the trail are rows, not entries. Once a minute the worker seals those that are new: their hashes are put into a tree of RFC 6962,
and its root is entered in the log. The rows beside it (`ops.trail_seal`, `ops.trail_sealed`) are no evidence, the entry is; they say which
event belongs to which seal, and which one is not as it was.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg

from plumbline.evidence.leaf import leaf_hash
from plumbline.evidence.tree import Frontier
from plumbline.exchange.messages.platform import TrailSealed
from plumbline.exchange.uids import new_uid

#: Columns of an event in the order in which they are hashed; µs since 1970, and details as PostgreSQL writes jsonb.
EVENT_COLUMNS = "e.id, (extract(epoch FROM e.at) * 1000000)::bigint, e.actor, e.action, e.subject, e.outcome, e.request, e.detail::text"
#: A transaction that began before others may commit after them: its events are looked for so far behind the newest that was sealed.
LATE_IDS = 10_000
_FLOOR = f"SELECT COALESCE(max(id), 0) - {LATE_IDS} FROM ops.trail_sealed"
#: The floor on both sides: neither table is read from its beginning.
_NEW = f"""
SELECT {EVENT_COLUMNS} FROM ops.audit_event e
 WHERE e.id > %(floor)s AND NOT EXISTS (SELECT FROM ops.trail_sealed s WHERE s.id = e.id AND s.id > %(floor)s) ORDER BY e.id
"""
_SEAL = """
INSERT INTO ops.trail_seal (uid, at, occurred_at, events, first, last, root) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING number
"""
_COLUMNS = "number, uid, at, occurred_at, events, first, last, root"
#: All before the newest are in the log: none is made while another waits. A few more are looked at than can be missing.
_TO_ENTER = f"""
SELECT {_COLUMNS} FROM (SELECT * FROM ops.trail_seal ORDER BY number DESC LIMIT 16) s
 WHERE NOT EXISTS (SELECT FROM journal.leaf l WHERE l.uid = s.uid AND l.sender_id = %s) ORDER BY number
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
    #: Smallest and largest number among them.
    first: int
    last: int
    root: bytes

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


def event_hash(row: Sequence[Any]) -> bytes:
    """The leaf of one event, EVENT_COLUMNS in their order: RFC 6962's hash of them as a JSON array."""
    return leaf_hash(msgspec.json.encode(list(row)))


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root over the leaves of a seal."""
    return Frontier.empty().append(list(hashes)).frontier.root()


def seal_new(conn: psycopg.Connection[Any], at: datetime, occurred_at: datetime) -> Seal | None:
    """Write down which events are sealed next, and what they are; None where there are no new ones. It is not in the log yet.

    Two that do this at once: the second finds the events taken and fails with a unique violation, having changed nothing.
    """
    with conn.transaction():
        floor = conn.execute(_FLOOR.encode()).fetchone()
        assert floor is not None
        new = conn.execute(_NEW.encode(), {"floor": floor[0]}).fetchall()
        events = [(row[0], event_hash(row)) for row in new]
        if not events:
            return None
        told = (len(events), events[0][0], events[-1][0], root_of(each for _, each in events))
        uid = new_uid(at)
        made = conn.execute(_SEAL, [uid, at, occurred_at, *told]).fetchone()
        assert made is not None
        with conn.cursor().copy("COPY ops.trail_sealed (id, seal, hash) FROM STDIN") as copy:
            for number, each in events:
                copy.write_row((number, made[0], each))
    return Seal(made[0], uid, at, occurred_at, *told)


def to_enter(conn: psycopg.Connection[Any], sender: bytes) -> list[Seal]:
    """Seals that are not in the log, in their order; `sender` (16 bytes) is who enters them."""
    return [Seal(*row) for row in conn.execute(_TO_ENTER.encode(), [sender]).fetchall()]
