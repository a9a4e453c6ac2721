"""Columns of a batch say to PostgreSQL what the driver would have said (成批的列)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest

from plumbline.supervision.journal import columns

pytestmark = pytest.mark.service

UIDS = [uuid.UUID(int=0), uuid.UUID("01a20a36-d186-7527-b08c-3eb81e0070aa"), uuid.UUID(int=2**128 - 1)]
BYTES = [b"", b"\0", b"{}\\'\"", bytes(range(256)) * 40]
TEXTS = ["", "NULL", 'a"b\\c,{}', "宝鸡市建设工程质量检测中心", "\U0001f3d7"]
INSTANTS = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2026, 11, 19, 14, 2, 0, 1, timezone(timedelta(hours=8))),
    datetime(2100, 12, 31, 23, 59, 59, 999999, UTC),
]
WHOLES = [0, -1, 2**63 - 1, -(2**63)]


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (columns.uuids, "uuid", UIDS),
        (columns.byte_strings, "bytea", BYTES),
        (columns.texts, "text", TEXTS),
        (columns.instants, "timestamptz", INSTANTS),
        (columns.wholes, "int8", WHOLES),
    ],
)
def test_a_column_arrives_as_the_array_that_the_driver_makes(quiet_platform, column, kind, values) -> None:
    statement = f"SELECT %b::{kind}[] = %b::{kind}[], unnest(%b::{kind}[])".encode()
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn:
        columns.teach(conn)
        made = column(values)
        rows = conn.execute(statement, [made, list(values), made]).fetchall()
    assert all(is_same for is_same, _ in rows)
    assert [bytes(each) if kind == "bytea" else each for _, each in rows] == values


def test_a_column_of_nothing_has_no_rows(quiet_platform) -> None:
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn:
        columns.teach(conn)
        assert conn.execute("SELECT unnest(%b::uuid[])", [columns.uuids([])]).fetchall() == []


def test_an_instant_without_a_zone_is_refused_before_it_is_sent() -> None:
    with pytest.raises(TypeError):
        columns.instants([datetime(2026, 11, 19)])  # noqa: DTZ001 - what is refused
