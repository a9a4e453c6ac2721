"""Thinning keeps extremes, never averages; gaps need both a long step and half a second."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.supervision.reading.curve_documents import axis_maximum
from plumbline.supervision.reading.decimation import extremes, gaps


@pytest.mark.parametrize(("size", "kept"), [(1, 1), (1999, 1999), (2000, 2000)])
def test_a_curve_that_fits_stays_whole(size: int, kept: int) -> None:
    assert extremes(np.arange(size, dtype=np.float64)).tolist() == list(range(kept))


def test_a_longer_curve_keeps_its_ends_and_its_one_sharp_peak() -> None:
    values = np.zeros(100_000)
    values[54_321], values[70_001] = 900.0, -3.0
    kept = extremes(values).tolist()
    assert len(kept) <= 2000
    assert {0, 54_321, 70_001, 99_999} <= set(kept)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(4, 60))
def test_kept_points_are_recorded_ones_in_order_with_both_extremes(values: list[float], most: int) -> None:
    series = np.asarray(values)
    kept = extremes(series, most)
    assert len(kept) <= max(most, min(most, len(values)))
    assert (np.diff(kept) > 0).all()
    assert {series.max(), series.min()} <= set(series[kept].tolist())


def test_fewer_than_four_points_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="extremes"):
        extremes(np.zeros(10), 3)


@pytest.mark.parametrize(("step", "found"), [(0.49, 0), (0.5, 0), (0.51, 1)])
def test_a_gap_is_longer_than_half_a_second(step: float, found: int) -> None:
    times = np.concatenate([np.arange(0, 5, 0.1), 4.9 + step + np.arange(0, 5, 0.1)])
    assert len(gaps(times)) == found


def test_slow_sampling_is_no_gap() -> None:
    assert gaps(np.arange(0, 100, 2.0)) == []


@pytest.mark.parametrize(("peak", "axis"), [(90.0, 100.0), (790.0, 1000.0), (113.6, 150.0), (0.0, None)])
def test_the_force_axis_ends_at_a_round_number_above_the_peak(peak: float, axis: float | None) -> None:
    assert axis_maximum([peak]) == axis
