"""What the page on consecutive numbers shows: each series with what became of every number (编号连续性的视图模型).

Pure: no Django, no database, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.supervision.pages.wording import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLine:
    """One number of a series that needs a line of its own; without ``url`` there is no report to open."""

    number: str
    url: str | None = None
    #: why it was given up, or how far it is
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSeries:
    """One series: institution × kind of document × category prefix × site × year (编号系列)."""

    #: 报告编号, 委托编号 …
    title: str
    institution: str
    prefix: str
    site: str
    year: int
    #: highest number on record
    highest: int
    #: word for a number that did what it was taken for: 已出报告, 已使用
    issued_word: str
    issued: int
    #: word for a taken number that has not come that far: 在检, 已取号
    open_word: str
    in_testing: tuple[NumberLine, ...] = ()
    in_testing_count: int = 0
    #: given up, each with its reason
    voided: tuple[NumberLine, ...] = ()
    voided_count: int = 0
    #: numbers without any record as people write them: 7–9、12; empty when there are none
    missing: str = ""
    missing_count: int = 0
    #: newest numbers in use, each opening its report
    newest: tuple[NumberLine, ...] = ()
    #: sentences on what an officer should ask about
    remarks: tuple[str, ...] = ()

    @property
    def tone(self) -> Tone:
        """Red for numbers without a record, amber for what should be explained, green otherwise."""
        if self.missing_count:
            return Tone.BAD
        return Tone.WARN if self.remarks else Tone.OK

    @property
    def standing(self) -> str:
        """What the tag beside the series says."""
        if self.missing_count:
            return f"缺 {self.missing_count} 个号"
        return "有要问的" if self.remarks else "没有缺号"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice of year or institution."""

    label: str
    url: str
    is_active: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersPage:
    """Whether the yearly series of numbers are whole (编号连续性)."""

    series: tuple[NumberSeries, ...]
    years: tuple[Choice, ...] = ()
    #: only for readers of several institutions
    institutions: tuple[Choice, ...] = ()
    #: said instead of the series when there are too many numbers for one page
    too_many: str = ""

    @property
    def missing(self) -> int:
        """Numbers without any record in all series shown."""
        return sum(each.missing_count for each in self.series)
