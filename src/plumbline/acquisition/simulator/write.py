"""A folder of simulated recordings in the machines' own formats (模拟数据文件夹).

So that a replay works where no real recordings are at hand: the same formats, folders and names, the same
kinds of imperfection, and a SOURCE.md that says what it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from plumbline.acquisition.recordings.discover import SIMULATED_MARK
from plumbline.acquisition.recordings.model import Recording
from plumbline.acquisition.simulator import formats
from plumbline.acquisition.simulator.curves import BarSteel
from plumbline.acquisition.simulator.machine import PRESS_2000, TENSION_600
from plumbline.acquisition.simulator.press import SimulatedPress, SpecimenFacts

#: First day of casting; the rest follows from it.
FIRST_CAST_ON: Final = date(2026, 1, 5)
BUFFER_POINTS: Final = 1024
_AREA_MM2: Final = 22_500
#: Grade and mean strength at 28 days of each mix, MPa. The last mix misses its grade: not every result
#: passes.
_MIXES: Final = (
    ("C30", 37.5), ("C35", 42.8), ("C40", 47.6), ("C30", 38.9),
    ("C50", 58.2), ("C45", 52.7), ("C55", 64.0), ("C40", 36.4),
)  # fmt: skip
_EARLY_SHARE: Final = 0.72
#: Diameter, ReL, Rm of the bars; the last of diameter 12 misses the ratio 1.25 of an E grade.
_BARS: Final = (
    (20, 438.0, 588.0), (20, 441.5, 590.2), (20, 435.8, 583.9),
    (25, 447.2, 601.3), (25, 443.9, 598.8), (25, 450.6, 605.4),
    (12, 452.3, 603.1), (12, 449.8, 600.7), (12, 470.4, 573.9),
)  # fmt: skip
_GRADE: Final = "HRB400E"


@dataclass(slots=True)
class _Compression:
    """The concrete part of the folder while it grows."""

    folder: Path
    entries: list[dict[str, str | int]]
    groups: dict[str, list[float]]

    def add(
        self, stem: str, recording: Recording, *, set_point: bool = False, points: int | None = None
    ) -> None:
        """Write one recording as raw file and as table, and describe it."""
        raw = formats.mts793(recording, set_point=set_point, points=points)
        (self.folder / "raw" / f"{stem}.dat").write_bytes(raw)
        (self.folder / "curves" / f"{stem}.csv").write_bytes(formats.parsed_csv(recording, points))
        self.entries.append(formats.describe(recording, stem, points))
        if recording.group_label is not None:
            strength = float(recording.peak.value.value) * 1000 / _AREA_MM2
            self.groups.setdefault(recording.group_label, []).append(round(strength, 3))


def write_folder(folder: Path, seed: int, first_cast_on: date = FIRST_CAST_ON) -> None:
    """Write 16 cube groups, 9 bars, 2 stress-strain tables and 8 recordings that are no strength tests.

    The folder is made; raises `FileExistsError` when it holds anything. The same seed and day give the same
    bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"文件夹“{folder}”不是空的，模拟数据不覆盖已有文件")
    concrete = _Compression(folder / "concrete", [], {})
    for name in ("raw", "curves"):
        (concrete.folder / name).mkdir(parents=True)
    press = SimulatedPress(seed, PRESS_2000)
    rng = np.random.default_rng([seed, 0])
    for number, (grade, mean) in enumerate(_MIXES, start=1):
        _write_mix(
            concrete, press, rng, _Mix(number, grade, mean, first_cast_on + timedelta(days=number - 1))
        )
    _write_others(concrete, press, first_cast_on + timedelta(days=40))
    _write_json(concrete.folder / "meta.json", concrete.entries)
    _write_json(concrete.folder / "groups.json", concrete.groups)
    _write_bars(folder, SimulatedPress(seed, TENSION_600), rng)
    _write_note(
        folder, seed, "concrete/：混凝土立方体（原始文件与解析表）；rebar_*/：钢筋；stress_strain/：应力—应变"
    )
    _write_note(concrete.folder, seed, "16 组立方体（7 d、28 d 各 8 组），另有缓存截断、弹性模量、圆柱体记录")


@dataclass(frozen=True, slots=True)
class _Mix:
    number: int
    grade: str
    mean_MPa: float
    cast_on: date

    @property
    def sample(self) -> str:
        return f"{self.cast_on:%Y%m%d}_0001_M{self.number:02d}"


