"""The audit trail against the log (审计记录的核对): every event as it was when it was sealed, none gone, none put in afterwards.

It believes what the journal says of the seals: that nobody changed the journal is for the audit of the log, which goes before it.

What is found: an event that was changed, deleted, or put in with a time at which nobody wrote it; a list of seals that was changed; a seal
of which one side knows nothing, or that was entered at another time than it says. What is not: an event that somebody deletes before it
is sealed, and one put in with the present time, which is a true record of a false statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import psycopg

from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.platform import TrailSealed
from plumbline.supervision.journal import trail
from plumbline.supervision.journal.audit_gaps import begin_long
from plumbline.supervision.journal.trail import EVENT_COLUMNS, SETTLED, STALE, TIME, event_hash, root_of

#: Of each kind of finding so many are named one by one.
MOST_NAMED = 20
#: The platform's own entries: whoever opened the log sends them.
_ENTRIES = """
SELECT l.idx, l.logged_at, e.message FROM journal.entry e
  JOIN journal.leaf l ON l.uid = e.uid AND l.sender_id = e.sender_id
 WHERE e.sender_id = (SELECT sender_id FROM journal.leaf WHERE epoch = 1 AND idx = 0)
   AND position('"trail.sealed"'::bytea IN e.message) > 0 ORDER BY l.epoch, l.idx
"""
_SEALS = f"""
SELECT number, uid::text, {TIME.format("at")}, {TIME.format("occurred_at")}, events, first, last, encode(root, 'hex'), nonce
  FROM ops.trail_seal ORDER BY number
"""
_SEALED = f"""
SELECT s.id, s.seal, s.hash, {TIME.format("e.at")}, {EVENT_COLUMNS} FROM ops.trail_sealed s
  LEFT JOIN ops.audit_event e ON e.id = s.id ORDER BY s.seal, s.id
"""
#: What stands in the list of a seal that is not in the log, is not sealed.
_UNSEALED = f"""
SELECT e.id, {TIME.format("e.at")}, e.actor, e.action FROM ops.audit_event e
 WHERE NOT EXISTS (SELECT FROM ops.trail_sealed s WHERE s.id = e.id AND s.seal <> ALL (%s)) ORDER BY e.id
