"""Steps of the clock over sleep, confirmation and several processes (时钟)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.supervision.journal import clock
from plumbline.supervision.journal.clock import ClockProblem, ClockWatch, Confirmed, boot_id

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def passed(monkeypatch) -> list[float]:
    """Seconds since boot, to be set by the test."""
    now = [1000.0]
    monkeypatch.setattr(clock, "_since_boot", lambda: now[0])
    return now


def _check(
    watch: ClockWatch, at: datetime, last: datetime, *, confirmed: Confirmed | None = None
) -> datetime:
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
    _check(watch, later, START, confirmed=Confirmed(later))
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


def _here(at: datetime, passed: float) -> Confirmed:
    return Confirmed(at, "this start", passed)


@pytest.fixture
def this_boot(monkeypatch) -> None:
    monkeypatch.setattr(clock, "boot_id", lambda: "this start")


@pytest.mark.usefixtures("this_boot")
def test_a_confirmation_holds_for_every_process_that_has_not_yet_seen_it(passed) -> None:
    """One that appended nothing for hours after it asks no second time; what it has seen since comes first."""
    watch = ClockWatch(START)
    step = START + 9 * HOUR
    confirmed = _here(step + 60 * SECOND, 1060.0)
    passed[0] += 5 * 3600
    assert _check(watch, step + 5 * HOUR, START, confirmed=confirmed) == step + 5 * HOUR
    passed[0] += 3 * 3600
    with pytest.raises(ClockProblem, match="clock-confirm"):
        _check(watch, step + 10 * HOUR, START, confirmed=confirmed)


@pytest.mark.usefixtures("this_boot")
@pytest.mark.parametrize(("second", "is_step"), [(HOUR, False), (HOUR + SECOND, True), (9 * HOUR, True)])
def test_a_second_step_after_the_confirmation_is_a_step(passed, second: timedelta, *, is_step: bool) -> None:
    watch = ClockWatch(START)
    confirmed = _here(START + 9 * HOUR, 1000.0)
    passed[0] += 7 * 3600
    now = START + 16 * HOUR + second
    if is_step:
        with pytest.raises(ClockProblem, match="clock-confirm"):
            _check(watch, now, START, confirmed=confirmed)
    else:
        assert _check(watch, now, START, confirmed=confirmed) == now


@pytest.mark.usefixtures("this_boot")
def test_what_was_confirmed_of_a_clock_that_was_put_back_hides_no_later_step(passed) -> None:
    """Five years ahead, confirmed by mistake, put right: the confirmation is of a time that is no more."""
    watch = ClockWatch(START)
    wrong = _here(START + 24 * 365 * 5 * HOUR, 1000.0)
    passed[0] += 60
    with pytest.raises(ClockProblem, match="clock-confirm"):
        _check(watch, START + 5 * HOUR, START, confirmed=wrong)
    assert _check(watch, START + 60 * SECOND, START, confirmed=wrong) == START + 60 * SECOND


@pytest.mark.usefixtures("this_boot")
def test_a_process_that_began_in_the_wrong_time_measures_from_the_correction(passed) -> None:
    watch = ClockWatch(START + 24 * 365 * 5 * HOUR)
    corrected = _here(START, 1010.0)
    passed[0] += 60
    with pytest.raises(ClockProblem, match="clock-confirm"):
        _check(watch, START + 5 * HOUR, START, confirmed=corrected)
    assert _check(watch, START + 50 * SECOND, START, confirmed=corrected) == START + 50 * SECOND


@pytest.mark.parametrize(
    ("age_s", "holds"), [(-1, False), (0, True), (600, True), (600.001, False), (7200, False)]
)
def test_on_another_host_a_confirmation_holds_for_ten_minutes(passed, age_s: float, *, holds: bool) -> None:
    watch, now = ClockWatch(START), START + 9 * HOUR
    confirmed = Confirmed(now - timedelta(seconds=age_s), "another start", 5.0)
    if holds:
        assert _check(watch, now, START, confirmed=confirmed) == now
    else:
        with pytest.raises(ClockProblem, match="clock-confirm"):
            _check(watch, now, START, confirmed=confirmed)


@pytest.mark.usefixtures("this_boot")
@pytest.mark.parametrize(("age", "holds"), [(SECOND, True), (HOUR, False)])
def test_what_this_host_confirmed_long_ago_displaces_no_confirmation_of_another(
    passed, age: timedelta, *, holds: bool
) -> None:
    watch, now = ClockWatch(START), START + 9 * HOUR
    confirmed = Confirmed(START - HOUR, "this start", 10.0, elsewhere=now - age)
    if holds:
        assert _check(watch, now, START, confirmed=confirmed) == now
    else:
        with pytest.raises(ClockProblem, match="clock-confirm"):
            _check(watch, now, START, confirmed=confirmed)


def test_this_start_of_the_machine_has_a_name_that_stays() -> None:
    assert boot_id() == boot_id()
    assert Confirmed.of((None, None, None, None)) is None
    assert Confirmed.of((START, None, None, START)) == Confirmed(START, elsewhere=START)
    assert not Confirmed(START).is_of_this_boot
