"""What an application rests on may be missing only because it was lost (补传未完): then it is not withheld, and no longer than that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from plumbline.exchange.messages.reports import ReportApplied
from plumbline.supervision.codes import shown

pytestmark = pytest.mark.service

OPENED = 2 << 40
ASKED = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
BEFORE = ASKED - timedelta(minutes=10)


class Record:
    """The requests that were made, as the worker reads them."""

    def __init__(self, conn: psycopg.Connection[DictRow]) -> None:
        self.conn, self._number = conn, 0

    def request(self, party: str, stage: str, *, idx: int = OPENED + 1, at: datetime = ASKED) -> None:
        self._number += 1
        entry = f"{self._number:032x}"
        row = {
            "id": entry,
            "entry": entry,
            "idx": idx + self._number,
            "sender": "0f" * 16,
            "key_id": "k",
            "attestation": "internal",
        }
        row |= {"occurred_at": at, "arrived_at": at, "logged_at": at, "version": 1, "body": "{}"}
        row |= {"party": party, "stage": stage, "resent": 0, "present": 0, "not_held": 0}
        marks = ", ".join(["%s"] * len(row))
        statement = f"INSERT INTO fact.retransmission ({', '.join(row)}) VALUES ({marks})"
        self.conn.execute(statement.encode(), list(row.values()))

    def may_come(self, occurred: datetime = BEFORE) -> bool:
        message = cast(ReportApplied, SimpleNamespace(occurred_at=occurred))
        return shown.may_still_come(self.conn, message)


@pytest.fixture
def record(quiet_platform, monkeypatch) -> Iterator[Record]:
    """The record of a platform whose log was opened anew at OPENED."""
    monkeypatch.setattr(shown, "recent_loss", lambda conn: OPENED)
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate"), row_factory=dict_row) as conn:
        conn.execute("SET ROLE plumb_owner")
        yield Record(conn)
        conn.rollback()


def test_while_somebody_has_not_sent_again_it_may_still_come(record: Record) -> None:
    record.request("1a" * 16, "done")
    record.request("2b" * 16, "begun")
    assert record.may_come()


@pytest.mark.parametrize("stage", ["asked", "begun"])
def test_who_has_not_answered_or_not_finished_is_waited_for(record: Record, stage: str) -> None:
    record.request("1a" * 16, stage)
    assert record.may_come()


def test_when_all_have_said_that_it_is_done_nothing_more_will_come(record: Record) -> None:
    record.request("1a" * 16, "done")
    record.request("2b" * 16, "done")
    assert not record.may_come()


def test_when_nobody_was_asked_nothing_will_come(record: Record) -> None:
    assert not record.may_come()


def test_a_request_of_before_the_loss_keeps_nothing_open(record: Record) -> None:
    record.request("1a" * 16, "asked", idx=OPENED - 100)
    assert not record.may_come()


def test_an_application_that_was_made_after_the_asking_waits_for_nobody(record: Record) -> None:
    record.request("1a" * 16, "asked")
    record.request("2b" * 16, "asked", at=ASKED + timedelta(hours=1))
    assert record.may_come(ASKED - timedelta(seconds=1))
    assert not record.may_come(ASKED)


def test_without_a_loss_of_late_nobody_is_waited_for(record: Record, monkeypatch) -> None:
    record.request("1a" * 16, "asked")
    monkeypatch.setattr(shown, "recent_loss", lambda conn: None)
    assert not record.may_come()
