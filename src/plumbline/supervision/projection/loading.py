"""Rows from their tables (取出事实行): one statement for all that a set is going to read, whichever tables it is in.

A set of a few entries asks a dozen tables for a row or two each; asked one by one, handing the questions to and fro cost more than the
answers (docs/decisions/0035).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from plumbline.supervision.projection.table import Row
from plumbline.supervision.projection.tables import TABLES

#: What the messages of every day ask for, but for codes, whose every month is a table of its own. The statement is the same whatever is
#: asked, so that it is prepared once.
TOGETHER = (
    "application",
    "commission",
    "contract",
    "custodians",
    "evaluation",
    "institution_day",
    "instrument",
    "key",
    "mention",
    "number",
    "party",
    "person",
    "project",
    "registration",
    "reminder",
    "run",
    "sample",
    "tag",
    "witnessing",
)
#: Fewer tables are asked one by one.
_FEW = 4
_decode = msgspec.json.Decoder().decode


def ask(
    conn: psycopg.Connection, schema: str, wanted: Mapping[str, Collection[str]]
) -> list[psycopg.Cursor[tuple[str, str]]]:
    """Ask for the rows with these keys by table; in a pipeline the answers come later."""
    together = [table for table in wanted if table in TOGETHER]
    apart = list(wanted) if len(together) < _FEW else [table for table in wanted if table not in TOGETHER]
    asked: list[psycopg.Cursor[Any]] = []
    if len(apart) < len(wanted):
        keys = [array_of(wanted.get(table, ())) for table in TOGETHER]
        asked.append(conn.execute(all_together(schema), keys))
    return asked + [conn.execute(_one(schema, table), [array_of(wanted[table])]) for table in apart]


def answers(asked: Iterable[psycopg.Cursor[tuple[str, str]]]) -> Iterator[tuple[str, Row]]:
    """(table, row) of the rows that are there."""
    for cursor in asked:
        for table, text in cursor.fetchall():
            yield table, _row(table, text)


def array_of(keys: Collection[str]) -> str:
    """Keys as PostgreSQL writes an array; a text has one type, an empty list of the driver none."""
    if not keys:
        return "{}"
    text = '","'.join(keys)
    # Hardly any key holds either: told by one look at all of them.
    if "\\" in text or text.count('"') != 2 * (len(keys) - 1):
        text = '","'.join(key.replace("\\", "\\\\").replace('"', '\\"') for key in keys)
    return '{"' + text + '"}'


def _row(table: str, text: str) -> Row:
    """The row as the driver would read it; what it could not read is refused as by the driver, so that one entry is parked for it.

    A column that somebody took away is missing here too: the database says so when the row is written.
    """
    try:
        row: Row = _decode(text)
        for name, read in _readings(table):
            if (value := row.get(name)) is not None:
                row[name] = read(value)
    except (msgspec.MsgspecError, ValueError) as error:
        raise psycopg.DataError(f"a row of {table} cannot be read") from error
    return row


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("\\x"))


_READ: dict[str, Callable[[str], Any]] = {
    "timestamptz": datetime.fromisoformat,
    "date": date.fromisoformat,
    "bytea": _bytes,
    "uuid": UUID,
}


@cache
def _readings(table: str) -> tuple[tuple[str, Callable[[str], Any]], ...]:
    """(column, how it is read) of the columns that JSON has no type for; keys stay texts."""
    kinds = ((name, kind.split()[0]) for name, kind in TABLES[table].all_columns.items())
    return tuple((name, _READ[kind]) for name, kind in kinds if kind in _READ and name != "id")


def _question(schema: str, table: str) -> sql.Composed:
    kind = TABLES[table].key_type.split()[0]
    asked = "SELECT {}, row_to_json(r)::text FROM {} r WHERE id = ANY(%s::" + kind + "[])"
    return sql.SQL(asked).format(sql.Literal(table), sql.Identifier(schema, table))


@cache
def _one(schema: str, table: str) -> bytes:
    return _question(schema, table).as_bytes(None)


@cache
def all_together(schema: str) -> bytes:
    """The one statement: an array of keys for each table, in turn."""
    return sql.SQL(" UNION ALL ").join(_question(schema, table) for table in TOGETHER).as_bytes(None)
