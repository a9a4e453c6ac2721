"""A live session keeps what came, in order, and says what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from plumbline.acquisition.drivers.simulated import SimulatedDriver
from plumbline.acquisition.press import BadLine, Ended, PressSample, PressSession, Reading
from plumbline.acquisition.recordings import RecordingError
from plumbline.acquisition.simulator import SimulatedPress

Event = Reading | BadLine | Ended


class ScriptedDriver:
    """Plays a list of events."""

    def __init__(self, *events: Reading | BadLine | Ended) -> None:
        self._events: Sequence[Reading | BadLine | Ended] = events

    def events(self) -> Iterator[Reading | BadLine | Ended]:
        return iter(self._events)


def readings(*times_ms: int) -> list[Reading]:
    return [Reading(time * 1000, f"{index}.00") for index, time in enumerate(times_ms)]


def codes(session: PressSession) -> list[str]:
    return [note.code for note in session.notes()]


@pytest.mark.clause("BJ 6.2.1.3")
def test_a_simulated_test_arrives_reading_by_reading() -> None:
    recording = SimulatedPress(3).cube(35.0)
    session = PressSession(SimulatedDriver(recording), scale="0.05")
    assert len(list(session)) == len(recording.channels[0].value)
    back = session.recording("W1", "concrete_cube", started_at=datetime.fromisoformat("2026-01-05T09:00"))
    assert (back.channels[0].counts == recording.channels[0].counts).all()
    assert (back.peak.value, session.ended, codes(session)) == (recording.peak.value, "finished", [])


def test_the_pace_is_asked_before_each_piece() -> None:
    waits: list[float] = []
    recording = SimulatedPress(3).cube(20.0)
    list(PressSession(SimulatedDriver(recording, 1.0, waits.append), scale="0.05"))
    assert set(waits) == {1.0}
    assert len(waits) == pytest.approx(len(recording.channels[0].value) / 20, abs=1)


def test_bad_lines_are_counted_and_shown_and_the_curve_goes_on() -> None:
    first, second, third = readings(0, 50, 100)
    session = PressSession(ScriptedDriver(first, BadLine("#?", "不是读数"), second, third, Ended("finished")))
    assert len(list(session)) == 3
    assert (session.bad_count, codes(session)) == (1, ["press.bad_lines"])
    assert "#?" in session.notes()[0].sentence


@pytest.mark.parametrize("time_ms", [99, 100])
def test_a_reading_whose_time_does_not_advance_is_a_bad_line(time_ms: int) -> None:
    events: list[Event] = [
        *readings(0, 50, 100),
        Reading(time_ms * 1000, "9.99"),
        Ended("finished"),
    ]
    session = PressSession(ScriptedDriver(*events))
    assert [sample.t_us for sample in session] == [0, 50_000, 100_000]
    assert "时间没有前进" in session.bad_lines[0].reason


@pytest.mark.parametrize(("pause_ms", "gaps"), [(499, 0), (500, 0), (501, 1)])
def test_a_pause_beyond_half_a_second_is_a_gap(pause_ms: int, gaps: int) -> None:
    times = [0, 50, 100, 150, 150 + pause_ms, 200 + pause_ms]
    session = PressSession(ScriptedDriver(*readings(*times), Ended("finished")))
    list(session)
    assert len(session.gaps()) == gaps


def test_readings_finer_than_the_scale_are_rounded_and_counted() -> None:
    events: list[Event] = [
        Reading(0, "1.004"),
        Reading(1, "1.005"),
        Reading(2, "1.01"),
        Ended("finished"),
    ]
    session = PressSession(ScriptedDriver(*events))
    assert [sample.force_scaled for sample in session] == [100, 100, 101]
    assert (session.rounded_count, codes(session)) == (2, ["press.rounded"])


@pytest.mark.parametrize("reason", ["silent", "lost"])
def test_a_session_that_did_not_finish_says_so(reason: str) -> None:
    session = PressSession(ScriptedDriver(*readings(0, 50, 100), Ended(reason)))  # type: ignore[arg-type]
    list(session)
    assert codes(session) == ["press.not_finished"]


def test_a_full_curve_stops_the_session() -> None:
    session = PressSession(ScriptedDriver(*readings(*range(10)), Ended("finished")), max_points=4)
    assert len(list(session)) == 4
    assert session.ended == "full"


def test_a_session_with_two_readings_is_no_recording() -> None:
    session = PressSession(ScriptedDriver(*readings(0, 50), Ended("lost")))
    list(session)
    with pytest.raises(RecordingError, match="2 个读数"):
        session.recording("W1")


def test_samples_start_at_zero_whatever_the_machine_counts_from() -> None:
    session = PressSession(ScriptedDriver(*readings(5000, 5050, 5100), Ended("finished")))
    assert next(iter(session)) == PressSample(0, 0)
