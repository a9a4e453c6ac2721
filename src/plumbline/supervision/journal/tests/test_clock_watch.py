"""The clock under the log (入账时钟): small steps back are absorbed, large ones and a host that is off stop the append."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.supervision.journal.clock import ClockProblem, ClockWatch, Confirmed

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def _check(
    watch: ClockWatch,
    database: datetime,
    last: datetime,
    host: datetime | None = None,
    *,
    confirmed: Confirmed | None = None,
) -> datetime:
    return watch.check(database, last, host or database, confirmed=confirmed)


def test_time_that_goes_on_is_taken_as_it_is() -> None:
    assert _check(ClockWatch(), NOW, NOW - timedelta(seconds=1)) == NOW


@pytest.mark.parametrize("back_s", [0.001, 4.9, 5.0])
def test_a_step_back_of_at_most_five_seconds_is_absorbed(back_s: float) -> None:
    assert _check(ClockWatch(), NOW - timedelta(seconds=back_s), NOW) == NOW


def test_a_step_back_of_more_than_five_seconds_stops() -> None:
    with pytest.raises(ClockProblem, match="慢"):
        _check(ClockWatch(), NOW - timedelta(seconds=5.001), NOW)


@pytest.mark.parametrize("skew_s", [-2.0, -0.5, 0.0, 2.0])
def test_a_host_within_two_seconds_of_the_database_is_taken(skew_s: float) -> None:
    assert _check(ClockWatch(), NOW, NOW, NOW + timedelta(seconds=skew_s)) == NOW


@pytest.mark.parametrize("skew_s", [-2.001, 2.001, 3600.0])
def test_a_host_more_than_two_seconds_off_stops(skew_s: float) -> None:
    with pytest.raises(ClockProblem, match="本机时钟"):
        _check(ClockWatch(), NOW, NOW, NOW + timedelta(seconds=skew_s))


@pytest.mark.parametrize("forward", [timedelta(minutes=59), timedelta(hours=1)])
def test_a_step_forward_of_at_most_an_hour_is_taken(forward: timedelta) -> None:
    watch = ClockWatch()
    _check(watch, NOW, NOW)
    assert _check(watch, NOW + forward, NOW) == NOW + forward


def test_a_step_forward_of_more_than_an_hour_needs_a_person() -> None:
    watch = ClockWatch()
    _check(watch, NOW, NOW)
    later = NOW + timedelta(hours=1, seconds=1)
    with pytest.raises(ClockProblem, match="clock-confirm"):
        _check(watch, later, NOW)
    with pytest.raises(ClockProblem, match="clock-confirm"):
        _check(watch, later, NOW)
    assert _check(watch, later, NOW, confirmed=Confirmed(later)) == later
    assert _check(watch, later + timedelta(seconds=1), later) == later + timedelta(seconds=1)


def test_the_first_batch_after_a_start_has_nothing_to_compare_with() -> None:
    assert _check(ClockWatch(), NOW + timedelta(days=3), NOW) == NOW + timedelta(days=3)
