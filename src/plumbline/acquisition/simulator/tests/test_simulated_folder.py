"""The simulated data folder is read back by the parsers exactly as it was made."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from plumbline.acquisition.recordings import Recording, cube_groups, discover, read
from plumbline.acquisition.simulator import SimulatedPress, write_folder
from plumbline.acquisition.simulator.formats import mts793
from plumbline.acquisition.simulator.press import SpecimenFacts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("simulated") / "data"
    write_folder(target, 11)
    return target


@pytest.fixture(scope="module")
def recordings(folder: Path) -> list[Recording]:
    found = discover(folder)
    assert all(isinstance(item, Recording) for item in found)
    return [item for item in found if isinstance(item, Recording)]


def test_it_holds_every_kind_of_recording(recordings: list[Recording]) -> None:
    kinds = Counter(item.reason.code if item.reason else str(item.method) for item in recordings)
    assert kinds == {
        "concrete_cube": 48,
        "rebar_tension": 9,
        "recording.buffer_limited": 3,
        "recording.modulus_cycles": 3,
        "recording.no_method_cylinder": 2,
        "recording.stress_strain_only": 2,
    }


def test_sixteen_groups_of_three_have_the_listed_strengths(folder: Path, recordings: list[Recording]) -> None:
    known = json.loads((folder / "concrete" / "groups.json").read_text(encoding="utf-8"))
    groups = cube_groups(recordings)
    assert set(groups) == set(known)
    assert len(groups) == 16
    for label, members in groups.items():
        strengths = [float(item.peak.value.value) * 1000 / 22500 for item in members]
        assert strengths == pytest.approx(known[label], abs=0.001)


def test_raw_files_and_tables_agree(recordings: list[Recording]) -> None:
    paired = [item for item in recordings if item.companions]
    assert len(paired) == 56
    warned = {note.code for item in paired for note in item.warnings}
    assert warned == {"recording.simulated"}


def test_every_recording_says_that_it_is_simulated(folder: Path, recordings: list[Recording]) -> None:
    assert all("recording.simulated" in {note.code for note in item.warnings} for item in recordings)
    for note in folder.rglob("SOURCE.md"):
        text = note.read_text(encoding="utf-8")
        assert "模拟数据" in text
        assert "plumbline.acquisition.simulator.write" in text


def test_bars_have_diameter_gauge_length_and_grade(recordings: list[Recording]) -> None:
    bars = [item for item in recordings if item.method == "rebar_tension"]
    assert {str(item.dimension("diameter")) for item in bars} == {"12", "20", "25"}
    assert {item.grade for item in bars} == {"HRB400E"}
    assert all(item.dimension("gauge_length") is not None for item in bars)


def test_one_group_misses_its_grade_and_one_has_an_outlier(recordings: list[Recording]) -> None:
    groups = cube_groups(recordings)
    failing = [float(item.peak.value.value) / 22.5 for item in groups["20260112_0001_M08|28"]]
    assert max(failing) < 40
    outlier = sorted(float(item.peak.value.value) / 22.5 for item in groups["20260107_0001_M03|7"])
    assert outlier[1] - outlier[0] > 0.15 * outlier[1]


def test_the_same_seed_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "again", 11)
    for path in folder.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(folder)).read_bytes()


def test_a_folder_in_use_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(FileExistsError, match="不是空的"):
        write_folder(folder, 1)


def test_a_written_cube_comes_back_reading_by_reading(tmp_path: Path, recordings: list[Recording]) -> None:
    original = next(item for item in recordings if item.method == "concrete_cube")
    assert original.tested_at is not None
    facts = SpecimenFacts(label="W1", tested_at=original.tested_at, mass_g="8001", length_mm="149.5")
    made = SimulatedPress(5).cube(41.0, facts=facts)
    path = tmp_path / "W1.dat"
    path.write_bytes(mts793(made, set_point=True))
    back = read(path)
    assert (back.channels[0].counts == made.channels[0].counts).all()
    assert back.channels[0].scale == made.channels[0].scale
    assert (back.tested_at, back.peak.value) == (made.tested_at, made.peak.value)
    assert back.channels[0].source_column == "Ch 1 Prüfkraft"
    assert str(back.dimension("length")) == "149.5"
