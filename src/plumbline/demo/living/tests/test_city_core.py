"""The core of a city: every kind of report once, finished before the three months begin; progress as measured."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from plumbline.demo.living.core import SPAN, core_of, core_story
from plumbline.demo.living.enrol import city_messages
from plumbline.demo.living.progress import LEAST_S, Course, Meter, whole
from plumbline.demo.living.story import Story
from plumbline.demo.living.tests.memory_city import END, START, TODAY
from plumbline.demo.living.town import City, build_city
from plumbline.supervision.city_progress import Progress, read_progress, write_progress


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(3, 0.05, TODAY)


@pytest.fixture(scope="module")
def story(city: City) -> Story:
    return core_story(city, end=END)


def test_the_core_ends_before_the_three_months_begin(story: Story) -> None:
    assert story.end == story.start + SPAN < START
    for placed in story.placed:
        # A failing result is closed within ten days of its application.
        assert story.start < placed.plan.times.made
        assert placed.plan.times.registered + timedelta(days=10) < story.end


def test_each_kind_that_the_tour_shows_is_there(story: Story) -> None:
    odd = [placed.plan.oddities for placed in story.placed]
    assert [
        sum(bool(getattr(each, name)) for each in odd) for name in ("unwitnessed", "withdrawn", "superseded")
    ] == [1, 1, 1]
    assert [each.end for each in odd].count("reserved") == 1
    assert sum(placed.plan.lateness > timedelta(minutes=30) for placed in story.placed) == 1
    assert {placed.plan.category for placed in story.placed} == {"concrete_cube", "rebar_tension"}
    assert all(placed.team.house.may_test(placed.plan.category) for placed in story.placed)


def test_the_core_is_the_same_for_the_same_seed(city: City, story: Story) -> None:
    again = core_story(build_city(3, 0.05, TODAY), end=END)
    assert [(p.plan.key, p.plan.times) for p in again.placed] == [
        (p.plan.key, p.plan.times) for p in story.placed
    ]


def test_whoever_was_enrolled_with_the_core_is_not_enrolled_again(city: City, tmp_path: Path) -> None:
    core = core_of(city)
    first = {message.uid for message, _ in city_messages(core, tmp_path, START)}
    rest = [message.uid for message, _ in city_messages(city, tmp_path, START, already=core)]
    whole = [message.uid for message, _ in city_messages(city, tmp_path, START)]
    assert not first & set(rest)
    assert first | set(rest) == set(whole)
    assert len(whole) == len(set(whole)) == len(first) + len(rest)


class Clock:
    """Time that a test moves."""

    def __init__(self, story: Story) -> None:
        self.seconds, self.at = 0.0, story.start

    def pass_by(self, seconds: float, story: timedelta) -> None:
        self.seconds += seconds
        self.at += story


def test_what_is_left_is_foretold_by_what_was_done(story: Story) -> None:
    clock = Clock(story)
    meter = Meter(
        course=Course(story), total=10, reached=lambda: clock.at, done=lambda: 4, clock=lambda: clock.seconds
    )
    assert meter.look().left_s is None
    clock.pass_by(LEAST_S, timedelta(days=30))
    seen = meter.look()
    assert seen.left_s == pytest.approx(LEAST_S * (1 - seen.share) / seen.share, abs=1)
    assert "报告 4/10 份" in seen.text


def test_a_run_that_stands_still_promises_nothing(story: Story) -> None:
    clock = Clock(story)
    meter = Meter(
        course=Course(story), total=10, reached=lambda: clock.at, done=lambda: 0, clock=lambda: clock.seconds
    )
    meter.look()
    clock.pass_by(60, timedelta(0))
    assert meter.look().left_s is None
    assert "正在估计" in meter.look().text


def test_a_database_that_does_not_answer_stops_no_progress(story: Story) -> None:
    assert Meter(course=Course(story), total=1, reached=lambda: None, done=lambda: 0).look().share == 0.0


def test_the_last_line_says_in_words_how_the_reports_ended() -> None:
    told = whole({"registered": 92, "withheld": 5, "dropped": 1}, 5, 71.3)
    assert told == ("演示城市已经补齐，用时 71 秒：报告登记 92 份、没有给码 5 份、没有申请 1 份；还在办 5 份")


def test_progress_is_read_as_it_was_written_and_rubbish_is_none(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    write_progress(tmp_path, Progress(phase="filling", done=3, total=9, text="三份"))
    assert read_progress(tmp_path) == Progress(phase="filling", done=3, total=9, text="三份")
    (tmp_path / "city" / "progress.json").write_text("{", "utf-8")
    assert read_progress(tmp_path) is None


def test_the_share_of_a_course_grows_from_nothing_to_all(story: Story) -> None:
    course = Course(story)
    shares = [course.share(story.start + timedelta(days=day)) for day in range(0, 45, 5)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert isinstance(story.end, datetime)
