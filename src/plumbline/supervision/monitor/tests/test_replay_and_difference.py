"""Replay and difference (重放与对比): what would be said now, and which field is not as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from plumbline.exchange.messages.project import PourRecorded
from plumbline.exchange.uids import new_uid
from plumbline.supervision.monitor.difference import HIDDEN, difference
from plumbline.supervision.monitor.queries import Query
from plumbline.supervision.monitor.replay import Sender, replay

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SENDER = Sender(party="ab" * 16, roles=frozenset({"contractor"}))


def message(at: datetime = NOW, **changes) -> bytes:
    made = PourRecorded(
        v=1,
        uid=new_uid(at),
        sender=SENDER.party,
        occurred_at=at,
        project="cd" * 16,
        structural_part="三层柱",
        grade="C30",
        volume_m3="12.5",
        started_at=at,
    )
    return json.dumps(msgspec.to_builtins(made) | changes).encode()


def told(body: bytes, sender: Sender = SENDER):
    return replay(body, masked=False, sender=sender, now=NOW)


def test_a_sound_message_would_be_taken() -> None:
    found = told(message())
    assert found.is_passed and "会收下" in found.sentence and len(found.steps) == 4


@pytest.mark.parametrize(
    ("body", "sender", "name"),
    [
        (message(volume_m3=12.5), SENDER, "内容"),
        (b'{"kind":"pour.recorded"', SENDER, "内容"),
        (message(NOW - timedelta(days=500)), SENDER, "uid 的时间"),
        (message(sender="00" * 16), SENDER, "发送单位"),
        (
            message(),
            Sender(party=SENDER.party, roles=frozenset({"institution"}) - {"institution"}),
            "发送单位",
        ),
        (message(), Sender(party=SENDER.party, roles=SENDER.roles, key_problem="密钥已停用"), "密钥"),
    ],
)
def test_what_stands_against_it_is_named_with_its_remedy(body: bytes, sender: Sender, name: str) -> None:
    found = told(body, sender)
    failed = [step for step in found.steps if not step.is_passed]
    assert [step.name for step in failed] == [name] and failed[0].remedy and "仍会拒收" in found.sentence


def test_the_telling_differences_come_first() -> None:
    found = difference(message(), message(NOW + timedelta(hours=1), volume_m3=12.5, extra=1))
    assert found is not None
    assert [(each.pointer, each.sort) for each in found.changes][:2] == [
        ("/extra", "added"),
        ("/volume_m3", "type"),
    ]
    assert {each.pointer for each in found.changes if each.sort == "usual"} == {"/uid", "/occurred_at"}
    assert found.same > 4


def test_what_is_personal_is_not_shown() -> None:
    found = difference(b'{"personal":"aa","list":[1,2,10]}', b'{"personal":{"deep":"bb"},"list":[1,3]}')
    assert found is not None
    shown = [(each.pointer, each.before, each.now) for each in found.changes]
    assert ("/personal/deep", "", HIDDEN) in shown and ("/list/2", "10", "") in shown
    assert "aa" not in str(shown) and "bb" not in str(shown)


@pytest.mark.parametrize("body", [b"", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_not_compared(body: bytes) -> None:
    assert difference(b"{}", body) is None


def test_a_body_too_deep_to_compare_breaks_no_page() -> None:
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    assert difference(message(), deep) is None


@pytest.mark.parametrize("day", ["9999-12-31", "gestern", "2026-02-30"])
def test_a_day_that_is_none_has_no_bounds(day: str) -> None:
    assert Query(day=day).bounds is None
