"""What an application rests on may be missing only because it was lost (补传未完): then it is not withheld, and no longer than that."""

from __future__ import annotations

import json
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
APPLICANT = "5e" * 16
ASKED = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
BEFORE = ASKED - timedelta(minutes=10)


class Record:
    """The requests that were made, as the worker reads them."""

    def __init__(self, conn: psycopg.Connection[DictRow]) -> None:
        self.conn, self._number = conn, 0

    def request(
        self,
        party: str,
        stage: str,
        *,
        idx: int = OPENED + 1,
        at: datetime = ASKED,
        asked: dict[str, object] | None = None,
    ) -> None:
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
        body = json.dumps({"ranges": [{"epoch": 1, "first": 10}]} if asked is None else asked)
        row |= {"occurred_at": at, "arrived_at": at, "logged_at": at, "version": 1, "body": body}
        row |= {"party": party, "stage": stage, "resent": 0, "present": 0, "not_held": 0}
        marks = ", ".join(["%s"] * len(row))
        statement = f"INSERT INTO fact.retransmission ({', '.join(row)}) VALUES ({marks})"
        self.conn.execute(statement.encode(), list(row.values()))

    def opened(self, at: datetime, lost: int = 5) -> None:
        """The epoch's first entry, as the log and the table of epochs have it, which is the log's newest."""
        row = {
            "id": "2",
            "entry": "ee" * 16,
            "idx": OPENED,
            "sender": "0f" * 16,
            "key_id": "k",
            "attestation": "internal",
        }
        row |= {
            "occurred_at": at,
            "arrived_at": at,
            "logged_at": at,
            "version": 1,
            "body": "{}",
            "epoch": 2,
            "lost": lost,
        }
        marks = ", ".join(["%s"] * len(row))
        self.conn.execute(
            f"INSERT INTO fact.epoch ({', '.join(row)}) VALUES ({marks})".encode(), list(row.values())
        )
        self.conn.execute(
            "INSERT INTO journal.leaf (epoch, idx, uid, sender_id, logged_at, leaf_hash) VALUES (2, 0, gen_random_uuid(), %s, %s, %s)",
            [bytes(16), at, bytes(32)],
        )
        self.conn.execute("ALTER TABLE journal.head DISABLE TRIGGER USER")
        self.conn.execute("UPDATE journal.head SET last_time = %s", [at])

    def may_come(self, occurred: datetime = BEFORE) -> bool:
        message = cast(ReportApplied, SimpleNamespace(occurred_at=occurred, sender=APPLICANT))
        return shown.may_still_come(self.conn, message)


#: As it is, where a test does not say what was lost.
recent_loss = shown.recent_loss


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


def test_a_request_that_reaches_the_applicant_before_the_others_takes_nothing_away(record: Record) -> None:
    record.request(APPLICANT, "begun")
    assert record.may_come()


def test_who_waits_in_one_request_cannot_answer_the_next_and_holds_nobody_back(record: Record) -> None:
    record.request("1a" * 16, "waiting")
    record.request("1a" * 16, "asked")
    assert not record.may_come()
    record.request("2b" * 16, "asked")
    assert record.may_come()


@pytest.mark.parametrize("stage", ["asked", "begun", "waiting"])
def test_the_applicant_itself_and_who_waits_for_a_decision_are_waited_for_by_nobody(
    record: Record, stage: str
) -> None:
    record.request(APPLICANT, stage)
    record.request("1a" * 16, "waiting")
    assert not record.may_come()


def test_a_damaged_file_that_nobody_sends_holds_nothing_back(record: Record) -> None:
    record.request("1a" * 16, "asked", asked={"files": ["ab" * 32]})
    record.request("2b" * 16, "done")
    assert not record.may_come()


@pytest.mark.parametrize("asked", [{"entries": ["0f" * 16]}, {"since": "2026-11-20T00:00:00Z"}])
def test_whatever_way_entries_are_asked_for_they_may_come(record: Record, asked: dict[str, object]) -> None:
    record.request("1a" * 16, "asked", asked=asked)
    assert record.may_come()


def test_before_anybody_is_asked_what_is_older_than_the_opening_is_held_back(record: Record) -> None:
    record.opened(ASKED)
    assert record.may_come(BEFORE)
    assert not record.may_come(ASKED)


def test_a_request_of_before_the_loss_keeps_nothing_open(record: Record) -> None:
    record.request("1a" * 16, "asked", idx=OPENED - 100)
    record.request("2b" * 16, "done")
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


def test_what_was_lost_a_short_while_ago_is_a_recent_loss(record: Record) -> None:
    record.opened(ASKED)
    assert recent_loss(record.conn) == OPENED
    record.conn.execute("UPDATE journal.head SET last_time = last_time + interval '1 day 1 second'")
    assert recent_loss(record.conn) is None


def test_where_nobody_can_say_how_much_was_lost_something_may_be(record: Record) -> None:
    record.opened(ASKED, lost=0)
    assert recent_loss(record.conn) == OPENED
