"""Working days with public holidays and make-up days."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from plumbline.domain.basics.calendar import CalendarFileError, WorkCalendar, local_date, local_text

CALENDAR = WorkCalendar.packaged()


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 9, 18), True),
        (date(2026, 9, 19), False),
        (date(2026, 9, 20), True),
        (date(2026, 9, 30), True),
        (date(2026, 10, 1), False),
        (date(2026, 10, 7), False),
        (date(2026, 10, 8), True),
        (date(2026, 10, 10), True),
        (date(2025, 1, 26), True),
        (date(2025, 1, 28), False),
        (date(2024, 2, 9), True),
        (date(2024, 2, 18), True),
    ],
)
def test_holidays_rest_and_make_up_days_work(day, works):
    assert CALENDAR.is_working_day(day) is works


@pytest.mark.parametrize(("year", "expected"), [(2024, 251), (2025, 248), (2026, 248)])
def test_the_number_of_working_days_of_a_year(year, expected):
    answer = CALENDAR.working_days_between(date(year - 1, 12, 31), date(year, 12, 31))
    assert answer.value == expected


@pytest.mark.clause("JJ 三(三)-a")
@pytest.mark.parametrize(
    ("signed", "due"),
    [
        (date(2026, 9, 30), date(2026, 10, 13)),
        (date(2026, 9, 29), date(2026, 10, 12)),
        (date(2026, 5, 11), date(2026, 5, 18)),
        (date(2026, 9, 18), date(2026, 9, 24)),
    ],
)
def test_five_working_days_step_over_the_holiday_and_count_make_up_days(signed, due):
    answer = CALENDAR.add_working_days(signed, 5)
    assert answer.value == due
    assert answer.warnings == ()


def test_counting_back_and_counting_nothing():
    assert CALENDAR.add_working_days(date(2026, 10, 8), -1).value == date(2026, 9, 30)
    assert CALENDAR.add_working_days(date(2026, 10, 3), 0).value == date(2026, 10, 3)


def test_an_unknown_year_warns_and_falls_back_to_weekends():
    answer = CALENDAR.add_working_days(date(2031, 9, 30), 1)
    assert answer.value == date(2031, 10, 1)
    assert [warning.code for warning in answer.warnings] == ["calendar.unknown_year"]
    assert "2031" in answer.warnings[0].sentence


def test_each_unknown_year_on_the_way_is_named_once():
    answer = CALENDAR.working_days_between(date(2026, 12, 31), date(2028, 1, 3))
    assert [warning.facts["year"] for warning in answer.warnings] == ["2027", "2028"]


def test_no_table_at_all_still_answers():
    assert WorkCalendar().add_working_days(date(2026, 10, 2), 1).value == date(2026, 10, 5)


TABLE = """
[[year]]
year = 2030
source = "例"
verified = false
holidays = [{ name = "元旦", from = 2030-01-01, to = 2030-01-01 }]
make_up_days = [2030-01-05]
"""


def test_an_edited_table_replaces_a_year(tmp_path):
    path = tmp_path / "calendar.toml"
    path.write_text(TABLE, encoding="utf-8")
    calendar = WorkCalendar.load(path)
    assert calendar.is_working_day(date(2030, 1, 5))
    assert not calendar.is_working_day(date(2030, 1, 1))
    assert calendar.year(2030).verified is False


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[2030-01-05]", "[2030-01-04]"),
        ("[2030-01-05]", "[2031-01-05]"),
        ("to = 2030-01-01", "to = 2029-12-31"),
        ("verified = false", ""),
        ("[[year]]", "[[years]]"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, old, new):
    path = tmp_path / "calendar.toml"
    path.write_text(TABLE.replace(old, new), encoding="utf-8")
    with pytest.raises(CalendarFileError, match=r"calendar\.toml"):
        WorkCalendar.load(path)


def test_instants_are_shown_in_beijing_time():
    instant = datetime(2026, 2, 28, 16, 0, 5, tzinfo=UTC)
    assert local_date(instant) == date(2026, 3, 1)
    assert local_text(instant) == "2026-03-01 00:00:05"


def test_an_instant_without_zone_is_a_bug():
    with pytest.raises(ValueError, match="time zone"):
        local_date(datetime(2026, 3, 1))  # noqa: DTZ001 -- the point of the test
