"""GB/T 8170 rounding and comparison with limits."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.domain.basics.rounding import (
    Limit,
    compare_full_value,
    compare_rounded,
    round_half_even_multiple,
    round_half_even_places,
)

CASES = tomllib.loads((Path(__file__).parent / "rounding_cases.toml").read_text(encoding="utf-8"))["case"]
KNOWN = Path(__file__).resolve().parents[6] / "shared" / "methods" / "known" / "rounding_gbt8170.json"
INTERVALS = st.sampled_from([Decimal(text) for text in "1 0.1 0.5 0.2 5 20 100 0.001 0.25".split()])
NUMBERS = st.decimals(
    min_value=Decimal("-1e15"), max_value=Decimal("1e15"), allow_nan=False, allow_infinity=False, places=6
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["shows"])
def test_each_worked_case_rounds_as_written(case):
    assert str(round_half_even_multiple(Decimal(case["x"]), Decimal(case["interval"]))) == case["expected"]


def test_the_known_answers_are_met():
    if not KNOWN.exists():
        pytest.skip("../shared/methods/known/rounding_gbt8170.json is not here")
    for case in json.loads(KNOWN.read_text(encoding="utf-8")):
        rounded = round_half_even_multiple(Decimal(case["x"]), Decimal(case["interval"]))
        assert str(rounded) == case["expected"], case


@given(NUMBERS, INTERVALS)
def test_the_result_is_a_nearest_multiple_and_a_tie_is_even(x, interval):
    rounded = round_half_even_multiple(x, interval)
    multiple = Fraction(rounded) / Fraction(interval)
    distance = abs(Fraction(x) - Fraction(rounded))
    assert multiple.denominator == 1
    assert distance * 2 <= Fraction(interval)
    assert distance * 2 < Fraction(interval) or multiple.numerator % 2 == 0
    assert rounded.as_tuple().exponent == interval.as_tuple().exponent


@given(NUMBERS, INTERVALS)
def test_the_sign_makes_no_difference_to_the_size(x, interval):
    assert round_half_even_multiple(-x, interval) == -round_half_even_multiple(x, interval)


@given(NUMBERS, INTERVALS)
def test_rounding_twice_by_one_interval_changes_nothing(x, interval):
    once = round_half_even_multiple(x, interval)
    assert round_half_even_multiple(once, interval) == once


@pytest.mark.parametrize(("places", "expected"), [(0, "12"), (1, "12.4"), (2, "12.35"), (-1, "1E+1")])
def test_places_are_intervals_of_ten(places, expected):
    assert str(round_half_even_places(Decimal("12.35"), places)) == expected


@pytest.mark.parametrize("interval", ["0", "-1", "NaN", "Infinity"])
def test_an_interval_that_is_not_a_positive_number_is_an_error(interval):
    with pytest.raises(ValueError, match=r"interval|finite"):
        round_half_even_multiple(Decimal(1), Decimal(interval))


def test_binary_floats_are_refused():
    with pytest.raises(TypeError, match="decimals"):
        round_half_even_multiple(0.1, Decimal(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "full", "rounded"),
    [("97.0", True, True), ("96.96", False, True), ("96.95", False, True), ("96.94", False, False)],
)
def test_a_limit_of_at_least_97_0_by_both_methods(x, full, rounded):
    assert compare_full_value(Decimal(x), Limit.AT_LEAST, Decimal("97.0")).conforms is full
    # 96.95 is a tie between 96.9 and 97.0; 970 is even.
    assert compare_rounded(Decimal(x), Limit.AT_LEAST, Decimal("97.0")).conforms is rounded


@pytest.mark.parametrize(
    ("relation", "below", "at", "above"),
    [
        (Limit.AT_LEAST, False, True, True),
        (Limit.AT_MOST, True, True, False),
        (Limit.MORE_THAN, False, False, True),
        (Limit.LESS_THAN, True, False, False),
    ],
)
def test_each_relation_below_at_and_above_its_limit(relation, below, at, above):
    limit = Decimal("0.50")
    outcomes = [compare_full_value(Decimal(x), relation, limit).conforms for x in ("0.49", "0.50", "0.51")]
    assert outcomes == [below, at, above]


def test_a_named_interval_replaces_the_last_place_of_the_limit():
    compared = compare_rounded(Decimal("432.5"), Limit.AT_LEAST, Decimal("435"), interval=Decimal(5))
    assert (str(compared.compared), compared.conforms) == ("430", False)
