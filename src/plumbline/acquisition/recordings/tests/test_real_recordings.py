"""The public recordings beside the project: every one is read or named with its reason."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from plumbline.acquisition.recordings import Recording, Unreadable, cube_groups, discover, read, read_all

DATA = Path(__file__).resolve().parents[6] / "shared" / "data"
CONCRETE = DATA / "bam_lebedigital_concrete"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not beside this checkout")


@pytest.fixture(scope="module")
def concrete() -> list[Recording]:
    found = discover(CONCRETE)
    assert not [item for item in found if isinstance(item, Unreadable)]
    return [item for item in found if isinstance(item, Recording)]


@pytest.fixture(scope="module")
def everything() -> list[Recording | Unreadable]:
    return discover(DATA)


def by_reason(recordings: list[Recording]) -> Counter[str]:
    return Counter(item.reason.code if item.reason else str(item.method) for item in recordings)


def named(recordings: list[Recording], part: str) -> Recording:
    return next(item for item in recordings if part in item.source_name)


def codes(recording: Recording) -> set[str]:
    return {note.code for note in recording.warnings}


def test_every_concrete_recording_counts_once_and_has_a_method_or_a_reason(concrete: list[Recording]) -> None:
    assert len(concrete) == 108
    assert by_reason(concrete) == {
        "concrete_cube": 48,
        "recording.buffer_limited": 6,
        "recording.modulus_cycles": 24,
        "recording.no_method_cylinder": 30,
    }


@pytest.mark.clause("BJ 6.2.1.3")
def test_the_sixteen_cube_groups_have_the_known_strengths(concrete: list[Recording]) -> None:
    known = json.loads((CONCRETE / "groups.json").read_text(encoding="utf-8"))
    groups = cube_groups(concrete)
    assert set(groups) == set(known)
    for label, strengths in known.items():
        measured = [float(item.peak.value.value) * 1000 / 22500 for item in groups[label]]
        assert measured == pytest.approx(strengths, abs=0.001)


def test_the_cube_area_is_that_of_the_written_edges(concrete: list[Recording]) -> None:
    for members in cube_groups(concrete).values():
        for item in members:
            assert str(item.dimension("width")) == str(item.dimension("height")) == "150"


def test_raw_file_and_parsed_table_agree_and_are_one_recording(concrete: list[Recording]) -> None:
    assert all(len(item.companions) == 1 and item.format == "mts793" for item in concrete)
    assert not [item for item in concrete if "recording.table_conflict" in codes(item)]


def test_the_buffer_limited_six_are_named_though_the_raw_file_goes_on(concrete: list[Recording]) -> None:
    limited = [item for item in concrete if item.reason and item.reason.code == "recording.buffer_limited"]
    assert all("Hüsken" in item.source_name and item.reason for item in limited)
    for item in limited:
        assert "1024" in str(item.reason)
        assert item.channels[0].value[1023] == pytest.approx(800.3, abs=0.2)
        assert item.peak.index > 1024
        assert [note.code for note in item.reasons][1] == "recording.no_method_cylinder"


def test_the_parsed_table_alone_is_buffer_limited_too() -> None:
    table = next((CONCRETE / "curves").glob("*sken__Probe__1-2.csv"))
    recording = read(table)
    assert recording.reason is not None
    assert recording.reason.code == "recording.buffer_limited"
    assert len(recording.channels[0].value) == 1024


def test_mislabelled_specimens_stay_in_their_group(concrete: list[Recording]) -> None:
    group = cube_groups(concrete)["20240227_7188_M03|28"]
    assert [item.specimen_label for item in group] == [f"20240220_7188_M03_28d_W{n}" for n in (4, 5, 6)]
    assert all("recording.label_conflict" in codes(item) for item in group)
    assert all(item.cast_on == date(2024, 2, 27) for item in group)


def test_short_and_padded_numbers_are_the_same_specimen_number(concrete: list[Recording]) -> None:
    padded = cube_groups(concrete)["20240220_7188_M01|28"]
    short = cube_groups(concrete)["20240227_7188_M04|28"]
    assert [item.specimen_number for item in padded] == [item.specimen_number for item in short] == [4, 5, 6]


def test_the_impossible_length_is_kept_and_named(concrete: list[Recording]) -> None:
    recording = named(concrete, "20240220_7188_M01_W03")
    assert str(recording.dimension("length")) == "1148"
    assert "recording.implausible_length" in codes(recording)
    assert recording.method == "concrete_cube"


def test_the_measured_force_is_read_and_not_the_set_point(concrete: list[Recording]) -> None:
    recording = named(concrete, "Wolf__8.2__Probe__2.dat")
    force = recording.channels[0]
    assert force.source_column == "Ch 1 Kraft"
    assert force.value[0] == pytest.approx(1.4235973)
    assert float(recording.peak.value.value) == pytest.approx(354.077, abs=0.001)


def test_time_of_the_first_reading_comes_from_the_machine(concrete: list[Recording]) -> None:
    recording = named(concrete, "M04_28d_W5")
    assert recording.tested_at is not None
    # Block written 09:31:38 at 142.861 s, first reading at 35.215 s.
    assert abs(recording.tested_at - datetime.fromisoformat("2024-03-26T09:29:50")).total_seconds() < 1
    assert str(recording.controller_peak_kN) == "1192.560"
    assert recording.sampling_rate_hz == 5.0


def test_operators_are_initials_only(concrete: list[Recording]) -> None:
    names = {item.operator_initials for item in concrete if item.operator_initials}
    assert all(len(part) <= 3 for name in names for part in name.split(", "))


def test_curves_are_whole_counts_within_half_a_step(everything: list[Recording | Unreadable]) -> None:
    for item in everything:
        for channel in item.channels if isinstance(item, Recording) else ():
            off = np.abs(channel.counts * float(channel.scale) - channel.value).max()
            assert off <= 0.5000001 * float(channel.scale)


def test_the_tension_recordings_are_read(everything: list[Recording | Unreadable]) -> None:
    tension = [item for item in everything if isinstance(item, Recording) and item.method == "rebar_tension"]
    assert Counter(item.format for item in tension) == {"lucas_csv": 4, "matcal_dat": 8}
    known = {"tensile_steel_1045": 951.30, "tensile_steel_4130": 649.05, "cleaned_R1S1-Large": 579.66}
    for item in tension:
        diameter = item.dimension("diameter")
        assert diameter is not None
        if item.specimen_label in known:
            stress = float(item.peak.value.value) * 4000 / (np.pi * float(diameter.value) ** 2)
            assert stress == pytest.approx(known[item.specimen_label], rel=5e-4)


def test_stress_strain_tables_are_read_but_are_no_force_curve() -> None:
    recording = read(DATA / "ufmg_steel" / "astm1016.tsv")
    assert (recording.method, recording.sampling_rate_hz) == (None, None)
    assert recording.reason is not None
    assert recording.reason.code == "recording.stress_strain_only"
    assert float(recording.peak.value.value) == pytest.approx(512.13, abs=0.01)


def test_one_export_holds_three_cubes_whose_maximum_agrees() -> None:
    cubes = read_all(DATA / "eth_compas_testing" / "Compressive_Strength.txt")
    assert [str(item.peak.value) for item in cubes] == ["896.27", "946.63", "959.41"]
    assert [item.method for item in cubes] == ["concrete_cube"] * 3
    assert {item.group_label for item in cubes} == {"HiLo floors|38"}


def test_a_double_punch_test_has_no_method() -> None:
    found = read_all(DATA / "eth_compas_testing" / "Double_Punch.txt")
    assert [item.reason.code for item in found if item.reason] == ["recording.no_method"] * 2


def test_a_table_that_is_no_recording_is_named(everything: list[Recording | Unreadable]) -> None:
    rest = [item for item in everything if isinstance(item, Unreadable)]
    assert [(item.path.name, item.code) for item in rest] == [("concrete.csv", "unknown_format")]
