"""The demo city's first form (演示城市首期): about two hundred reports over three months, by the real
gateway.

Deterministic for a seed: facts and ids. Not so are signatures, salts and the bytes of PDFs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np

from plumbline.acquisition.recordings import Recording
from plumbline.acquisition.simulator import (
    PRESS_2000,
    TENSION_600,
    BarSteel,
    MachineProfile,
    SimulatedPress,
    SpecimenFacts,
)
from plumbline.demo.cast import PRESS, TENSION_MACHINE, Cast
from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.clients import Clients
from plumbline.demo.enrolment import Enrolment
from plumbline.demo.plan import Oddities, Plan, local, plausible_times, starts_of
from plumbline.demo.timeline import in_order
from plumbline.domain.basics.calendar import local_date
from plumbline.domain.methods.concrete_cube.evaluation import EDITIONS, rate_band

#: Younger than this a reserved code is sure to live (it dies after 30 days).
_YOUNG = timedelta(days=20)
_GRADES = ("C25", "C30", "C30", "C35", "C35", "C40")
_PARTS = (
    "一层 ①–⑤ 轴框架柱", "二层 ⑥–⑩ 轴梁板", "三层 ③–⑦ 轴框架柱", "基础底板 ②–⑧ 轴", "四层 ①–④ 轴剪力墙",
    "五层 ⑤–⑨ 轴梁板", "地下一层外墙 ①–⑥ 轴", "屋面层 ②–⑦ 轴梁板",
)  # fmt: skip
_BARS = ((12, "HRB400E"), (16, "HRB400E"), (20, "HRB400E"), (25, "HRB400E"), (20, "HRB400"))
_YIELD_MPa = 445.0
#: Days from making until a report is surely registered, by age at test; 0: bars.
_DAYS_NEEDED = {0: 3, 7: 9, 28: 30}
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormReport:
    """What the first form amounted to."""

    results: tuple[ChainResult, ...]

    @property
    def states(self) -> Counter[str]:
        """State → how many reports ended so."""
        return Counter(each.state for each in self.results)


def first_form(
    clients: Clients,
    cast: Cast,
    enrolment: Enrolment,
    *,
    start: datetime,
    end: datetime,
    count: int = 200,
    progress: Progress = lambda text: None,
) -> FormReport:
    """Send `count` reports between `start` and `end` (aware) in order of time, the demo's clock following.

    A run that was broken off goes on where it stopped: what was sent before is recognised by its uid.
    """
    known = clients.ledger.get("first_form")
    if known is None:
        clients.ledger.put(
            "first_form", known := {"start": start.isoformat(), "end": end.isoformat(), "count": count}
        )
    start, end = (datetime.fromisoformat(known[name]) for name in ("start", "end"))
    chain = Chain(clients, cast, enrolment, stated=True)
    for works in cast.projects:
        if works != "replay":
            chain.work.ensure_contract(works, start)
    plans = first_form_plans(cast, start=start, end=end, count=int(known["count"]))
    results: list[ChainResult] = []
    stories = ((plan.times.made - timedelta(hours=1), chain.steps(plan)) for plan in plans)
    for at, ended in in_order(stories):
        if ended is not None:
            results.append(ended)
            progress(f"{local_date(at)} 第 {len(results)}/{len(plans)} 份 {ended.number}：{ended.state}")
    return FormReport(results=tuple(results))


def first_form_plans(cast: Cast, *, start: datetime, end: datetime, count: int = 200) -> list[Plan]:
    """The reports of the form, ordered by making; pure: the same arguments give the same plans."""
    rng = np.random.default_rng([cast.seed, 1])
    drafts = [_draft(cast, rng, number, count, (start, end)) for number in range(count)]
    return sorted(_with_oddities(drafts), key=lambda plan: plan.times.made)


def _draft(
    cast: Cast, rng: np.random.Generator, number: int, count: int, span: tuple[datetime, datetime]
) -> Plan:
    first, last = (local_date(each) for each in span)
    share = number / max(count - 1, 1)
    kind = int(rng.integers(0, 10))
    # Bars come first of all, so that pages fill at once: their report is there after two days.
    age = 0 if kind < 2 or share < 0.08 else 7 if kind < 5 else 28
    latest = last - timedelta(days=_DAYS_NEEDED[age])
    day = first + timedelta(days=1 + round((latest - first).days * share) - (share > 0))
    project = cast.projects["school" if rng.random() < 0.3 else "riverside"]
    unit = project.unit_works[int(rng.integers(len(project.unit_works)))]
    part = _PARTS[int(rng.integers(len(_PARTS)))]
    technician = "technician" if rng.random() < 0.6 else "technician_2"
    made = local(day, int(rng.integers(8, 17)), int(rng.integers(0, 60)))
    common = {
        "key": f"form/{number:04d}",
        "project": project.key,
        "unit_work": unit,
        "part": part,
        "technician": technician,
    }
    seed = cast.seed * 100_000 + number
    return _cubes(rng, seed, made, age, common) if age else _bars(rng, seed, made, common)


def _season(on: date) -> float:
    """Share by which a cube departs from the year's mean strength: concrete of cooler months ends higher."""
    return 0.035 * math.cos(2 * math.pi * (on.timetuple().tm_yday - 20) / 365)