def _write_mix(concrete: _Compression, press: SimulatedPress, rng: np.random.Generator, mix: _Mix) -> None:
    for age, share, numbers in ((7, _EARLY_SHARE, (1, 2, 3)), (28, 1.0, (4, 5, 6))):
        for number in numbers:
            strength = mix.mean_MPa * share * (1 + 0.022 * float(rng.standard_normal()))
            if (mix.number, number) == (3, 1):
                # One honest outlier beyond 15 % of the middle value: the group's strength is then the middle
                # one.
                strength = mix.mean_MPa * share * 0.75
            facts = _cube_facts(mix, age, number, rng)
            # GB/T 50081 bands by strength; the middle of each, so that no rate is out of band by accident.
            rate = 0.4 if strength < 30 else 0.65 if strength < 60 else 0.9
            recording = press.cube(round(strength, 2), 150, rate, facts=facts)
            folder = f"Druckfestigkeit_SIM__{mix.sample}__Druckfestigkeiten_{age}Tage"
            stem = f"{folder}__{facts.label}"
            concrete.add(stem, recording, set_point=mix.number == 2)


def _cube_facts(mix: _Mix, age: int, number: int, rng: np.random.Generator) -> SpecimenFacts:
    tested = datetime.combine(mix.cast_on + timedelta(days=age), time(9, 0)) + timedelta(minutes=7 * number)
    return SpecimenFacts(
        label=f"{mix.sample}_W{number:02d}",
        number=number,
        group_label=f"{mix.sample}|{age}",
        grade=mix.grade,
        cast_on=mix.cast_on,
        tested_at=tested,
        operator_initials="Sim",
        mass_g=str(int(rng.integers(7860, 8140))),
        length_mm=f"{rng.uniform(149.0, 151.0):.1f}",
    )


def _write_others(concrete: _Compression, press: SimulatedPress, on: date) -> None:
    """What a press also records and nobody may report as a cube strength."""
    for number in (1, 2, 3):
        started = datetime.combine(on, time(13, 0)) + timedelta(minutes=10 * number)
        # 1024 readings at 20 Hz are 51 s; at 0.5 MPa/s the buffer is full at about 570 kN, far from failure.
        facts = SpecimenFacts(label=f"Puffer Probe {number}", tested_at=started, mass_g="7950")
        full = press.cube(55.0 + number, 150, 0.5, facts=facts)
        concrete.add(f"Druckfestigkeit__Puffer__Probe__{number}", full, points=BUFFER_POINTS)
    for number in (1, 2, 3):
        started = datetime.combine(on, time(14, 0)) + timedelta(minutes=10 * number)
        facts = SpecimenFacts(label=f"E-Modul Probe {number}", tested_at=started, mass_g="5440")
        concrete.add(f"E-modul__Sim__Probe__{number}", press.modulus(110.0 + number, facts=facts))
    for number in (1, 2):
        started = datetime.combine(on, time(15, 0)) + timedelta(minutes=10 * number)
        facts = SpecimenFacts(label=f"Zylinder_Z{number:02d}", tested_at=started, mass_g="5460")
        concrete.add(f"E-Modul_28_Tage__Sim__Z{number:02d}", press.cylinder(42.0 + number, facts=facts))


def _write_bars(folder: Path, press: SimulatedPress, rng: np.random.Generator) -> None:
    tables = folder / "stress_strain"
    tables.mkdir()
    for number, (diameter, yield_MPa, strength_MPa) in enumerate(_BARS, start=1):
        gauge = 5 * diameter
        steel = BarSteel(ReL_MPa=yield_MPa, Rm_MPa=strength_MPa, Agt_pct=round(float(rng.uniform(11, 15)), 2))
        recording = press.bar(steel, diameter, gauge_mm=gauge)
        target = folder / f"rebar_d{diameter}"
        if not target.exists():
            target.mkdir()
            text = f"钢筋拉伸 {_GRADE}：time s, displacement m, force N; d {diameter} mm, L0 {gauge} mm"
            _write_note(target, press.seed, text)
        (target / f"rebar_{_GRADE}_d{diameter}_{number:02d}.csv").write_bytes(formats.si_csv(recording))
        if number in {1, 4}:
            table = formats.stress_strain_tsv(recording, math.pi * diameter**2 / 4, float(gauge))
            (tables / f"rebar_d{diameter}_{number:02d}.tsv").write_bytes(table)
    _write_note(tables, press.seed, "应力—应变表，没有时间与力值，只用于曲线评定")


def _write_json(path: Path, document: Iterable[object]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_note(folder: Path, seed: int, text: str) -> None:
    program = "plumbline.acquisition.simulator.write"
    note = f"{SIMULATED_MARK}（不是真实试验）\n\n由程序 {program} 写出，种子 {seed}。\n\n{text}\n"
    (folder / "SOURCE.md").write_text(note, encoding="utf-8")
