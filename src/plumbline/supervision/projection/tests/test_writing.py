"""Rows go into the database and come out of it as they were given, whatever stands in them; the driver, value by value, is the oracle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from plumbline.supervision.projection.loading import TOGETHER, all_together, answers, ask
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.projection.schema import LIVE
from plumbline.supervision.projection.sending import Sending
from plumbline.supervision.projection.table import Row
from plumbline.supervision.projection.tables import TABLES
from plumbline.supervision.projection.writing import (
    PORTION,
    PORTION_BYTES,
    delete_rows,
    documents,
    insert_rows,
    replace_rows,
)

pytestmark = pytest.mark.service

_AT = datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=UTC)
_HARD = 'a"b\\c{d},e\n\t\\n 联署 NULL \\" \u2028 😀'
#: Values of a type of column that have come out wrong in some way of writing or other.
_VALUES: dict[str, list[Any]] = {
    "text": [_HARD, "", "null", "NULL", "{}", "\\x00"],
    "text[]": [[_HARD, "", "null", "NULL", "{x}"], [], [_HARD], ["a,b"], [" "], ["\\"]],
    "jsonb": [{"a": [_HARD, None, 1]}, {}, [], "null", "x", 0],
    "timestamptz": [_AT, datetime(2026, 1, 1, tzinfo=UTC)],
    "date": [date(2026, 11, 23), date(2000, 2, 29)],
    "boolean": [True, False],
    "int": [0, -(2**31), 2**31 - 1],
    "bigint": [0, -(2**63), 2**53],
    "uuid": ["0192e4a0-7b1c-7def-8123-456789abcdef"],
    "bytea": [b"", bytes(range(256)), b"\\x00"],
}


@pytest.fixture
def conn(untouched_platform: Any) -> Iterator[psycopg.Connection]:
    """As the projector, in a transaction that is taken back."""
    with psycopg.connect(untouched_platform.conninfo()["plumb_projector"]) as conn:
        conn.execute("SELECT")
        yield conn
        conn.rollback()


def _rows(table: str) -> list[Row]:
    """Rows of hard values, each in its turn, and one of as many NULLs as the table takes."""
    columns = TABLES[table].all_columns
    is_uuid = columns["id"].startswith("uuid")
    made: list[Row] = []
    for turn in range(7):
        row: Row = {}
        for name, kind in columns.items():
            values = _VALUES[kind.split()[0]]
            row[name] = None if turn == 6 and "NOT NULL" not in kind else values[turn % len(values)]
        row["id"] = f"0192e4a0-7b1c-7def-8123-{turn:012d}" if is_uuid else f"2611{_HARD}{turn}"
        made.append(row)
    return made


def _write(
    how: Callable[[Sending, str, str, Sequence[Any]], None],
    conn: psycopg.Connection,
    table: str,
    rows: Sequence[Any],
) -> None:
    """Send it, and wait until it is done."""
    out = Sending(conn)
    how(out, LIVE, table, rows)
    out.settle()


def _one_by_one(conn: psycopg.Connection, table: str, rows: list[Row]) -> None:
    """Each value a parameter of its own, as the driver hands it over."""
    columns = TABLES[table].all_columns
    places = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
    statement = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(LIVE, table), places)
    is_json = [kind.startswith("jsonb") for kind in columns.values()]
    for row in rows:
        values = zip((row[name] for name in columns), is_json, strict=True)
        conn.execute(statement, [Jsonb(each) if j and each is not None else each for each, j in values])


def _stored(conn: psycopg.Connection, table: str, keys: list[str]) -> list[Any]:
    statement = sql.SQL("SELECT r::text, pg_typeof(r)::text FROM {} r WHERE id::text = ANY(%s) ORDER BY id")
    return conn.execute(statement.format(sql.Identifier(LIVE, table)), [keys]).fetchall()


def _loaded(conn: psycopg.Connection, wanted: dict[str, list[str]]) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {table: {} for table in wanted}
    for table, row in answers(ask(conn, LIVE, wanted)):
        found[table][row["id"]] = row
    return found


def _as_the_driver_reads(conn: psycopg.Connection, table: str, keys: list[str]) -> dict[str, Row]:
    statement = sql.SQL("SELECT *, id::text AS id FROM {} WHERE id::text = ANY(%s)")
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement.format(sql.Identifier(LIVE, table)), [keys]).fetchall()
    return {row["id"]: row for row in rows}


@pytest.mark.parametrize("table", TABLES)
def test_every_table_holds_what_it_was_given(conn: psycopg.Connection, table: str) -> None:
    rows = _rows(table)
    keys = [row["id"] for row in rows]
    _write(insert_rows, conn, table, rows)
    inserted = _stored(conn, table, keys)
    assert _loaded(conn, {table: [*keys, keys[0]]}) == {table: _as_the_driver_reads(conn, table, keys)}
    # Written over with each other's values and back again, they are the same; nothing of a row stays behind.
    turned = [{**rows[place - 1], "id": key} for place, key in enumerate(keys)]
    _write(replace_rows, conn, table, turned)
    assert _stored(conn, table, keys) != inserted
    _write(replace_rows, conn, table, rows)
    assert _stored(conn, table, keys) == inserted
    _write(delete_rows, conn, table, keys)
    assert _stored(conn, table, keys) == []
    _one_by_one(conn, table, rows)
    assert _stored(conn, table, keys) == inserted and len(inserted) == len(rows)


def test_a_key_that_is_there_already_is_refused_unless_the_row_follows_from_it(
    conn: psycopg.Connection,
) -> None:
    """What is new by the projector's reckoning and stands there all the same is not written over."""
    row = _rows("presence")[0]
    _write(insert_rows, conn, "presence", [row, row])
    with pytest.raises(errors.UniqueViolation):
        _write(insert_rows, conn, "mention", [_rows("mention")[0]] * 2)


