"""Readings become whole counts of the sensor's resolution without loss on its grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.acquisition.curve_scale import (
    ScaleError,
    estimate_resolution,
    exact_value,
    quantise,
    restore,
    scale_reading,
)


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=50),
    st.sampled_from(["1", "0.5", "0.05", "0.001", "0.000001", "2", "0.02"]),
)
def test_values_on_the_grid_come_back_exactly(counts: list[int], scale: str) -> None:
    values = restore(np.array(counts, dtype=np.int64), scale)
    back, text = quantise(values, scale)
    assert back.tolist() == counts
    assert (restore(back, text) == values).all()


@pytest.mark.parametrize(("value", "count"), [(0.5, 0), (0.49, 0), (0.51, 1), (1.5, 2), (2.5, 2), (-1.5, -2)])
def test_ties_go_to_the_even_count(value: float, count: int) -> None:
    assert quantise(np.array([value]), "1")[0].tolist() == [count]
    assert scale_reading(str(value), "1") == count


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.05 * n for n in range(100)], "0.05"),
        ([n / 100 for n in range(100)], "0.01"),
        ([2.0 * n for n in range(100)], "2"),
        ([222.20000000000005, 513.8, 7.4, 1.1, 9.9, 3.3, 8.1, 4.2], "0.1"),
        ([0.0, 0.0], "0.001"),
        ([], "0.001"),
    ],
)
def test_the_grid_of_the_readings_is_found(values: list[float], scale: str) -> None:
    assert estimate_resolution(np.array(values)) == scale


def test_printed_floating_point_is_cut_to_a_millionth_of_the_range() -> None:
    values = np.random.default_rng(1).uniform(0, 1500, 500)
    assert estimate_resolution(values) == "0.001"


def test_a_few_readings_are_no_evidence_of_a_coarse_sensor() -> None:
    assert estimate_resolution(np.array([30.0, 60.0, 90.0])) == "1"


@pytest.mark.parametrize("scale", ["0", "-0.1", "abc", "NaN", "Infinity", "0.0000000001", ""])
def test_a_scale_that_is_none_is_refused(scale: str) -> None:
    with pytest.raises(ScaleError):
        quantise(np.array([1.0]), scale)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_no_count_can_hold_are_refused(value: float) -> None:
    with pytest.raises(ScaleError):
        quantise(np.array([value]), "0.01")


def test_the_exact_value_has_the_places_of_the_scale() -> None:
    assert exact_value(89627, "0.01") == "896.27"
    assert exact_value(3, "0.05") == "0.15"
    assert exact_value(-4, "5") == "-20"
