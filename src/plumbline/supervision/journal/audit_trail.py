"""The audit trail against the log (审计记录的核对): every event as it was when it was sealed, none gone, none put in afterwards.

What is found: an event that was changed, deleted, or put in with a time of the past; a list of seals that was changed; a seal of which one
side knows nothing. What is not: an event that somebody deletes within the minute before it is sealed, and one put in with the present time,
which is a true record of a false statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import psycopg

from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.platform import TrailSealed
from plumbline.supervision.journal.audit_gaps import begin_long
from plumbline.supervision.journal.trail import EVENT_COLUMNS, event_hash, root_of

#: So long an event may be on its way into the trail while later ones are sealed; within it nobody can tell that it came afterwards.
SETTLED = timedelta(hours=1)
#: Of each kind of finding so many are named one by one.
MOST_NAMED = 20
_ENTRIES = """
SELECT l.epoch, l.idx, e.message FROM journal.entry e
  JOIN journal.leaf l ON l.uid = e.uid AND l.sender_id = e.sender_id
 WHERE position('"trail.sealed"'::bytea IN e.message) > 0 ORDER BY l.epoch, l.idx
"""
_SEALS = "SELECT number, uid::text, at, occurred_at, events, first, last, encode(root, 'hex') FROM ops.trail_seal ORDER BY number"
_SEALED = f"""
SELECT s.id, s.seal, s.hash, e.at, {EVENT_COLUMNS} FROM ops.trail_sealed s
  LEFT JOIN ops.audit_event e ON e.id = s.id ORDER BY s.seal, s.id
"""
_UNSEALED = """
SELECT e.id, e.at, e.actor, e.action FROM ops.audit_event e
 WHERE NOT EXISTS (SELECT FROM ops.trail_sealed s WHERE s.id = e.id) ORDER BY e.id
"""
_HASH_BYTES = 32
#: Of a row of _SEALED: (event, seal, hash as listed, time), then the event itself.
_OWN = 4


class _Seal(NamedTuple):
    """A row of ops.trail_seal."""

    number: int
    uid: str
    at: datetime
    occurred_at: datetime
    events: int
    first: int
    last: int
    root: str

    @property
    def told(self) -> tuple[object, ...]:
        """What its entry says of it, too."""
        return self.number, self.at, self.occurred_at, self.events, self.first, self.last, self.root


@dataclass(slots=True)
class _Found:
    """Sentences by kind: many of one kind are counted, not listed."""

    kinds: dict[str, list[str]] = field(default_factory=dict)

    def say(self, kind: str, sentence: str) -> None:
        """One finding."""
        self.kinds.setdefault(kind, []).append(sentence)

    def sentences(self) -> list[str]:
        """All of them, the first MOST_NAMED of each kind by name."""
        told = []
        for kind, each in self.kinds.items():
            told += each[:MOST_NAMED]
            if len(each) > MOST_NAMED:
                told.append(f"{kind}：还有 {len(each) - MOST_NAMED} 处")
        return told


def audit_trail(conninfo: str, notes: list[str] | None = None) -> list[str]:
    """What of the trail is not as it was sealed, one Chinese sentence each; `notes` takes how much was held against what."""
    with psycopg.connect(conninfo) as conn:
        begin_long(conn)
        return trail_problems(conn, notes)


def trail_problems(conn: psycopg.Connection[Any], notes: list[str] | None = None) -> list[str]:
    """The same in a transaction of the caller's."""
    found = _Found()
    conn.execute("SET LOCAL TimeZone = 'UTC'")
    entries = dict(_entries(conn, found))
    seals = {row[0]: _Seal(*row) for row in conn.execute(_SEALS).fetchall()}
    _hold_seals(entries, seals, found)
    events = _hold_events(conn, seals, {uid: each.root for uid, (_, each) in entries.items()}, found)
    waiting = _hold_unsealed(conn, seals, found)
    if notes is not None:
        notes.append(f"{events} 条审计记录、{len(entries)} 次封存核对过，{waiting} 条还没有封存")
    return found.sentences()


def _entries(conn: psycopg.Connection[Any], found: _Found) -> Iterator[tuple[str, tuple[int, TrailSealed]]]:
    """(uid, (index, what it says)) of every seal in the log."""
    for _, idx, data in conn.execute(_ENTRIES).fetchall():
        try:
            message = parse_message(bytes(data))
        except (msgspec.MsgspecError, ValueError):  # the audit of the log says so
            continue
        if isinstance(message, TrailSealed):
            yield str(message.uid), (idx, message)
        elif b'"kind":"trail.sealed"' in bytes(data):
            found.say("封存", f"日志第 {idx} 条说是审计记录封存，却读不出来")