def test_rows_of_many_tables_come_in_one_answer(conn: psycopg.Connection) -> None:
    """Each under its own table and key, also where tables share keys and where a table is asked for what it has not."""
    wanted = {}
    for table in (*TOGETHER, "presence"):
        rows = _rows(table)[:2]
        _write(insert_rows, conn, table, rows)
        wanted[table] = [row["id"] for row in rows]
    expected = {table: _as_the_driver_reads(conn, table, keys) for table, keys in wanted.items()}
    asked = {table: [*keys, "nobody's"] for table, keys in wanted.items()}
    assert _loaded(conn, asked) == expected and all(len(rows) == 2 for rows in expected.values())


def test_a_time_beyond_the_calendar_is_refused_as_by_the_driver(conn: psycopg.Connection) -> None:
    """A key good until the end of all years, read in China: the entry is parked, the projector goes on."""
    row = {**_rows("key")[0], "valid_until": datetime.max.replace(tzinfo=UTC)}
    conn.execute("SET LOCAL TimeZone TO 'Asia/Shanghai'")
    _write(insert_rows, conn, "key", [row])
    for read in (
        lambda: _as_the_driver_reads(conn, "key", [row["id"]]),
        lambda: _loaded(conn, {"key": [row["id"]]}),
    ):
        with pytest.raises(errors.DataError):
            read()


def test_rows_are_looked_up_by_key_also_while_their_tables_are_empty(untouched_platform: Any) -> None:
    """The plan is kept: made by reading an empty table from end to end, it would read a full one so in every set."""
    projector = Projector(untouched_platform.conninfo()["plumb_projector"])
    try:
        asked = b"EXPLAIN " + all_together(LIVE)
        plan = projector.connection().execute(asked, ['{"a","b"}'] * len(TOGETHER)).fetchall()
    finally:
        projector.close()
    assert len(plan) >= len(TOGETHER) and not [line for (line,) in plan if "Seq Scan" in line]


def test_more_rows_than_one_statement_takes(conn: psycopg.Connection) -> None:
    rows = [{**_rows("mention")[0], "id": f"many {number}"} for number in range(PORTION + 1)]
    _write(insert_rows, conn, "mention", rows)
    found = conn.execute("SELECT count(*) FROM fact.mention WHERE id LIKE 'many %%'", []).fetchone()
    assert found == (PORTION + 1,)


def test_long_curves_go_a_few_at_a_time() -> None:
    """A set of long curves is more than one statement may hold: every row comes once, in its turn, and no document is beyond bounds."""
    rows = [{**_rows("curve")[0], "id": str(turn), "values": bytes(PORTION_BYTES // 5)} for turn in range(5)]
    rows[3] |= {"values": bytes(PORTION_BYTES)}
    made = list(documents("curve", rows))
    assert [[row["id"] for row in json.loads(each)] for each in made] == [["0", "1"], ["2"], ["3"], ["4"]]
    assert list(documents("curve", [])) == []
