"""Steps of many reports happen in one order of time."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

from plumbline.demo.timeline import in_order

START = datetime(2026, 9, 1, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def story(name: str, minutes: list[int], log: list[tuple[int, str]]) -> Generator[datetime, None, str]:
    for minute in minutes:
        yield at(minute)
        log.append((minute, name))
    return name


def test_steps_of_two_stories_interleave_by_time():
    log: list[tuple[int, str]] = []
    stories = [(at(0), story("a", [1, 4, 9], log)), (at(0), story("b", [2, 3, 10], log))]
    ended = [result for _, result in in_order(stories) if result]
    assert log == [(1, "a"), (2, "b"), (3, "b"), (4, "a"), (9, "a"), (10, "b")]
    assert ended == ["a", "b"]


def test_of_two_steps_at_one_time_the_first_story_goes_first():
    log: list[tuple[int, str]] = []
    list(in_order([(at(0), story("a", [5], log)), (at(0), story("b", [5], log))]))
    assert log == [(5, "a"), (5, "b")]


def test_a_story_begins_no_earlier_than_its_time():
    log: list[tuple[int, str]] = []
    list(in_order([(at(7), story("late", [8], log)), (at(0), story("early", [1, 2], log))]))
    assert log == [(1, "early"), (2, "early"), (8, "late")]


def test_no_stories_no_steps():
    assert list(in_order([])) == []
