"""Ends of rotated keys (密钥轮换到期): one that cannot be entered holds up no other, and no reason looks like a number of a person."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from plumbline.exchange.decode import decode_message
from plumbline.exchange.problems import Problem
from plumbline.supervision.journal.submit import encode_message
from plumbline.supervision.worker.key_rounds import KeyRounds

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
#: Sixteen hex figures, eleven of which read like a mobile number.
UNLUCKY = "origin:aa16916460807ffd"


class Connection:
    """Two rotations that are due; remembers which were done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def execute(self, statement: str, values: list) -> SimpleNamespace:
        if statement.startswith("UPDATE"):
            self.done += values
        due = [
            {"old_key": old, "new_key": UNLUCKY, "ends_at": NOW} for old in ("origin:first", "origin:second")
        ]
        return SimpleNamespace(fetchall=lambda: due)


class Sender:
    """Takes what the door would take, but refuses the first key."""

    def __init__(self, slug: str = "") -> None:
        self.slug = slug

    def submit(self, message) -> None:
        decode_message(encode_message(message))
        if self.slug and message.key_id == "origin:first":
            raise Problem(slug=self.slug)


def ended(sender: Sender) -> list[str]:
    conn = Connection()
    rounds = KeyRounds(conninfo="", sender=sender, operator="ab" * 16, vault=None)  # type: ignore[arg-type]
    rounds._end_rotated(conn, NOW)  # type: ignore[arg-type]
    return conn.done


def test_a_key_id_that_reads_like_a_telephone_number_is_no_obstacle() -> None:
    assert ended(Sender()) == ["origin:first", "origin:second"]


def test_one_rotation_that_cannot_be_entered_holds_up_no_other() -> None:
    assert ended(Sender("uid-conflict")) == ["origin:second"]


def test_a_log_that_is_not_to_be_had_is_waited_for() -> None:
    with pytest.raises(Problem):
        ended(Sender("unavailable"))
