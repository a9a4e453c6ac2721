"""Plans of reports with given results (给定结果的报告): groups of cubes, bars of a batch, with their simulated recordings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from plumbline.acquisition.recordings import Recording
from plumbline.acquisition.simulator import (
    PRESS_2000,
    TENSION_600,
    BarSteel,
    MachineProfile,
    SimulatedPress,
    SpecimenFacts,
)
from plumbline.demo.cast import PRESS, TENSION_MACHINE
from plumbline.demo.plan import Plan, plausible_times, starts_of
from plumbline.domain.methods.concrete_cube.evaluation import EDITIONS, rate_band


def cube_plan(
    common: dict[str, str],
    *,
    seed: int,
    made: datetime,
    age: int,
    grade: str,
    strengths: tuple[float, ...],
    start: datetime,
) -> Plan:
    """A group of cubes of given strengths (MPa), tested from `start`.

    `common`: key, project, unit_work, part, technician.
    """
    specimens = simulated_cubes(seed, strengths, grade)
    starts, finished = starts_of(start, specimens)
    return Plan(
        **common,  # type: ignore[arg-type]
        category="concrete_cube",
        grade=grade,
        recordings=lambda: simulated_cubes(seed, strengths, grade),
        count=len(strengths),
        times=plausible_times(made, starts, finished),
        quantity=f"{40 + seed % 60} m³",
        required_age_d=age,
        curing="standard",
    )


def simulated_cubes(seed: int, strengths: tuple[float, ...], grade: str) -> tuple[Recording, ...]:
    """Recordings of the institution's simulated press for strengths in MPa; the loading rate is the middle of
    what the newest edition permits for the grade."""
    press = SimulatedPress(seed, _named(PRESS_2000, PRESS))
    band = rate_band(grade, EDITIONS.known[-1].code)
    rate = float((band.low + band.high) / 2)
    facts = [
        SpecimenFacts(label=f"{seed}-{i}", number=i, mass_g=str(7900 + (seed * 37 + i * 53) % 220))
        for i in range(1, len(strengths) + 1)
    ]
    return tuple(
        press.cube(strength, 150, rate, facts=each) for strength, each in zip(strengths, facts, strict=True)
    )


def _named(machine: MachineProfile, code: str) -> MachineProfile:
    return replace(machine, serial_number=f"SIM-{code}")


def bar_plan(
    common: dict[str, str],
    *,
    seed: int,
    made: datetime,
    grade: str,
    diameter: int,
    steels: tuple[BarSteel, ...],
    start: datetime,
) -> Plan:
    """Bars of one batch, tested from `start`; common as in `cube_plan`."""

    def pulled() -> tuple[Recording, ...]:
        machine = SimulatedPress(seed, _named(TENSION_600, TENSION_MACHINE))
        return tuple(
            machine.bar(
                steel, diameter, gauge_mm=5 * diameter, facts=SpecimenFacts(label=f"{seed}-{i}", number=i)
            )
            for i, steel in enumerate(steels, start=1)
        )

    starts, finished = starts_of(start, pulled())
    return Plan(
        **common | {"part": f"{grade} φ{diameter} 原材"},  # type: ignore[arg-type]
        category="rebar_tension",
        grade=grade,
        recordings=pulled,
        count=len(steels),
        times=plausible_times(made, starts, finished, turnaround=timedelta(hours=19)),
        quantity=f"{20 + seed % 40} t",
    )
