"""The projector (投影进程): reads leaves after its position and writes sets of 500 entries; one is active, others stand by.

An entry that fails parks its keys; a later entry that names, reads or changes a parked object is parked too, so that nothing is
built on a gap. Position
and rows are written in one transaction (`SELECT … FOR UPDATE NOWAIT`, `UPDATE … WHERE pos = old`), so each entry counts once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any

import psycopg
from psycopg import errors, sql

from plumbline.evidence.position import EPOCH_SPAN, place_of, position_of
from plumbline.exchange.messages.custody import CommissionPlaced
from plumbline.exchange.messages.header import Message
from plumbline.exchange.signatures import SYMMETRIC
from plumbline.exchange.submission import Envelope
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.projection.ahead import Ahead, Wanted
from plumbline.supervision.projection.arrival import Arrival, NotTakenOver, Projection
from plumbline.supervision.projection.entries import Entry, connect, entries_at, next_entries
from plumbline.supervision.projection.facts import FactState, WaitsForParked
from plumbline.supervision.projection.handlers import handler_of
from plumbline.supervision.projection.lapsed import find_lapsed_keys
from plumbline.supervision.projection.parking import follow_ups
from plumbline.supervision.projection.reads import parking_keys
from plumbline.supervision.projection.schema import LIVE
from plumbline.supervision.projection.sending import forget
from plumbline.supervision.projection.tables import TABLES

SET_SIZE = 500
#: After so many entries the server is given the first rows to write.
PART = 100
#: After so many, what is on its way between projector and server is brought on.
OFTEN = 8
#: A set costs as much as some dozens of entries: after one of fewer the next may gather a little.
FEW = 64
#: How long it may gather while entries keep coming, at least and at most; far below what a page or a sender waits for.
GATHER_S, LONGEST_GATHER_S = 0.05, 0.15
CHANNEL = "plumb_projected"
#: No log grows that long: the bound of an unbounded projection.
END = 2**62
_log = logging.getLogger("plumbline.projector")
#: An epoch is left only when all that was kept of it is projected.
_FOLLOWING = "SELECT max(epoch) FROM journal.epoch WHERE kept_epoch = %s AND kept_size = %s"


def gathering_s(took_s: float) -> float:
    """How long entries may gather after a round that took so long: the busier the machine, the more go into the next one."""
    return min(LONGEST_GATHER_S, max(GATHER_S, took_s))


class StandingBy(Exception):
    """Another projector holds the position."""


class Projector:
    """Projects into one schema; `step` does one set and says how many entries it held."""

    def __init__(
        self, conninfo: str, schema: str = LIVE, *, set_size: int = SET_SIZE, until: int = END
    ) -> None:
        """`until`: the first index that is not projected, for a comparison as of one position."""
        self.until = until
        self._conninfo = conninfo
        self._schema = schema
        self._set_size = set_size
        self._conn: psycopg.Connection | None = None
        self._ahead = Ahead(conninfo)

    def close(self) -> None:
        """Drop the connections."""
        self._ahead.close()
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def connection(self) -> psycopg.Connection:
        """The projector's own, opened anew when it is gone."""
        if self._conn is None or self._conn.closed:
            self._conn = connect(self._conninfo)
            # Three statements a table; the usual hundred would be prepared and forgotten in turn.
            self._conn.prepared_max = 4 * len(TABLES)
        return self._conn

    def step(self) -> int:
        """Project the next set; 0 when there is nothing new. Raises :class:`StandingBy` when another one is active."""
        try:
            return self._step(project_set)
        except (errors.DataError, errors.IntegrityError, errors.InvalidSqlStatementName):
            # Nothing of it was kept. The same entries once more, with a savepoint for each part that is tried.
            return self._step(write_set)

    def _step(self, write: Callable[[psycopg.Connection, str, list[Entry], Ahead], None]) -> int:
        conn = self.connection()
        try:
            return self._in_transaction(conn, write)
        except BaseException:
            forget(conn)
            raise

    def _in_transaction(
        self, conn: psycopg.Connection, write: Callable[[psycopg.Connection, str, list[Entry], Ahead], None]
    ) -> int:
        with conn.transaction():
            epoch, pos = self._lock_position(conn)
            entries = self._next(conn, epoch, place_of(pos)[1])
            if not entries and (following := self._following(conn, epoch, place_of(pos)[1])):
                epoch = following
                entries = self._next(conn, epoch, 0)
            if not entries:
                return 0
            write(conn, self._schema, entries, self._ahead)
            hit("project.after_rows")
            moved = conn.execute(_moved(self._schema), [epoch, entries[-1].idx + 1, pos])
            if moved.rowcount != 1:
                raise RuntimeError("the position moved under its lock")
            hit("project.before_commit")
        hit("project.after_commit")
        return len(entries)

    def _next(self, conn: psycopg.Connection, epoch: int, index: int) -> list[Entry]:
        """The next entries of an epoch from `index` on, below `until`; when there were many, those after them are read meanwhile."""
        end, most = min(self.until - position_of(epoch, 0), EPOCH_SPAN), self._set_size
        entries = self._ahead.take(epoch, index, end) or next_entries(conn, epoch, index, end, most)
        if len(entries) >= most:
            self._ahead.begin(Wanted(epoch, index + len(entries), end, most))
        return entries

    def _is_due(self) -> bool:
        """Whether the log has more than the position says, or a later epoch; the set itself looks closer, under its lock."""
        row = self.connection().execute(_due(self._schema)).fetchone()
        return bool(row and row[0])

    @staticmethod
    def _following(conn: psycopg.Connection, epoch: int, size: int) -> int | None:
        """The epoch that continues `epoch` after its first `size` entries, which are all that was kept of it."""
        row = conn.execute(_FOLLOWING, [epoch, size]).fetchone()
        return row[0] if row else None

    def _lock_position(self, conn: psycopg.Connection) -> tuple[int, int]:
        table = sql.Identifier(self._schema, "position")
        try:
            row = conn.execute(
                sql.SQL("SELECT epoch, pos FROM {} WHERE id = 'projector' FOR UPDATE NOWAIT").format(table)
            ).fetchone()
        except errors.LockNotAvailable:
            raise StandingBy from None
        assert row is not None
        return row[0], row[1]

    def catch_up(self) -> int:
        """Project until nothing is left; returns how many entries."""
        total = 0
        while done := self.step():
            total += done
        return total

    def run(self, stop: Callable[[], bool], *, idle_s: float = 0.02) -> None:
        """Until `stop`: project, and wait a little when there was little, so that more come together in the next set; survives a
        lost database."""
        done = 1
        while not stop():
            began = time.monotonic()
            try:
                # After a look in vain one small question tells whether there is anything to lock the position for.
                done = self.step() if done or self._is_due() else 0
                if done < FEW:
                    time.sleep(gathering_s(time.monotonic() - began) if done else idle_s)
            except StandingBy:
                # A question half answered would hold the server's oldest snapshot for as long as the other one is active.
                self._ahead.close()
                done = 1
                time.sleep(1)
            except psycopg.Error as error:
                _log.warning("database lost, trying again: %s", type(error).__name__)
                self.close()
                time.sleep(0.5)


