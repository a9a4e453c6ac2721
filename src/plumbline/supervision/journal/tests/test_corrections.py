"""What an entry `clock.corrected` must say of itself and of what stands before it (时钟更正), at its boundaries."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.supervision.journal.corrections import (
    Place,
    faults,
    first_later,
    last_before,
    right_runs,
    wrong_range,
)

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SECOND, YEAR = timedelta(seconds=1), timedelta(days=365)
WRONG = NOW + 5 * YEAR


def _told(**changed: object) -> ClockCorrected:
    told = ClockCorrected(
        v=1,
        uid=uuid.UUID(int=7 << 76),
        sender="0" * 32,
        occurred_at=NOW,
        first_person="1" * 32,
        second_person="2" * 32,
        because="主机时钟曾快五年",
        position=120,
        wrong_from=100,
        last_wrong=WRONG,
        corrected_to=NOW,
    )
    return msgspec.structs.replace(told, **changed)


def _place(**changed: object) -> Place:
    told = {"position": 120, "logged_at": NOW, "before": WRONG, "right": NOW - SECOND} | changed
    return Place(**told)  # type: ignore[arg-type]


def test_a_true_correction_has_no_fault() -> None:
    assert faults(_told(), _place()) == []
    assert faults(_told(), _place(right=NOW)) == []


@pytest.mark.parametrize(
    ("told", "place", "word"),
    [
        ({"position": 121}, {}, "自己的位置"),
        ({"wrong_from": 120}, {}, "不在它前面"),
        ({"wrong_from": 0}, {}, "不在它前面"),
        ({}, {"right": None}, "不在它前面"),
        ({}, {"before": WRONG + SECOND}, "前一条的入账时间"),
        ({}, {"before": None}, "前一条的入账时间"),
        ({}, {"logged_at": NOW + SECOND}, "更正到的时间"),
        ({"corrected_to": NOW + SECOND}, {}, "更正到的时间"),
        ({}, {"right": NOW + timedelta(microseconds=1)}, "早于没有走错的一条"),
        ({"second_person": "1" * 32}, {}, "同一个人"),
    ],
)
def test_one_that_says_anything_else_is_at_fault(
    told: dict[str, object], place: dict[str, object], word: str
) -> None:
    found = faults(_told(**told), _place(**place))
    assert len(found) == 1
    assert word in found[0]


@pytest.mark.parametrize(("ahead", "is_wrong"), [(-YEAR, False), (5 * SECOND, False), (5.001 * SECOND, True)])
def test_a_step_that_the_log_absorbs_is_not_corrected(ahead: timedelta, *, is_wrong: bool) -> None:
    found = faults(_told(last_wrong=NOW + ahead), _place(before=NOW + ahead))
    assert found == ([] if is_wrong else ["没有走错的时间可更正"])


def test_corrected_ranges_are_cut_out_of_the_log_also_when_a_later_one_reaches_over_an_earlier() -> None:
    assert right_runs([(0, 200)], []) == [(0, 200)]
    assert right_runs([(0, 200), (1000, 1000)], [(50, 60), (100, 120)]) == [(0, 50), (60, 100), (120, 200)]
    assert right_runs([(0, 200)], [(50, 60), (40, 120)]) == [(0, 40), (120, 200)]
    assert right_runs([(0, 200), (1000, 1010)], [(150, 1002)]) == [(0, 150), (1002, 1010)]


def test_the_last_right_entry_before_a_place() -> None:
    runs = [(0, 50), (60, 100)]
    assert [last_before(runs, place) for place in (0, 1, 50, 55, 60, 61, 500)] == [
        None,
        0,
        49,
        49,
        49,
        60,
        99,
    ]


def test_the_first_entry_after_the_present_is_found_behind_earlier_corrections() -> None:
    # 50..59 were five years ahead and are corrected; from 90 on the clock is ahead again.
    def time_at(position: int) -> datetime:
        ahead = 5 * YEAR if 50 <= position < 60 or position >= 90 else timedelta(0)
        return NOW + position * SECOND + ahead

    runs = right_runs([(0, 100)], [(50, 60)])
    assert first_later(runs, time_at, NOW + 95 * SECOND) == 90
    assert first_later(runs, time_at, NOW + 70 * SECOND) == 71
    assert first_later(runs, time_at, NOW + 10 * YEAR) is None
    # Exactly the present is no later than it.
    assert first_later([(0, 50)], time_at, NOW + 48 * SECOND) == 49
    assert first_later([(0, 50)], time_at, NOW + 49 * SECOND) is None


def test_the_range_in_words() -> None:
    assert wrong_range(100, 120, WRONG, NOW).startswith(
        "第 100 条到第 119 条按走错的时钟入账，最后记到 2031-11-22 16:00:00；"
    )
    assert wrong_range(119, 120, WRONG, NOW).startswith("第 119 条按走错的时钟入账")
