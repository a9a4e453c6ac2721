"""Steps of the clock over sleep, confirmation and several processes (时钟)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.supervision.journal import clock
from plumbline.supervision.journal.clock import ClockProblem, ClockWatch

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def passed(monkeypatch) -> list[float]:
    """Seconds since boot, to be set by the test."""
    now = [1000.0]
    monkeypatch.setattr(clock, "_since_boot", lambda: now[0])
    return now


def _check(watch: ClockWatch, at: datetime, last: datetime, *, confirmed: bool = False) -> datetime:
    return watch.check(at, last, at, confirmed=confirmed)


def test_time_that_passed_is_no_step_even_while_the_machine_slept(passed) -> None:
    watch = ClockWatch()
    _check(watch, START, START)
    passed[0] += 5 * 3600
    assert _check(watch, START + 5 * HOUR, START) == START + 5 * HOUR


def test_sleep_counts_in_the_clock_that_is_used() -> None:
    import time

    assert abs(clock._since_boot() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_a_confirmed_step_is_the_new_baseline(passed) -> None:
    watch = ClockWatch()
    _check(watch, START, START)
    later = START + 9 * HOUR
    with pytest.raises(ClockProblem):
        _check(watch, later, START)
    _check(watch, later, START, confirmed=True)
    assert _check(watch, later + SECOND, START) == later + SECOND


def test_a_step_that_the_log_has_taken_in_stops_no_other_process(passed) -> None:
    idle = ClockWatch()
    _check(idle, START, START)
    later = START + 9 * HOUR
    assert _check(idle, later, later - SECOND) == later


def test_a_process_that_has_appended_nothing_has_seen_time_pass_all_the_same(passed) -> None:
    watch = ClockWatch(START)
    passed[0] += 60
    with pytest.raises(ClockProblem, match="clock-confirm"):
        _check(watch, START + 9 * HOUR, START)
    assert _check(watch, START + 60 * SECOND, START) == START + 60 * SECOND
