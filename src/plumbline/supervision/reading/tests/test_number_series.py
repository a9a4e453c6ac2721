"""Consecutive numbers: what became of each, 在检, 作废 and 缺号 apart, each opening its report."""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.domain.reporting.numbering import LARGEST
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.numbers import LARGEST_JUMP, MOST_LINES, series_of


def number(serial: int, *, used: bool = True, voided: str | None = None, **changes: Any) -> dict[str, Any]:
    """One row of the series HC-HNT-2026 as the query gives it."""
    return {
        "institution": "ab" * 16,
        "name": "衡川诚测检测有限公司",
        "document_kind": "report",
        "prefix": "HNT",
        "site": "HC-01",
        "year": 2026,
        "serial": serial,
        "number": f"HC-HNT-2026-{serial:06d}",
        "voided": voided,
        "report": f"{serial:032x}" if used else None,
        "used": used,
        "state": "registered" if used else None,
    } | changes


@pytest.mark.clause("BJ 9.1.2-a", "CECS-E 4.1.2")
def test_each_number_is_counted_once_under_what_became_of_it() -> None:
    rows = [number(1), number(2, used=False), number(3, used=False, voided="委托方撤销"), number(6)]
    series = series_of(rows)
    assert (series.issued, series.in_testing_count, series.voided_count, series.missing_count) == (2, 1, 1, 2)
    assert series.missing == "4–5"
    assert (series.highest, series.tone, series.standing) == (6, Tone.BAD, "缺 2 个号")
    assert (
        series.issued + series.in_testing_count + series.voided_count + series.missing_count == series.highest
    )


def test_a_void_number_shows_its_reason() -> None:
    line = series_of([number(1, used=False, voided="委托方撤销")]).voided[0]
    assert (line.number, line.note, line.url) == ("HC-HNT-2026-000001", "委托方撤销", None)


def test_a_used_number_opens_its_report() -> None:
    line = series_of([number(7 - 6), number(2)]).newest[0]
    assert (line.number, line.url, line.note) == ("HC-HNT-2026-000002", f"/reports/{2:032x}/", "已登记")


def test_a_series_without_gaps_says_so() -> None:
    series = series_of([number(1), number(2)])
    assert (series.tone, series.standing, series.remarks) == (Tone.OK, "没有缺号", ())


def test_a_number_reported_and_void_at_once_is_asked_about() -> None:
    series = series_of([number(1, voided="写错了")])
    assert series.tone is Tone.WARN
    assert "既出具了报告又登记为作废" in series.remarks[0]


def test_a_number_that_begins_after_one_misses_the_first() -> None:
    assert series_of([number(2)]).missing == "1"


@pytest.mark.parametrize(("serial", "missing"), [(LARGEST_JUMP, LARGEST_JUMP - 1), (LARGEST_JUMP + 1, 0)])
def test_a_jump_too_wide_to_list_is_one_remark(serial: int, missing: int) -> None:
    series = series_of([number(serial)])
    assert series.missing_count == missing
    assert any("跳到" in each for each in series.remarks) is (missing == 0)


@pytest.mark.parametrize("serial", [0, LARGEST + 1])
def test_a_serial_outside_the_series_is_said_and_breaks_nothing(serial: int) -> None:
    series = series_of(sorted([number(1), number(serial)], key=lambda row: row["serial"]))
    assert series.issued == 1
    assert "1 个号的顺序号" in series.remarks[0]


@pytest.mark.parametrize("count", [MOST_LINES, MOST_LINES + 1])
def test_a_long_list_is_cut_and_counted_in_full(count: int) -> None:
    series = series_of([number(serial, used=False) for serial in range(1, count + 1)])
    assert (len(series.in_testing), series.in_testing_count) == (MOST_LINES, count)


def test_other_documents_speak_of_use_and_not_of_reports() -> None:
    series = series_of([number(1, document_kind="commission")])
    assert (series.title, series.issued_word, series.open_word) == ("委托编号", "已使用", "已取号")