def _cubes(rng: np.random.Generator, seed: int, made: datetime, age: int, common: dict[str, str]) -> Plan:
    grade = _GRADES[int(rng.integers(len(_GRADES)))]
    nominal = float(grade[1:])
    level = nominal * (1.16 + _season(made.date()) + 0.05 * float(rng.standard_normal()))
    mean = level * (0.74 if age == 7 else 1.0)
    spread = 0.018 + 0.02 * float(rng.random())
    strengths = tuple(round(mean * (1 + spread * float(rng.standard_normal())), 2) for _ in range(3))
    # Near the hour of making: the method allows an age of seven days no more than six hours.
    hour = min(16, max(8, made.hour + int(rng.integers(-3, 4))))
    start = local(local_date(made + timedelta(days=age)), hour, int(rng.integers(0, 60)))
    return cube_plan(common, seed=seed, made=made, age=age, grade=grade, strengths=strengths, start=start)


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


def _bars(rng: np.random.Generator, seed: int, made: datetime, common: dict[str, str]) -> Plan:
    diameter, grade = _BARS[int(rng.integers(len(_BARS)))]
    steels = tuple(_steel(rng) for _ in range(2))
    start = local(local_date(made + timedelta(days=1)), int(rng.integers(9, 16)), int(rng.integers(0, 60)))
    return bar_plan(common, seed=seed, made=made, grade=grade, diameter=diameter, steels=steels, start=start)


def _steel(rng: np.random.Generator) -> BarSteel:
    yields = round(_YIELD_MPa + 8 * float(rng.standard_normal()), 1)
    ratio = 1.335 + 0.012 * float(rng.standard_normal())
    return BarSteel(
        ReL_MPa=yields, Rm_MPa=round(yields * ratio, 1), Agt_pct=round(float(rng.uniform(11.5, 15.5)), 2)
    )


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


def _with_oddities(drafts: list[Plan]) -> Iterator[Plan]:
    """The departures of the form, each on one report, spread over the months; results that fail are among
    them."""
    cubes = [plan for plan in drafts if plan.category == "concrete_cube"]
    bars = [plan for plan in drafts if plan.category == "rebar_tension"]
    changed: dict[str, Plan] = {}

    def change(plans: list[Plan], share: float, make: Callable[[Plan], Plan]) -> None:
        free = [plan for plan in plans if plan.key not in changed]
        if free:
            chosen = free[min(len(free) - 1, int(share * len(free)))]
            changed[chosen.key] = make(chosen)

    last = max(plan.times.applied for plan in drafts)
    # A reserved code dies after thirty days: only a young one is still unused when the form ends.
    young = [plan for plan in cubes if plan.times.applied > last - _YOUNG]
    change(young, 0.5, _odd(end="reserved"))
    for share, make in _CUBE_ODDITIES:
        change(cubes, share, make)
    for share in (0.15, 0.55, 0.85):
        change(bars, share, _weak_bars)
    yield from (changed.get(plan.key, plan) for plan in drafts)


def _odd(**oddities: object) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, oddities=Oddities(**oddities))  # type: ignore[arg-type]


def _cubes_of(*shares: float) -> Callable[[Plan], Plan]:
    """The group's strengths replaced by shares of the grade."""

    def make(plan: Plan) -> Plan:
        assert plan.grade is not None
        assert plan.required_age_d is not None
        nominal = float(plan.grade[1:])
        strengths = tuple(round(nominal * share, 2) for share in shares)
        common = {name: getattr(plan, name) for name in ("key", "project", "unit_work", "part", "technician")}
        return cube_plan(
            common,
            seed=_seed_of(plan),
            made=plan.times.made,
            age=plan.required_age_d,
            grade=plan.grade,
            strengths=strengths,
            start=plan.times.tested[0],
        )

    return make


def _seed_of(plan: Plan) -> int:
    return 50_000_000 + int(plan.key.rpartition("/")[2])


def _weak_bars(plan: Plan) -> Plan:
    """Bars whose strength is too close to their yield for an E grade, so that the report says 不合格."""
    common = {name: getattr(plan, name) for name in ("key", "project", "unit_work", "part", "technician")}
    weak = BarSteel(ReL_MPa=472.0, Rm_MPa=565.0, Agt_pct=11.8)
    return bar_plan(
        common,
        seed=_seed_of(plan),
        made=plan.times.made,
        grade="HRB400E",
        diameter=16,
        steels=(weak, weak),
        start=plan.times.tested[0],
    )


def _late(plan: Plan) -> Plan:
    times = plan.times
    late = timedelta(minutes=34)
    return replace(
        plan,
        times=replace(times, entered=times.made + late, witnessed=times.made + late + timedelta(minutes=6)),
    )


def _at_night(plan: Plan) -> Plan:
    """Made at 23:40 with nobody to witness; said so, and therefore without a code."""
    night = local(local_date(plan.times.made), 23, 40)
    times = plausible_times(night, plan.times.tested, plan.times.finished)
    odd = Oddities(unwitnessed="夜间连续浇筑，监理未安排见证人员到场")
    return replace(plan, times=times, oddities=odd)


_CUBE_ODDITIES: tuple[tuple[float, Callable[[Plan], Plan]], ...] = (
    (0.06, _late),
    (0.10, _odd(missing_picture=("sealed_sample", "手机存储已满，封样照片未能保存，当日已补拍说明"))),
    (0.14, _cubes_of(0.93, 0.91, 0.94)),
    (0.20, _odd(withdrawn="结构部位填写有误，撤回后重新出具")),
    (0.26, _cubes_of(1.201, 1.202, 1.203)),
    (0.30, _at_night),
    (0.36, _odd(superseded="委托方更正代表数量，报告换版")),
    (0.42, _odd(without_curves=True)),
    (0.48, _odd(end="voided", voided="委托方撤销委托，样品未试验完即退回")),
    (0.60, _cubes_of(1.30, 0.98, 1.12)),
    (0.66, _cubes_of(1.60, 1.15, 0.80)),
    (0.72, _cubes_of(0.86, 0.88, 0.84)),
)
