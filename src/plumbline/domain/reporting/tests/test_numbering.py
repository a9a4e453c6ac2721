"""Continuous numbers: in testing, given up, missing are three different things."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.domain.reporting.numbering import (
    LARGEST,
    NumberPattern,
    Series,
    gap_findings,
    gap_report,
    spans,
)

SERIES = Series(institution="HC", document_kind="report", category_prefix="TYJ", site="A", year=2026)
SETS = st.sets(st.integers(1, 40))


@pytest.mark.clause("BJ 9.1.2-a")
def test_in_testing_given_up_and_missing_are_told_apart():
    report = gap_report({1, 2, 3, 5}, {1, 2}, {5: "样品破损"}, 7)
    assert report.issued == (1, 2)
    assert report.in_testing == (3,)
    assert report.voided == {5: "样品破损"}
    assert report.missing == (4, 6, 7)


@pytest.mark.clause("CECS-E 4.1.2")
def test_a_series_without_gap_gives_no_finding():
    assert gap_findings(SERIES, gap_report({1, 2, 3}, {1, 2}, {}, 3)) == ()


@given(SETS, SETS, SETS, st.integers(0, 50))
def test_every_number_stands_in_exactly_one_class(taken, issued, voided, highest):
    report = gap_report(taken, issued, dict.fromkeys(voided, "原因"), highest)
    together = [*report.issued, *report.in_testing, *report.voided, *report.missing]
    last = max([highest, *taken, *issued, *voided])
    assert sorted(together) == list(range(1, last + 1))


@pytest.mark.parametrize(
    ("highest", "missing"),
    [(0, ()), (2, ()), (3, (3,)), (4, (3, 4))],
)
def test_the_highest_number_given_bounds_the_gaps(highest, missing):
    assert gap_report({1, 2}, {1}, {}, highest).missing == missing


def codes(*arguments) -> set[str]:
    return {finding.code for finding in gap_findings(SERIES, gap_report(*arguments))}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (({1, 3}, {1, 3}, {}, 3), "numbering.missing_number"),
        (({1}, set(), {1: "  "}, 1), "numbering.unexplained_void"),
        (({1}, {1}, {1: "重复"}, 1), "numbering.contradictory_record"),
        ((set(), {1}, {}, 1), "numbering.unaccepted_report"),
    ],
)
def test_each_oddity_has_its_own_finding(arguments, code):
    assert codes(*arguments) == {code}


def test_a_finding_names_the_numbers_in_spans():
    (finding,) = gap_findings(SERIES, gap_report({1, 6}, {1, 6}, {}, 6))
    assert "4 个编号" in finding.sentence
    assert "2–5" in finding.sentence
    assert finding.clause == "BJ 9.1.2-a"


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([3, 4], "3–4"), ([9, 3, 7, 8, 12], "3、7–9、12")]
)
def test_spans_are_written_as_people_write_them(numbers, text):
    assert spans(numbers) == text


@pytest.mark.parametrize(
    "arguments", [({0}, set(), {}, 1), (set(), set(), {}, -1), (set(), set(), {}, LARGEST + 1)]
)
def test_numbers_that_cannot_be_are_a_bug(arguments):
    with pytest.raises(ValueError, match="from 1 to"):
        gap_report(*arguments)


PATTERN = NumberPattern("HC-{category}-{year}-{serial:6}")


@pytest.mark.parametrize("sign", ["(x)+", "a*", "a|b", "a?", "^", "$", "a+", "\\d"])
def test_a_sign_of_regular_expressions_in_a_pattern_is_refused_or_means_itself(sign):
    with pytest.raises(ValueError, match="number pattern"):
        NumberPattern(f"HC{sign}-{{year}}-{{serial:4}}")
    for plain in ("HC.A", "HC[A]"):
        kept = NumberPattern(f"{plain}-{{year}}-{{serial:4}}")
        assert kept.parse(f"{plain}-2026-0007") is not None
        assert kept.parse("HCxA-2026-0007") is None and kept.parse("HCA-2026-0007") is None


def test_a_number_is_written_and_read_by_the_pattern_of_its_institution():
    text = PATTERN.format(SERIES, 4187)
    assert text == "HC-TYJ-2026-004187"
    parsed = PATTERN.parse(text)
    assert (parsed.serial, parsed.year, parsed.category) == (4187, 2026, "TYJ")


@pytest.mark.parametrize(
    "text",
    [
        "HC-TYJ-2026-4187",
        "HC-TYJ-26-004187",
        "XX-TYJ-2026-004187",
        "HC-TYJ-2026-0041870",
        "HC-TYJ-2026-004187\n",
        "",
    ],
)
def test_another_spelling_is_not_a_number_of_this_pattern(text):
    assert PATTERN.parse(text) is None


@pytest.mark.parametrize(("serial", "tail"), [(1, "000001"), (999_999, "999999"), (1_000_000, "1000000")])
def test_a_serial_grows_beyond_its_padding(serial, tail):
    text = PATTERN.format(SERIES, serial)
    assert text.endswith(f"-{tail}")
    assert PATTERN.parse(text).serial == serial


def test_short_years_kinds_and_sites_have_their_fields():
    pattern = NumberPattern("{kind}{site}\u3014{year:2}\u3015{serial}")
    text = pattern.format(replace(SERIES, document_kind="R"), 12)
    assert text == "RA\u301426\u301512"
    assert pattern.parse(text).year == 2026


@pytest.mark.parametrize(
    "pattern",
    ["", "HC-{year}", "{serial}{serial}", "{serial}-{name}", "{serial:0}", "{serial}\n", "{serial} {year"],
)
def test_a_pattern_that_cannot_be_is_refused(pattern):
    with pytest.raises(ValueError, match="number pattern"):
        NumberPattern(pattern)


def test_there_is_no_number_zero():
    with pytest.raises(ValueError, match="begin at 1"):
        PATTERN.format(SERIES, 0)
