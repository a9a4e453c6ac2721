"""Rows into their tables (写入事实行): one statement a table, its rows one JSON document that the server takes apart.

COPY does not go together with row security (docs/decisions/0013), and a statement a row costs a trip in its own right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import msgspec
from psycopg import sql

from plumbline.supervision.projection.loading import array_of
from plumbline.supervision.projection.sending import Sending
from plumbline.supervision.projection.table import Row
from plumbline.supervision.projection.tables import TABLES

#: Rows of one statement, and bytes of them: long curves would go beyond the gigabyte that the server takes, and no set with them in.
PORTION, PORTION_BYTES = 1000, 8 * 1024 * 1024
_encode = msgspec.json.Encoder().encode


def insert_rows(out: Sending, schema: str, table: str, rows: Sequence[Row]) -> None:
    """Rows whose keys are new; of a settled table one that is there already stays."""
    _send(out, _insert(schema, table), table, rows)


def replace_rows(out: Sending, schema: str, table: str, rows: Sequence[Row]) -> None:
    """Rows that are there, as they are now."""
    _send(out, _replace(schema, table), table, rows)


def delete_rows(out: Sending, schema: str, table: str, keys: Sequence[str]) -> None:
    """The rows with these keys go."""
    if keys:
        out.send(_delete(schema, table), array_of(keys).encode())


def _send(out: Sending, statement: bytes, table: str, rows: Sequence[Row]) -> None:
    for document in documents(table, rows):
        out.send(statement, document)


def documents(table: str, rows: Sequence[Row]) -> Iterator[bytes]:
    """The rows as JSON, so many to a document as one statement takes; a row that is larger goes alone."""
    binary = _binary_columns(table)
    for start in range(0, len(rows), PORTION):
        portion = rows[start : start + PORTION]
        # Bytes as digits of a whole portion of long curves would not fit into memory.
        document = None if binary else _encode(portion)
        if document is None or len(document) > PORTION_BYTES:
            yield from _divided(portion, binary)
        else:
            yield document


def _divided(rows: Sequence[Row], binary: tuple[str, ...]) -> Iterator[bytes]:
    """Rows that may be too large for one document, each encoded by itself."""
    portion: list[bytes] = []
    size = 0
    for row in rows:
        encoded = _encode(row | {name: _hex(row[name]) for name in binary} if binary else row)
        if portion and size + len(encoded) > PORTION_BYTES:
            yield _together(portion)
            portion, size = [], 0
        portion.append(encoded)
        size += len(encoded)
    if portion:
        yield _together(portion)


def _together(encoded: list[bytes]) -> bytes:
    return b"[" + b",".join(encoded) + b"]"


def _hex(value: bytes | None) -> str | None:
    """Bytes as PostgreSQL reads them."""
    return None if value is None else "\\x" + value.hex()


@cache
def _binary_columns(table: str) -> tuple[str, ...]:
    return tuple(name for name, kind in TABLES[table].all_columns.items() if kind.startswith("bytea"))


@cache
def _insert(schema: str, table: str) -> bytes:
    return _statement(schema, table, sql.SQL(" ON CONFLICT (id) DO NOTHING" if TABLES[table].settled else ""))


@cache
def _replace(schema: str, table: str) -> bytes:
    others = [sql.Identifier(name) for name in TABLES[table].all_columns if name != "id"]
    given = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in others)
    return _statement(schema, table, sql.SQL(" ON CONFLICT (id) DO UPDATE SET {}").format(given))


def _statement(schema: str, table: str, again: sql.Composable) -> bytes:
    """INSERT of the rows of a document, and what happens to one that is there already."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in TABLES[table].all_columns)
    taken = "INSERT INTO {} ({}) SELECT {} FROM json_populate_recordset(NULL::{}, $1::json){}"
    target = sql.Identifier(schema, table)
    return sql.SQL(taken).format(target, names, names, target, again).as_bytes(None)


@cache
def _delete(schema: str, table: str) -> bytes:
    kind = TABLES[table].key_type.split()[0]
    asked = "DELETE FROM {} WHERE id = ANY($1::" + kind + "[])"
    return sql.SQL(asked).format(sql.Identifier(schema, table)).as_bytes(None)