"""
#: A row of _SEALED begins with (event, seal, hash as listed, time); then the event itself.
_OWN = 4
_HASH_BYTES = 32
_AT_ONCE = 2000


class _Seal(NamedTuple):
    """A row of ops.trail_seal."""

    number: int
    uid: str
    at: datetime | None
    occurred_at: datetime | None
    events: int
    first: int
    last: int
    root: str
    nonce: bytes | None

    @property
    def told(self) -> tuple[object, ...]:
        """What its entry says of it, too."""
        return self.number, self.at, self.occurred_at, self.events, self.first, self.last, self.root


class _Entered(NamedTuple):
    """A seal as the log holds it."""

    idx: int
    logged_at: datetime | None
    message: TrailSealed
    #: What it holds was written between these; None for the first seals, which hold whatever was there.
    span: tuple[datetime, datetime] | None


class _Held(NamedTuple):
    """A row of ops.trail_seal with the entry that holds it."""

    seal: _Seal
    entry: _Entered


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
    entries = _entries(conn, found)
    seals = [_Seal(*row) for row in conn.execute(_SEALS.encode()).fetchall()]
    held = _hold_seals(entries, seals, found, is_demo=_is_demo(conn))
    events, others = _hold_events(conn, held, found)
    waiting = _hold_unsealed(conn, entries, others, found)
    if notes is not None:
        notes.append(f"{events} 条审计记录、{len(entries)} 次封存核对过，{waiting}")
    return found.sentences()


def _is_demo(conn: psycopg.Connection[Any]) -> bool:
    """Whether the log's clock is not the host's."""
    row = conn.execute("SELECT origin LIKE 'demo.%' FROM journal.head").fetchone()
    return bool(row and row[0])


def _entries(conn: psycopg.Connection[Any], found: _Found) -> list[_Entered]:
    """Every seal in the log, in its order. What a seal holds was written since the seal before it; one that follows full ones, as after an
    upgrade, goes on with what was there before them. Where the clock was put back in between, the time of the later one counts."""
    entered: list[_Entered] = []
    before: datetime | None = None
    for idx, logged_at, data in conn.execute(_ENTRIES).fetchall():
        try:
            message = parse_message(bytes(data))
        except (msgspec.MsgspecError, ValueError):
            found.say("封存", f"日志第 {idx} 条说是审计记录封存，却读不出来")
            continue
        if not isinstance(message, TrailSealed):
            continue
        if entered and entered[-1].message.events < trail.MOST_EVENTS:
            before = entered[-1].message.sealed_at
        at = message.sealed_at
        span = (min(before, at) - SETTLED, at + SETTLED) if before is not None else None
        entered.append(_Entered(idx, logged_at, message, span))
    return entered


def _hold_seals(
    entries: Sequence[_Entered], seals: Sequence[_Seal], found: _Found, *, is_demo: bool
) -> dict[int, _Held]:
    """Every seal of the log is in the table as it was entered; those that are, by their number in the table. One that is in the table alone
    is on its way, or nothing: the log does not hold it."""
    by_uid: dict[str, list[_Seal]] = {}
    for each in seals:
        by_uid.setdefault(each.uid, []).append(each)
    held: dict[int, _Held] = {}
    for entry in entries:
        m, idx = entry.message, entry.idx
        rows = by_uid.get(str(m.uid), [])
        said = (m.number, m.sealed_at, m.occurred_at, m.events, m.first, m.last, m.root)
        seal = next((each for each in rows if each.told == said), rows[0] if rows else None)
        for each in rows:
            if each is not seal:
                found.say("封存", f"ops.trail_seal 的第 {each.number} 次封存是照抄第 {m.number} 次的")
        if seal is None:
            found.say("封存", f"第 {m.number} 次封存在日志第 {idx} 条，ops.trail_seal 里没有")
        else:
            held[seal.number] = _Held(seal, entry)
            if seal.told != said:
                found.say("封存", f"第 {m.number} 次封存与日志第 {idx} 条所说的不同，ops.trail_seal 被改过")
        if not is_demo and entry.logged_at is not None and abs(entry.logged_at - m.sealed_at) > SETTLED:
            told = f"第 {m.number} 次封存写的时间是 {_told(m.sealed_at)}，入账却在 {_told(entry.logged_at)}"
            found.say("封存", f"{told}（日志第 {idx} 条）：封存的行是事后做的")
    return held


def _hold_events(
    conn: psycopg.Connection[Any], held: Mapping[int, _Held], found: _Found
) -> tuple[int, list[int]]:
    """Every sealed event is as its hash says, and the hashes of a seal give the root that the log holds; how many events there are, and
    the numbers of lists that belong to no seal of the log."""
    events, left, others = 0, set(held), list[int]()
    with conn.cursor(name="sealed") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(_SEALED.encode())
        for number, rows in groupby(cursor, key=lambda row: row[1]):
            seal = held.get(number)
            if seal is None:
                others.append(number)
                continue
            listed: list[tuple[int, bytes]] = []
            for row in rows:
                listed.append((row[0], bytes(row[2] or b"")))
                events += row[_OWN] is not None
                _hold_event(row, seal, found)
            left.discard(number)
            _hold_list(seal, listed, found)
    for number in sorted(left):
        _hold_list(held[number], [], found)
    return events, others


def _hold_event(row: Sequence[Any], held: _Held, found: _Found) -> None:
    number, _, listed, at = row[:_OWN]
    sealed_in, span = held.entry.message.number, held.entry.span
    if row[_OWN] is None:
        found.say("删去的", f"第 {number} 条审计记录被删去，它在第 {sealed_in} 次封存里")
        return
    if event_hash(row[_OWN:], bytes(held.seal.nonce or b"")) != bytes(listed or b""):
        who = f"{_told(at)} {row[_OWN + 2]} {row[_OWN + 3]}"
        found.say("改过的", f"第 {number} 条审计记录与第 {sealed_in} 次封存时不同，现在是：{who}")
    if span is not None and at is not None and not span[0] <= at <= span[1]:
        told = f"第 {number} 条审计记录写的时间是 {_told(at)}，却是到第 {sealed_in} 次封存时才有的"
        found.say("时间不对的", f"{told}：事后插入，或写它时数据库的时钟走错")


def _hold_list(held: _Held, listed: Sequence[tuple[int, bytes]], found: _Found) -> None:
    m = held.entry.message
    if m.events and not listed:
        found.say("清单", f"第 {m.number} 次封存的清单没有了（ops.trail_sealed）")
        return
    is_whole = all(len(each) == _HASH_BYTES for _, each in listed)
    root = root_of(each for _, each in listed).hex() if is_whole else ""
    first, last = (listed[0][0], listed[-1][0]) if listed else (0, 0)
    if (len(listed), first, last, root) != (m.events, m.first, m.last, m.root):
        found.say("清单", f"第 {m.number} 次封存的 {len(listed)} 条与日志里的根不符：记录连同清单被改过")


def _hold_unsealed(
    conn: psycopg.Connection[Any], entries: Sequence[_Entered], others: list[int], found: _Found
) -> str:
    """What is not sealed came after the newest seal, or is late by less than an hour; how much there is of it, in words."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    newest = entries[-1].message if entries else None
    # behind full seals there is more of the past to come
    is_settled = newest is not None and newest.events < trail.MOST_EVENTS
    earliest = min(newest.sealed_at, row[0]) - SETTLED if newest is not None and is_settled else None
    waiting: list[datetime] = []
    for number, at, actor, action in conn.execute(_UNSEALED.encode(), [others]).fetchall():
        told = f"第 {number} 条审计记录（{_told(at)} {actor} {action}）没有封存过"
        if at is None or number is None:
            found.say("没有封存的", f"{told}：没有序号，或没有钟会写的时间")
        elif earliest is not None and at < earliest:
            found.say("没有封存的", f"{told}：事后插入，或封存的清单被删")
        else:
            waiting.append(at)
    told = f"{len(waiting)} 条还没有封存"
    if waiting and row[0] - min(waiting) > STALE:
        told += (
            f"，最早的在 {_told(min(waiting))}：后台进程没有运行，或有人拦住了封存；封存以前删去的看不出来"
        )
    return told


def _told(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else "没有时间"
