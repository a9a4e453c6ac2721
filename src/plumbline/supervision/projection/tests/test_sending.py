"""Statements on their way: what is told of those that fail, and what is left of the connection (在途语句)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import PipelineStatus, TransactionStatus

from plumbline.supervision.projection.sending import Sending, forget

pytestmark = pytest.mark.service

_KEEP = b"INSERT INTO sent SELECT $1::int"
_KEEP_ANOTHER_WAY = b"INSERT INTO sent VALUES ($1::int)"


@pytest.fixture
def conn(untouched_platform: Any) -> Iterator[psycopg.Connection]:
    """A connection that finds an empty table of its own."""
    conninfo = untouched_platform.conninfo()["plumb_migrate"]
    with psycopg.connect(conninfo, autocommit=True) as owner:
        owner.execute("SET ROLE plumb_owner")
        owner.execute("CREATE SCHEMA of_sending CREATE TABLE sent (number int PRIMARY KEY)")
        try:
            with psycopg.connect(conninfo, autocommit=True) as conn:
                conn.execute("SET ROLE plumb_owner")
                conn.execute("SET search_path = of_sending")
                yield conn
        finally:
            owner.execute("DROP SCHEMA of_sending CASCADE")


def _kept(conn: psycopg.Connection) -> list[int]:
    return [row[0] for row in conn.execute("SELECT number FROM sent ORDER BY 1").fetchall()]


def _send(conn: psycopg.Connection, out: Sending, statements: Sequence[tuple[bytes, bytes]]) -> None:
    """All of them, in a transaction."""
    with conn.transaction():
        for statement, value in statements:
            out.send(statement, value)
        out.settle()


def test_statements_are_carried_out_in_their_order_within_the_transaction(conn: psycopg.Connection) -> None:
    with conn.transaction():
        out = Sending(conn)
        for number in (1, 2):
            out.send(_KEEP, str(number).encode())
        out.send(b"UPDATE sent SET number = number + $1::int", b"10")
        out.settle()
        assert _kept(conn) == [11, 12]
        raise psycopg.Rollback
    assert _kept(conn) == []


def test_more_than_the_socket_holds_is_sent_and_carried_out(conn: psycopg.Connection) -> None:
    with conn.transaction():
        out = Sending(conn)
        for number in range(40):
            out.send(b"INSERT INTO sent SELECT $1::int", f"{number:>100000}".encode())
        out.settle()
    assert _kept(conn) == list(range(40))


def test_the_first_failure_is_told_and_the_statements_can_be_used_again(conn: psycopg.Connection) -> None:
    out = Sending(conn)
    with pytest.raises(errors.UniqueViolation):
        _send(conn, out, [(_KEEP, b"1"), (_KEEP, b"1"), (_KEEP_ANOTHER_WAY, b"no number")])
    assert conn.info.transaction_status == TransactionStatus.IDLE
    # What was prepared behind the failure is not there; it is prepared once more.
    forget(conn)
    out = Sending(conn)
    with conn.transaction():
        for number, statement in enumerate((_KEEP, _KEEP_ANOTHER_WAY, _KEEP, _KEEP_ANOTHER_WAY)):
            out.send(statement, str(number).encode())
        out.settle()
    assert _kept(conn) == [0, 1, 2, 3]


def test_what_is_abandoned_leaves_the_connection_to_others(conn: psycopg.Connection) -> None:
    with conn.transaction():
        out = Sending(conn)
        out.send(_KEEP, b"1")
        out.send(_KEEP, b"1")
        out.abandon()
        raise psycopg.Rollback
    assert conn.pgconn.pipeline_status == PipelineStatus.OFF
    assert _kept(conn) == []


@pytest.mark.parametrize("first", [[], [(_KEEP, b"1")]])
def test_a_lost_line_is_told_when_settling(
    conn: psycopg.Connection, untouched_platform: Any, first: list[tuple[bytes, bytes]]
) -> None:
    class Cut(Sending):
        def settle(self) -> None:
            with psycopg.connect(untouched_platform.conninfo()["plumb_migrate"], autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
            for number in range(2, 9):
                self.send(_KEEP, str(number).encode())
                self.pump()
            super().settle()

    with pytest.raises(psycopg.OperationalError):
        _send(conn, Cut(conn), first)
    assert conn.closed


def test_nothing_is_sent_outside_of_a_transaction(conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.ProgrammingError):
        Sending(conn).send(_KEEP, b"1")
    assert _kept(conn) == []


@pytest.mark.parametrize("is_prepared", [True, False])
def test_what_the_driver_drops_is_not_believed(conn: psycopg.Connection, is_prepared: bool) -> None:
    """The driver, once it has prepared a statement of its own, drops all that is prepared when a transaction is taken back."""
    for _ in range(7):
        conn.execute("SELECT 1 WHERE %s", [True])
    with conn.transaction():
        out = Sending(conn, is_prepared=is_prepared)
        out.send(_KEEP, b"1")
        out.settle()
        raise psycopg.Rollback
    if is_prepared:
        forget(conn)
    _send(conn, Sending(conn, is_prepared=is_prepared), [(_KEEP, b"2")])
    assert _kept(conn) == [2]


def test_an_interruption_in_the_middle_leaves_no_connection_in_an_unknown_state(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Sending) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Sending, "_results", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _send(conn, Sending(conn), [(_KEEP, b"1")])
    assert conn.closed
