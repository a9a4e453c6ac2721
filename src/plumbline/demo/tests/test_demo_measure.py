"""From recording to message: nothing is lost between the machine's file and the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from plumbline.acquisition.recordings import discover
from plumbline.acquisition.simulator import TENSION_600, BarSteel, SimulatedPress
from plumbline.demo.city import simulated_cubes
from plumbline.demo.measure import bar, cube, curve_of, is_extension
from plumbline.demo.results import bar_result, cube_result
from plumbline.exchange.curves import channel_times_us, channel_values

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
AT = datetime(2026, 10, 1, 1, tzinfo=UTC)


def cubes(*strengths: float):
    recordings = simulated_cubes(5, strengths, "C30")
    return [cube(each, ordinal=i, tag=f"HC{i}", started_at=AT) for i, each in enumerate(recordings, start=1)]


def test_the_curve_on_the_wire_is_the_recording_count_for_count():
    (recording,) = simulated_cubes(5, (36.0,), "C30")
    curve = curve_of(recording, AT)
    for sent, channel in zip(curve.channels, recording.channels, strict=True):
        assert channel_values(sent) == channel.counts.tolist()
        assert channel_times_us(sent) == channel.time_us.tolist()


def test_times_of_an_uneven_recording_are_kept_one_by_one():
    folder = SHARED / "lucas_steel"
    if not folder.exists():
        pytest.skip("recordings lucas_steel are not beside this checkout (../shared/data)")
    uneven = next(each for each in discover(folder) if np.unique(np.diff(each.channels[0].time_us)).size > 1)
    sent = curve_of(uneven, AT).channels[0]
    assert sent.times_dzv is not None
    assert channel_times_us(sent) == uneven.channels[0].time_us.tolist()


def test_a_group_of_cubes_tells_its_share_of_the_grade_and_judges_nothing():
    result = cube_result(cubes(35.0, 36.0, 37.0), "C30", "GB/T 50081-2019")
    assert result.conclusion == "NOT_JUDGED"
    assert "36.0 MPa" in result.conclusion_text
    assert "120.0 %" in result.conclusion_text


def test_a_group_with_both_outliers_is_void():
    result = cube_result(cubes(24.0, 30.0, 36.0), "C30", "GB/T 50081-2019")
    assert result.conclusion == "VOID"
    assert "无效" in result.conclusion_text


@pytest.mark.parametrize(("strength", "verdict"), [(590.0, "PASS"), (540.0, "FAIL")])
def test_bars_are_judged_by_the_ratio_of_an_earthquake_grade(strength: float, verdict: str):
    press = SimulatedPress(3, TENSION_600)
    recording = press.bar(BarSteel(ReL_MPa=440.0, Rm_MPa=strength), 20)
    specimen = bar(recording, ordinal=1, tag="HC1", started_at=AT)
    assert bar_result([specimen], "HRB400E", "GB 1499.2-2024").conclusion == verdict


def test_travel_of_the_grips_is_not_called_extension():
    folder = SHARED / "lucas_steel"
    if not folder.exists():
        pytest.skip("recordings lucas_steel are not beside this checkout (../shared/data)")
    found = {each.specimen_label: is_extension(each) for each in discover(folder)}
    assert found["tensile_steel_1045"]
    assert not found["tensile_steel_1045_deformation_using_machine"]


def test_a_bar_of_no_nominal_diameter_is_computed_by_its_own_area():
    folder = SHARED / "matcal_304L_ASTME8"
    if not folder.exists():
        pytest.skip("recordings matcal_304L_ASTME8 are not beside this checkout (../shared/data)")
    recording = discover(folder)[0]
    specimen = bar(recording, ordinal=1, tag="HC1", started_at=AT)
    result = bar_result([specimen], None, "GB 1499.2-2024")
    assert result.conclusion == "NOT_JUDGED"
    assert "实测直径" in result.remarks
    assert {each.parameter for each in result.parameters} >= {"rebar.Rm", "rebar.Agt"}
