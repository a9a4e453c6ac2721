"""Working days by the yearly notices of the State Council, and local time (工作日、调休、北京时间)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from plumbline.domain.basics.findings import Finding, Severity

#: All of China keeps one time without summer time since 1992; a fixed offset needs no zone database.
SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
_DAY: Final = timedelta(days=1)


class CalendarFileError(ValueError):
    """A calendar file is wrong; the message names file, year and entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarYear:
    """One year's public holidays and the weekend days that are worked instead (调休)."""

    year: int
    holidays: frozenset[date]
    make_up_days: frozenset[date]
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class DayAnswer:
    """A day that was counted to, with a warning for each year that the calendar does not know."""

    value: date
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class CountAnswer:
    """A number of working days, with a warning for each year that the calendar does not know."""

    value: int
    warnings: tuple[Finding, ...] = ()


class WorkCalendar:
    """The working days that are known; an unknown year falls back to plain weekends and says so."""

    def __init__(self, years: Iterable[CalendarYear] = ()) -> None:
        self._years: Mapping[int, CalendarYear] = {year.year: year for year in years}

    @classmethod
    def load(cls, *sources: Path | Traversable | str) -> WorkCalendar:
        """Read TOML tables; a year in a later file replaces the same year of an earlier one."""
        return cls(year for source in sources for year in _read(source))

    @classmethod
    def packaged(cls) -> WorkCalendar:
        """The table that ships with the product."""
        return cls.load(files("plumbline.domain.basics") / "calendar.toml")

    def year(self, number: int) -> CalendarYear | None:
        """What is known of a year, or None."""
        return self._years.get(number)

    def is_working_day(self, day: date) -> bool:
        """True on a working day; ask `warnings_for` whether the year is known."""
        known = self._years.get(day.year)
        if known is not None and day in known.holidays:
            return False
        if known is not None and day in known.make_up_days:
            return True
        return day.weekday() < 5

    def add_working_days(self, day: date, count: int) -> DayAnswer:
        """The ``count``-th working day after ``day`` (before it when negative); ``day`` itself never counts.

        Zero gives ``day`` back, working day or not. Never raises for an unknown year.
        """
        step = _DAY if count >= 0 else -_DAY
        remaining, reached = abs(count), day
        while remaining:
            reached += step
            remaining -= self.is_working_day(reached)
        return DayAnswer(reached, self.warnings_for(day, reached))

    def working_days_between(self, start: date, end: date) -> CountAnswer:
        """How many working days lie after ``start`` up to and including ``end``; else 0."""
        span = range(1, max(0, (end - start).days) + 1)
        count = sum(self.is_working_day(start + timedelta(days=n)) for n in span)
        return CountAnswer(count, self.warnings_for(start, end))

    def warnings_for(self, *days: date) -> tuple[Finding, ...]:
        """One finding for each unknown year from the earliest to the latest of ``days``."""
        if not days:
            return ()
        years = range(min(days).year, max(days).year + 1)
        return tuple(_unknown_year(year) for year in years if year not in self._years)


def local_date(instant: datetime) -> date:
    """The calendar day in China of an aware instant."""
    return _aware(instant).astimezone(SHANGHAI).date()


def local_text(instant: datetime) -> str:
    """An aware instant as people in China write it, to the second: ``2026-03-01 09:30:00``."""
    return _aware(instant).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant without time zone means nothing")
    return instant


def _unknown_year(year: int) -> Finding:
    return Finding(
        code="calendar.unknown_year",
        clause="",
        sentence=f"{year} 年的放假调休安排尚未录入，暂按周一至周五为工作日计算",
        severity=Severity.NOTICE,
        facts={"year": str(year)},
        remedy="请按国务院办公厅通知录入该年度的放假和调休日期",
        unverified=True,
    )


def _read(source: Path | Traversable | str) -> list[CalendarYear]:
    file = Path(source) if isinstance(source, str) else source
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        return [_year(entry) for entry in document["year"]]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise CalendarFileError(f"{file}: {error}") from error


def _year(entry: Mapping[str, Any]) -> CalendarYear:
    number = entry["year"]
    holidays = frozenset(day for span in entry["holidays"] for day in _span(span))
    make_up_days = frozenset(entry["make_up_days"])
    for day in holidays | make_up_days:
        if day.year != number:
            raise ValueError(f"{day} does not lie in {number}")
    for day in make_up_days:
        if day.weekday() < 5 or day in holidays:
            raise ValueError(f"make-up day {day} is not a weekend day that is worked")
    return CalendarYear(
        year=number,
        holidays=holidays,
        make_up_days=make_up_days,
        source=entry["source"],
        verified=entry["verified"],
    )


def _span(span: Mapping[str, Any]) -> list[date]:
    first, last = span["from"], span["to"]
    if last < first:
        raise ValueError(f"holiday ends before it begins: {span}")
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