def _hold_seals(
    entries: Mapping[str, tuple[int, TrailSealed]], seals: Mapping[int, _Seal], found: _Found
) -> None:
    """Every seal of the log is in the table as it was entered, and the other way round."""
    by_uid = {each.uid: each for each in seals.values()}
    for uid, (idx, message) in entries.items():
        seal = by_uid.get(uid)
        said = (
            message.number,
            message.sealed_at,
            message.occurred_at,
            message.events,
            message.first,
            message.last,
            message.root,
        )
        if seal is None:
            found.say("封存", f"第 {message.number} 次封存在日志第 {idx} 条，ops.trail_seal 里没有")
        elif seal.told != said:
            found.say("封存", f"第 {message.number} 次封存与日志第 {idx} 条所说的不同，ops.trail_seal 被改过")
    for seal in seals.values():
        # only the newest may be on its way: none is made while another waits
        if seal.uid not in entries and seal.number != max(seals):
            found.say("封存", f"ops.trail_seal 的第 {seal.number} 次封存，日志里没有")


def _hold_events(
    conn: psycopg.Connection[Any], seals: Mapping[int, _Seal], roots: Mapping[str, str], found: _Found
) -> int:
    """Every sealed event is as its hash says, and the hashes of a seal give the root that the log holds; how many events there are."""
    listed: dict[int, list[tuple[int, bytes]]] = {number: [] for number in seals}
    earlier = _since(seals)
    events = 0
    for row in conn.execute(_SEALED.encode()).fetchall():
        number, seal, listed_hash, at = row[:_OWN]
        own = bytes(listed_hash or b"")
        listed.setdefault(seal, []).append((number, own))
        if row[_OWN] is None:
            found.say("删去的", f"第 {number} 条审计记录被删去，它在第 {seal} 次封存里")
            continue
        events += 1
        if event_hash(row[_OWN:]) != own:
            who = f"{_told(at)} {row[_OWN + 2]} {row[_OWN + 3]}"
            found.say("改过的", f"第 {number} 条审计记录与第 {seal} 次封存时不同，现在是：{who}")
        if at is not None and seal in earlier and at < earlier[seal]:
            found.say("事后插入的", f"第 {number} 条审计记录写的时间 {_told(at)} 早已封存过，是事后插入的")
    for number, each in listed.items():
        known = seals.get(number)
        if known is None or not each:
            if known is not None:
                found.say("清单", f"第 {number} 次封存的清单没有了（ops.trail_sealed）")
            continue
        is_whole = all(len(one) == _HASH_BYTES for _, one in each)
        root = root_of(one for _, one in each).hex() if is_whole else ""
        told, entered = (len(each), each[0][0], each[-1][0], root), roots.get(known.uid, known.root)
        if told != (known.events, known.first, known.last, entered):
            found.say("清单", f"第 {number} 次封存的 {len(each)} 条与日志里的根不符：记录连同清单被改过")
    return events


def _since(seals: Mapping[int, _Seal]) -> dict[int, datetime]:
    """Seal → what it holds happened later than this; the first holds whatever was there. Where the clock was put back in between, the
    time of the later seal counts."""
    # one whose time was taken away is found elsewhere
    ordered: Sequence[_Seal] = [seals[number] for number in sorted(seals) if seals[number].at is not None]
    return {each.number: min(before.at, each.at) - SETTLED for before, each in pairwise(ordered)}


def _hold_unsealed(conn: psycopg.Connection[Any], seals: Mapping[int, _Seal], found: _Found) -> int:
    """What is not sealed is new by its number, or late by its time; how much there is of it. What is of the past and numbered as new is
    sealed within the minute, and found then."""
    rows = conn.execute(_UNSEALED).fetchall()
    newest = seals[max(seals)] if seals else None
    for number, at, actor, action in rows:
        if newest is None or number > (newest.last or 0):
            continue
        if at is None or (newest.at is not None and at < newest.at - SETTLED):
            told = f"第 {number} 条审计记录（{_told(at)} {actor} {action}）没有封存过"
            found.say("没有封存的", f"{told}：事后插入，或封存的清单被删")
    return len(rows)


def _told(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else "没有时间"