@cache
def _due(schema: str) -> bytes:
    """Asks for a leaf behind the position and for an epoch that continues its own.

    By the last leaf, which is one look into the index at any size; for EXISTS with a range the planner goes through all leaves.
    """
    asked = (
        "SELECT coalesce((SELECT max(idx) FROM journal.leaf WHERE epoch = p.epoch) >= p.pos - (p.epoch - 1) * {}::bigint, false) "
        "OR EXISTS (SELECT 1 FROM journal.epoch WHERE kept_epoch = p.epoch) FROM {} p WHERE p.id = 'projector'"
    )
    table = sql.Identifier(schema, "position")
    return sql.SQL(asked).format(sql.Literal(EPOCH_SPAN), table).as_bytes(None)


@cache
def _moved(schema: str) -> bytes:
    """UPDATE of the position; where pages and senders wait for it, whoever listens is told on the same trip."""
    told = f" RETURNING pg_notify('{CHANNEL}', (pos - 1)::text)" if schema == LIVE else ""
    update = "UPDATE {} SET epoch = %s, pos = %s WHERE id = 'projector' AND pos = %s" + told
    return sql.SQL(update).format(sql.Identifier(schema, "position")).as_bytes(None)


def _attestation(state: FactState, entry: Entry, envelope: Envelope) -> str:
    """What proves who sent this: origin (asymmetric origin signature), transport, hmac, session or internal."""
    if envelope.channel != "http":
        return envelope.channel
    if envelope.origin:
        return "origin"
    key = state.get("key", entry.key_id)
    return "hmac" if key and key["algorithm"] in SYMMETRIC else "transport"


