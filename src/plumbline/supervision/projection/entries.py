"""Entries as the projector takes them (待投影的入账): rows of the journal, opened, with all that follows from an entry alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from plumbline.evidence.leaf import entry_id
from plumbline.evidence.position import position_of
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.testing import RunRecorded
from plumbline.exchange.submission import Envelope, decode_envelope
from plumbline.supervision.projection.arrival import day_of
from plumbline.supervision.projection.curve_rows import curve_rows, without_points
from plumbline.supervision.projection.reads import reads
from plumbline.supervision.projection.table import Row

_SELECT = """
SELECT l.epoch, l.idx, l.uid, l.sender_id, l.logged_at, e.key_id, e.envelope, e.message, e.arrived_at
  FROM journal.leaf l JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id"""
NEXT = f"{_SELECT} WHERE l.epoch = %s AND l.idx >= %s AND l.idx < %s ORDER BY l.idx LIMIT %s"
_PARKED = (
    f"{_SELECT} JOIN unnest(%s::int[], %s::bigint[]) w(epoch, idx) "
    "ON w.epoch = l.epoch AND w.idx = l.idx ORDER BY l.epoch, l.idx"
)

_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"{}")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal, and what can be said of it without looking at any other."""

    #: Position in the whole log, through all epochs.
    idx: int
    uid: Any
    sender_id: bytes
    logged_at: datetime
    key_id: str
    arrived_at: datetime
    #: The entry's name, in hex.
    name: str
    #: Neither where this version cannot read the message (an entry of a newer one).
    message: Message | None
    envelope: Envelope | None
    #: The message as JSON, curves without their points; empty where it cannot be read.
    body: msgspec.Raw = _NOTHING
    #: (table, key) of the rows that projecting it will ask for first.
    asks: Sequence[tuple[str, str | None]] = ()
    #: Rows of a test's curves; None where there is no test, or where packing them fails, which its handler then does again.
    curves: dict[str, Row] | None = None

    @classmethod
    def of(cls, row: Sequence[Any]) -> Entry:
        """From a row of the queries above."""
        epoch, index, uid, sender, logged_at, key_id, envelope, message, arrived_at = row
        sender, opened = bytes(sender), _parsed(bytes(message))
        read = None if opened is None else decode_envelope(bytes(envelope))
        name = entry_id(sender, uid).hex()
        return cls(
            idx=position_of(epoch, index),
            uid=uid,
            sender_id=sender,
            logged_at=logged_at,
            key_id=key_id,
            arrived_at=arrived_at,
            name=name,
            message=opened,
            envelope=read,
            body=_NOTHING if opened is None else _body(opened),
            asks=_asks(name, logged_at, key_id, opened, read) if opened and read else (),
            curves=_packed(opened) if isinstance(opened, RunRecorded) else None,
        )


def _parsed(message: bytes) -> Message | None:
    try:
        return parse_message(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _asks(
    name: str, logged_at: datetime, key_id: str, message: Message, envelope: Envelope
) -> list[tuple[str, str | None]]:
    keys = [key_id, *(each.key_id for each in envelope.origin)]
    return [*reads(name, keys, message), ("institution_day", day_of(message.sender, logged_at)[1])]


def _body(message: Message) -> msgspec.Raw:
    """Made once, for however many rows hold it."""
    return msgspec.Raw(
        _encode(without_points(msgspec.to_builtins(message)) if isinstance(message, RunRecorded) else message)
    )


def _packed(message: RunRecorded) -> dict[str, Row] | None:
    try:
        return curve_rows(message)
    except Exception:  # for its handler to tell, which parks the entry
        return None


def connect(conninfo: str) -> psycopg.Connection:
    """A connection of the projector's.

    Rows are looked up by their keys, and plans are kept: one made while a table was empty would read all of it ever after. They are made
    for any values: for those of its first ten sets the server would plan each by itself, and read all of the journal from their place on.
    """
    conn = psycopg.connect(conninfo, autocommit=True)
    conn.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    return conn


def next_entries(conn: psycopg.Connection, epoch: int, start: int, end: int, most: int) -> list[Entry]:
    """The entries of an epoch from index `start` on, below `end`, at most so many."""
    return [Entry.of(row) for row in ask_next(conn, epoch, start, end, most).fetchall()]


def ask_next(
    conn: psycopg.Connection, epoch: int, start: int, end: int, most: int
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Ask for the rows of these entries; in a pipeline the answer comes later."""
    # Binary: envelope and message are bytes, which would come as twice as many digits.
    return conn.execute(NEXT, [epoch, start, end, most], binary=True)


def entries_at(conn: psycopg.Connection, epochs: Sequence[int], indexes: Sequence[int]) -> list[Entry]:
    """The entries at these places, in the order of the log."""
    return [Entry.of(row) for row in conn.execute(_PARKED, [list(epochs), list(indexes)]).fetchall()]
