from __future__ import annotations

import json
import time

import numpy as np
import pytest

from plumbline.domain.methods.curve import (
    Series,
    carries_strength,
    check_series,
    contact_offset,
    load_cycles,
    loading_rate,
    rate_series,
    series_of,
)
from plumbline.domain.methods.tests.recordings import concrete_curves, recorded


def pressed(points: int = 400, *, interval_s: float = 0.2) -> Series:
    """A cube pressed at 0.5 MPa/s with a load cell's texture, then broken."""
    noise = np.random.default_rng(7).normal(0, 0.3, points)
    time_s = np.arange(points) * interval_s
    force = 11.25 * time_s + noise
    force[-5:] = [force[-6] * share for share in (0.9, 0.6, 0.3, 0.1, 0.0)]
    return series_of(time_s, force)


def codes(series: Series) -> list[str]:
    return [finding.code.removeprefix("curve.") for finding in check_series(series)]


@pytest.mark.clause("BJ 6.2.1.3")
def test_a_sound_curve_is_left_alone() -> None:
    assert codes(pressed()) == []


@pytest.mark.clause("BJ 6.2.1.3")
@pytest.mark.parametrize(("points", "told"), [(0, True), (1, True), (49, True), (50, False)])
def test_fewer_than_fifty_points_carry_no_strength(points: int, told: bool) -> None:
    series = Series(pressed().time_s[:points], pressed().value[:points])
    assert ("few_points" in codes(series)) is told


@pytest.mark.clause("BJ 6.2.1.3")
def test_time_running_back_is_told_with_its_point() -> None:
    series = pressed()
    series.time_s[100] = series.time_s[99] - 0.05
    (finding,) = check_series(series)
    assert finding.code == "curve.reversed_time"
    assert finding.facts["point"] == "101"
    assert not carries_strength([finding])


@pytest.mark.parametrize(("pause_s", "told"), [(0.39, False), (0.41, True), (30.0, True)])
def test_gaps_beyond_three_intervals_and_half_a_second_are_told(pause_s: float, told: bool) -> None:
    series = pressed()
    series.time_s[200:] += pause_s
    assert (codes(series) == ["interrupted_curve"]) is told


def test_a_wide_interval_below_half_a_second_is_no_gap() -> None:
    series = pressed(2000, interval_s=0.02)
    series.time_s[200:] += 0.4
    assert codes(series) == []


@pytest.mark.parametrize(("duration_s", "told"), [(4.99, True), (5.01, False)])
def test_a_test_of_less_than_five_seconds_is_told(duration_s: float, told: bool) -> None:
    assert ("short_duration" in codes(pressed(500, interval_s=duration_s / 499))) is told


@pytest.mark.parametrize(
    ("points", "expected"), [(1023, ["undropped_end"]), (1024, ["buffer-limited"]), (1025, ["undropped_end"])]
)
def test_a_full_buffer_without_a_drop_is_not_a_failure(points: int, expected: list[str]) -> None:
    whole = pressed(1100)
    assert codes(Series(whole.time_s[:points], whole.value[:points])) == expected


def test_a_broken_specimen_of_just_1024_points_is_sound() -> None:
    assert codes(pressed(1024)) == []


def test_modulus_cycles_are_refused_as_strength() -> None:
    time_s = np.arange(0, 300, 0.2)
    force = 100 + 90 * np.sin(time_s / 10) + np.random.default_rng(3).normal(0, 0.2, time_s.size)
    found = check_series(series_of(time_s, force))
    assert [finding.code for finding in found] == ["curve.cyclic_loading"]
    assert not carries_strength(found)


@pytest.mark.parametrize(("seating", "cycles"), [(0, 0), (1, 1)])
def test_one_seating_cycle_is_allowed(seating: int, cycles: int) -> None:
    whole = pressed()
    lift = np.concatenate([np.linspace(0, 300, 100), np.linspace(300, 0, 100)] * seating or [np.empty(0)])
    force = np.concatenate([lift + np.random.default_rng(1).normal(0, 0.2, lift.size), whole.value])
    series = series_of(np.arange(force.size) * 0.2, force)
    assert load_cycles(series) == cycles
    assert carries_strength(check_series(series))