def project_set(
    conn: psycopg.Connection,
    schema: str,
    entries: list[Entry],
    ahead: Ahead | None = None,
    *,
    again: bool = False,
) -> None:
    """Project a set and write its rows inside the caller's transaction; what was asked for `ahead` is opened while the server writes."""
    state = FactState(conn, schema, again=again)
    try:
        _project_set(state, entries, ahead.bring_on if ahead else None)
        state.flush(ahead.open if ahead else None)
    except BaseException:
        state.abandon()
        raise


def write_set(conn: psycopg.Connection, schema: str, entries: list[Entry], _: Ahead | None = None) -> None:
    """Project and write a set inside the caller's transaction; a set that the database refuses is halved.

    What is left over is one entry whose rows cannot be stored (a number beyond its column, a month without
    partition): it is parked like one whose handler fails, so that it never holds up the others.
    """
    try:
        with conn.transaction():
            project_set(conn, schema, entries, again=True)
    except (errors.DataError, errors.IntegrityError) as error:
        if len(entries) > 1:
            middle = len(entries) // 2
            write_set(conn, schema, entries[:middle])
            write_set(conn, schema, entries[middle:])
            return
        _log.error("entry %s is parked: the database refused its rows (%s)", entries[0].idx, error.sqlstate)
        with conn.transaction():
            state = FactState(conn, schema, again=True)
            _park_unwritable(state, entries[0], error)
            state.flush()


def _park_unwritable(state: FactState, entry: Entry, error: psycopg.Error) -> None:
    # The database's own text may repeat the value, so only its class and code are kept.
    why = f"{type(error).__name__}: 数据库拒绝写入（{error.sqlstate}）"
    if entry.message is None or entry.envelope is None:
        _park_unreadable(state, entry)
    else:
        _park(state, _arrival(state, entry, entry.message, entry.envelope), why)


def _arrival(state: FactState, entry: Entry, message: Message, envelope: Envelope) -> Arrival:
    return Arrival(
        entry=entry.name,
        idx=entry.idx,
        uid=entry.uid,
        sender=entry.sender_id.hex(),
        key_id=entry.key_id,
        attestation=_attestation(state, entry, envelope),
        arrived_at=entry.arrived_at,
        logged_at=entry.logged_at,
        message=message,
        origin_keys=tuple(each.key_id for each in envelope.origin),
        body=entry.body,
        curves=entry.curves,
    )


def _park_unreadable(state: FactState, entry: Entry) -> None:
    """Park an entry whose message cannot be read; it creates an object of its own id at most."""
    state.put(
        "parked", str(entry.idx), {"idx": entry.idx, "keys": [entry.name], "error": "本版本读不懂这条消息"}
    )
    state.park(entry.name, entry.idx)


def _project_set(state: FactState, entries: list[Entry], bring_on: Callable[[], None] | None) -> None:
    # A set asks for the same keys, parties and projects over and over.
    wanted = dict.fromkeys(chain.from_iterable(entry.asks for entry in entries))
    state.preload(wanted)
    state.preload([*_witnessings(state, [entry.message for entry in entries]), *_behind(state, wanted)])
    for number, entry in enumerate(entries):
        if number and number % PART == 0:
            state.flush_early()
        if number % OFTEN == 0:
            state.pump()
            if bring_on is not None:
                bring_on()
        if entry.message is None or entry.envelope is None:
            _log.error("entry %s is parked: its message cannot be read", entry.idx)
            _park_unreadable(state, entry)
        else:
            project_one(state, _arrival(state, entry, entry.message, entry.envelope))


