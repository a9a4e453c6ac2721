"""Rows from their tables (取出事实行): one statement for all that a set is going to read, whichever tables it is in.

A set of a few entries asks a dozen tables for a row or two each; asked one by one, handing the questions to and fro cost more than the
answers (docs/decisions/0035).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from plumbline.supervision.projection.table import Row
from plumbline.supervision.projection.tables import TABLES

#: What the messages of every day ask for. The statement is the same whatever is asked, so that it is prepared once.
TOGETHER = (
    "application",
    "code",
    "commission",
    "contract",
    "custodians",
    "evaluation",
    "event",
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


def load(
    conn: psycopg.Connection, schema: str, wanted: Mapping[str, Collection[str]]
) -> dict[str, dict[str, Row]]:
    """Table → key → row of the rows with these keys; those that are not there are left out."""
    found: dict[str, dict[str, Row]] = {table: {} for table in wanted}
    together = [table for table in wanted if table in TOGETHER]
    apart = list(wanted) if len(together) < _FEW else [table for table in wanted if table not in TOGETHER]
    with conn.pipeline():
        asked = []
        if len(apart) < len(wanted):
            keys = [_array(wanted.get(table, ())) for table in TOGETHER]
            asked.append(conn.execute(_all_together(schema), keys))
        asked += [conn.execute(_one(schema, table), [_array(wanted[table])]) for table in apart]
    for cursor in asked:
        for table, text in cursor.fetchall():
            row = _row(table, text)
            found[table][row["id"]] = row
    return found


def _array(keys: Collection[str]) -> str:
    """Keys as PostgreSQL writes an array; a text has one type, an empty list of the driver none."""
    quoted = (key.replace("\\", "\\\\").replace('"', '\\"') for key in keys)
    return '{"' + '","'.join(quoted) + '"}' if keys else "{}"


def _row(table: str, text: str) -> Row:
    row: Row = _decode(text)
    for name, read in _readings(table):
        if (value := row[name]) is not None:
            row[name] = read(value)
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
def _all_together(schema: str) -> bytes:
    return sql.SQL(" UNION ALL ").join(_question(schema, table) for table in TOGETHER).as_bytes(None)