def test_a_set_point_channel_is_told() -> None:
    series = pressed()
    series.value[:-5] = 11.25 * series.time_s[:-5]
    assert codes(series) == ["smoothed_curve"]


def test_a_standing_signal_is_told() -> None:
    series = pressed()
    series.value[:-5] = np.floor(series.value[:-5] / 50) * 50
    assert codes(series) == ["standing_signal"]


def test_a_curve_without_force_is_told() -> None:
    assert codes(series_of(np.arange(100) * 0.2, np.zeros(100))) == ["forceless_curve"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        series_of([0.0, 0.1], [1.0, value])


def test_the_rate_is_the_slope_of_the_regression() -> None:
    rate = loading_rate(pressed(), 22_500.0, band=(0.5, 0.8))
    assert rate.mean_MPa_per_s == pytest.approx(0.5, abs=0.001)
    assert rate.max_deviation < 0.05
    assert (rate.share_outside, rate.window_s) == (0.0, 2.0)
    assert rate.judged_from_s == pytest.approx(0.2 * 78.8, abs=0.5)
    assert rate.judged_to_s == pytest.approx(0.8 * 78.8, abs=0.5)


def test_half_the_time_outside_the_band_is_half() -> None:
    time_s = np.arange(0, 100, 0.1)
    stress = np.where(time_s < 50, 0.3 * time_s, 15 + 0.7 * (time_s - 50))
    rate = loading_rate(series_of(time_s, stress), 1000.0, band=(0.25, 0.5))
    # 20 % of 49.93 MPa is reached after 33 s, 80 % after 85.6 s: 16.7 s inside, 35.6 s outside.
    assert rate.share_outside == pytest.approx(0.68, abs=0.03)


def test_a_curve_without_a_judged_part_has_no_rate() -> None:
    with pytest.raises(ValueError, match="too few points"):
        loading_rate(series_of([0.0, 1.0, 2.0], [0.0, 0.0, 9.0]), 22_500.0)


def test_the_drawn_rate_has_a_value_for_every_point_up_to_the_maximum() -> None:
    series = pressed()
    drawn = rate_series(series, 22_500.0)
    assert len(drawn) == series.peak + 1
    assert drawn.value[50:-50] == pytest.approx(np.full(len(drawn) - 100, 0.5), abs=0.05)


def test_contact_is_where_the_load_begins_to_rise() -> None:
    idle = np.random.default_rng(5).normal(0, 0.2, 300)
    series = series_of(np.arange(700) * 0.2, np.concatenate([idle, pressed().value]))
    assert contact_offset(series) == pytest.approx(300, abs=15)


def test_a_million_points_are_judged_within_seconds() -> None:
    series = pressed(1_000_000, interval_s=0.0001)
    started = time.perf_counter()
    check_series(series)
    loading_rate(series, 22_500.0)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("prefix", "count", "expected"),
    [
        ("Druckfestigkeit_BAM", 48, []),
        ("Druckfestigkeit__H", 6, ["buffer-limited"]),
        ("Druckfestigkeit__Maack", 2, []),
        ("Druckfestigkeit__Wolf", 3, []),
        ("E-Modul_28_Tage", 25, []),
        ("E-modul", 24, ["cyclic_loading"]),
    ],
)
def test_every_concrete_recording_is_told_for_what_it_is(
    prefix: str, count: int, expected: list[str]
) -> None:
    found = {name: codes(series) for name, series in concrete_curves(prefix)}
    assert len(found) == count
    assert {name for name, told in found.items() if told != expected} == set()


def test_recorded_rates_agree_with_those_known() -> None:
    meta = json.loads((recorded("bam_lebedigital_concrete") / "meta.json").read_text(encoding="utf-8"))
    known = {entry["name"]: entry["rate_kN_s_20_80"] / 22.5 for entry in meta}
    for name, series in concrete_curves("Druckfestigkeit_BAM"):
        assert loading_rate(series, 22_500.0).mean_MPa_per_s == pytest.approx(known[name], rel=0.02)
