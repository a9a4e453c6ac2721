"""What kind of compression test a curve and its header show."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline.acquisition.recordings.compression import (
    Header,
    Measured,
    build,
    cube_edge,
    has_failed,
    is_cut_under_load,
    load_cycles,
    written_date,
)
from plumbline.acquisition.recordings.model import Notes, Recording
from plumbline.acquisition.recordings.source import SourceFile

RAMP = np.concatenate([np.linspace(1, 900, 600), [20.0, 0.1, 0.0]])


def cube(**typed: Any) -> Header:
    usual = Header(width="150", height="150", length="150", label="20260105_1_M01_W01")
    return replace(usual, **typed)


def built(header: Header, force: np.ndarray = RAMP, first_block: int = 0, stem: str = "a") -> Recording:
    source = SourceFile(path=Path(f"{stem}.dat"), content=b"x", sha256="00")
    series = Measured(
        time_s=np.arange(force.size) / 20, force_kN=force, stroke_mm=None, first_block=first_block
    )
    return build("mts793", source, header, series, Notes())


def reason(recording: Recording) -> str | None:
    return recording.reason.code if recording.reason else None


def test_a_cube_loaded_to_failure_is_a_strength_test() -> None:
    assert built(cube()).method == "concrete_cube"


@pytest.mark.parametrize(("width", "edge"), [("146,9", None), ("147", 150), ("153", 150), ("153,1", None)])
def test_an_edge_may_differ_by_two_per_cent(width: str, edge: int | None) -> None:
    assert cube_edge(cube(width=width)) == edge


@pytest.mark.parametrize("typed", [{"width": "-"}, {"diameter": "100"}, {"label": "20260105_1_M01_Z01"}])
def test_what_is_no_cube_has_no_method(typed: dict[str, str]) -> None:
    assert reason(built(cube(**typed))) == "recording.no_method_cylinder"


def test_a_curve_that_ends_at_its_highest_shows_no_failure() -> None:
    assert reason(built(cube(), RAMP[:600])) == "recording.no_failure"


@pytest.mark.parametrize(("last", "failed"), [(91.0, False), (90.0, True), (89.0, True)])
def test_failure_is_a_fall_by_a_tenth(last: float, failed: bool) -> None:
    assert has_failed(np.array([1.0, 100.0, last])) is failed


@pytest.mark.parametrize(("low", "cycles"), [(51.0, 1), (49.0, 2)])
def test_a_load_cycle_falls_below_half(low: float, cycles: int) -> None:
    assert load_cycles(np.array([1.0, 100.0, low, 100.0, 0.0])) == cycles


def test_two_load_cycles_are_a_modulus_test() -> None:
    assert reason(built(cube(), np.concatenate([RAMP, RAMP]))) == "recording.modulus_cycles"


@pytest.mark.parametrize(("points", "cut"), [(1023, False), (1024, True), (1025, False), (256, False)])
def test_only_a_full_buffer_counts_as_cut(points: int, cut: bool) -> None:
    assert is_cut_under_load(np.linspace(1, 800, points), points) is cut


def test_a_buffer_that_fills_after_the_failure_cuts_nothing() -> None:
    force = np.concatenate([np.linspace(1, 800, 1000), np.zeros(24)])
    assert not is_cut_under_load(force, 1024)


def test_a_cut_cube_is_refused_and_one_that_goes_on_is_not() -> None:
    cut = np.linspace(1, 800, 1024)
    assert reason(built(cube(), cut, 1024)) == "recording.buffer_limited"
    whole = built(cube(), np.concatenate([cut, np.linspace(801, 950, 190), [3.0]]), 1024)
    assert whole.method == "concrete_cube"
    assert "recording.buffer_split" in {note.code for note in whole.warnings}


def test_the_group_comes_from_the_folder_and_a_differing_label_is_named() -> None:
    stem = "D__20260105_1_M02__Druckfestigkeiten_28Tage__x_W1"
    recording = built(cube(typed_date="02.02.2026", label="20260105_1_M01_W01"), stem=stem)
    assert (recording.group_label, recording.cast_on) == ("20260105_1_M02|28", date(2026, 1, 5))
    assert "recording.label_conflict" in {note.code for note in recording.warnings}


def test_without_a_folder_the_age_is_counted_from_the_dates() -> None:
    assert built(cube(typed_date="12.01.2026")).group_label == "20260105_1_M01|7"


def test_an_age_that_the_dates_contradict_is_named() -> None:
    stem = "D__20260105_1_M01__Druckfestigkeiten_28Tage__x_W1"
    recording = built(cube(typed_date="03.02.2026"), stem=stem)
    assert "recording.age_conflict" in {note.code for note in recording.warnings}


@pytest.mark.parametrize(
    ("length", "named"), [("165", False), ("165,1", True), ("135", False), ("134,9", True)]
)
def test_a_length_beyond_a_tenth_is_a_slip(length: str, named: bool) -> None:
    warned = {note.code for note in built(cube(length=length)).warnings}
    assert ("recording.implausible_length" in warned) is named


@pytest.mark.parametrize(
    ("mass", "named"), [("6749", True), ("6750", False), ("9450", False), ("9451", True)]
)
def test_a_mass_outside_the_density_of_concrete_is_a_slip(mass: str, named: bool) -> None:
    warned = {note.code for note in built(cube(mass=mass)).warnings}
    assert ("recording.implausible_mass" in warned) is named


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2.4.2024", date(2024, 4, 2)),
        ("17.07.14", date(2014, 7, 17)),
        ("31.02.2024", None),
        ("Laufzeit", None),
    ],
)
def test_dates_are_read_as_typed(text: str, day: date | None) -> None:
    assert written_date(text) == day
