"""What a bundle says of entries that a wrong clock has dated (走错的时钟)."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.sdk.bundle.corrected import corrected_steps
from plumbline.sdk.bundle.records import Records

NOW, WRONG = datetime(2026, 11, 23, 8, tzinfo=UTC), datetime(2031, 11, 23, tzinfo=UTC)
PLATFORM = "0" * 32


def _record(index: int, message: Any = None) -> Any:
    receipt = SimpleNamespace(logged_at=NOW)
    return SimpleNamespace(
        order=(1, index), entry=str(index), place=str(index), label=f"{index} 试验", logged="今天",
        message=message, receipt=receipt,
    )  # fmt: skip


def _corrected(**changed: object) -> ClockCorrected:
    told = {
        "position": 9,
        "wrong_from": 5,
        "last_wrong": WRONG,
        "corrected_to": NOW,
        "sender": PLATFORM,
    } | changed
    people = {"first_person": "1" * 32, "second_person": "2" * 32}
    return ClockCorrected(v=1, uid=UUID(int=7 << 76), occurred_at=NOW, because="走快", **people, **told)  # type: ignore[arg-type]


def test_entries_of_the_range_are_named() -> None:
    records = Records([_record(n) for n in (3, 4, 5, 8)] + [_record(9, _corrected())])
    (step,) = corrected_steps(records, PLATFORM)
    assert step.ok and step.is_note
    assert "5 试验、8 试验 共 2 条" in step.sentence_zh and "第 9 条" in step.sentence_zh


def test_nothing_is_said_where_no_entry_lies_in_the_range() -> None:
    assert corrected_steps(Records([_record(4), _record(9, _corrected())]), PLATFORM) == []
    assert corrected_steps(Records([_record(4)]), PLATFORM) == []


@pytest.mark.parametrize("changed", [{"position": 10}, {"corrected_to": WRONG}, {"sender": "9" * 32}])
def test_a_correction_that_its_receipt_does_not_prove_fails(changed: dict[str, object]) -> None:
    (step,) = corrected_steps(Records([_record(5), _record(9, _corrected(**changed))]), PLATFORM)
    assert not step.ok