def _witnessings(state: FactState, messages: list[Message | None]) -> Iterator[tuple[str, str | None]]:
    """Who witnessed the samples that are commissioned: known only when the samples are loaded."""
    for message in messages:
        if isinstance(message, CommissionPlaced):
            rows = [state.peek("sample", each) for each in message.samples]
            yield from (("witnessing", row["witnessing"]) for row in rows if row)


def _behind(state: FactState, wanted: Iterable[tuple[str, str | None]]) -> Iterator[tuple[str, str | None]]:
    """What the rows of the first look lie in: nearly every handler asks for the project of what it is about."""
    for table, key in wanted:
        row = state.peek(table, key) if key else None
        if row is not None:
            yield from ((name, row[name]) for name in ("project", "application") if row.get(name))


def project_one(state: FactState, arrival: Arrival) -> bool:
    """Project one entry. True when it went well.

    An entry that fails, or that touches what a parked one may still change, is taken back and parked. One that
    may not change what it means to change leaves its finding and its event.
    """
    state.begin_entry()
    try:
        subject = _handled(state, arrival)
    except psycopg.Error:
        raise
    except WaitsForParked as waits:
        state.rollback_entry()
        state.end_entry()
        _park(state, arrival, f"等待 {waits.key} 处理完")
        return False
    except Exception as error:
        state.rollback_entry()
        state.end_entry()
        _log.exception("entry %s (%s) is parked", arrival.idx, arrival.kind)
        _park(state, arrival, f"{type(error).__name__}: {error}")
        return False
    state.end_entry()
    state.put("event", arrival.entry, _event(arrival, subject))
    return True


def _handled(state: FactState, arrival: Arrival) -> str:
    """Let the handler do its work; returns the object that the entry is about."""
    if state.parked:
        for key in (f"key:{arrival.key_id}", *parking_keys(arrival.entry, arrival.message)):
            if key in state.parked:
                raise WaitsForParked(key)
    projection = Projection(state, arrival)
    # Before the handler: the entry that revokes a key is still signed by whatever was good until then.
    find_lapsed_keys(projection)
    try:
        return handler_of(arrival.kind)(projection)
    except NotTakenOver as refusal:
        state.rollback_entry()
        find_lapsed_keys(projection)
        projection.find(refusal.finding, refusal.subject_kind, arrival.entry, refusal.institution)
        return arrival.entry


def _event(arrival: Arrival, subject: str | None) -> dict[str, Any]:
    return {
        "idx": arrival.idx,
        "kind": arrival.kind,
        "sender": arrival.sender,
        "uid": arrival.uid,
        "key_id": arrival.key_id,
        "attestation": arrival.attestation,
        "occurred_at": arrival.message.occurred_at,
        "arrived_at": arrival.arrived_at,
        "logged_at": arrival.logged_at,
        "subject": subject,
    }


def _park(state: FactState, arrival: Arrival, error: str) -> None:
    keys = [*parking_keys(arrival.entry, arrival.message), *follow_ups(state, arrival.message)]
    state.put("parked", str(arrival.idx), {"idx": arrival.idx, "keys": keys, "error": error[:500]})
    for key in keys:
        state.park(key, arrival.idx)
    state.put("event", arrival.entry, _event(arrival, None))


def reproject(conninfo: str) -> tuple[int, int]:
    """Replay parked entries by index in one transaction; returns (how many went well, how many stay
    parked)."""
    with psycopg.connect(conninfo) as conn:
        conn.execute(
            sql.SQL("SELECT epoch FROM {} WHERE id = 'projector' FOR UPDATE").format(
                sql.Identifier(LIVE, "position")
            )
        )
        indexes = [row[0] for row in conn.execute("SELECT idx FROM fact.parked ORDER BY idx").fetchall()]
        epochs, places = ([place_of(each)[half] for each in indexes] for half in (0, 1))
        entries = entries_at(conn, epochs, places)
        conn.execute("DELETE FROM fact.parked")
        conn.execute("DELETE FROM fact.parked_key")
        conn.execute("DELETE FROM fact.event WHERE idx = ANY(%s)", [indexes])
        if entries:
            write_set(conn, LIVE, entries)
        row = conn.execute("SELECT count(*) FROM fact.parked").fetchone()
        left = row[0] if row else 0
    return len(indexes) - left, left
