"""From a group or a bar to the plan of its report (报告草案): times of a working day, machine slot, simulated curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from plumbline.acquisition.recordings import Recording
from plumbline.acquisition.simulator import BarSteel, SimulatedPress, SpecimenFacts
from plumbline.demo.living.booking import Booking
from plumbline.demo.living.clocks import Lines, drifting_clock
from plumbline.demo.living.names import digest
from plumbline.demo.living.town import City, Team
from plumbline.demo.plan import Plan, Times, local
from plumbline.domain.basics.calendar import local_date
from plumbline.domain.methods.concrete_cube.evaluation import EDITIONS, rate_band

#: Start to start of two specimens of a group: the test itself, cleaning, setting the next one.
SPECIMEN = timedelta(minutes=4)
PARTS = (
    "①–⑤ 轴框架柱", "⑥–⑩ 轴梁板", "③–⑦ 轴剪力墙", "①–⑧ 轴楼梯间", "②–⑥ 轴梁板", "④–⑨ 轴框架柱",
)  # fmt: skip
FLOORS = ("基础", "地下一层", "一层", "二层", "三层", "四层", "五层", "六层", "七层", "八层")
#: One report in so many has its key pictures uploaded; the others say that theirs are left out.
PICTURED = 12
CURING_ROOM = "现场标养室"


@dataclass(frozen=True, slots=True)
class Placed:
    """A plan and the project's team that carries it out."""

    team: Team
    plan: Plan


@dataclass(slots=True)
class Desk:
    """Makes plans for a city; machine slots are taken in the order of the calls."""

    city: City
    start: datetime
    booking: Booking = field(default_factory=Booking)
    outages: dict[int, tuple[tuple[datetime, datetime], ...]] = field(default_factory=dict)

    def cubes(
        self,
        team: Team,
        key: str,
        *,
        made: datetime,
        age: int,
        grade: str,
        strengths: tuple[float, ...],
        part: str,
        field_cured: bool = False,
        rate: float | None = None,
        start: datetime | None = None,
        **others: Any,
    ) -> Placed:
        """A group of cubes of given strengths, MPa; `start` is a slot that the machine's calendar does not know of."""
        day = local_date(made + timedelta(days=age))
        hour = min(17, max(9, made.hour + _draw(self.city.seed, key, "hour", 3) - 1))
        machine = team.house.machines["concrete_cube"]
        first = start or self.booking.take(
            machine, local(day, hour, _draw(self.city.seed, key, "minute", 60))
        )
        rooms = (CURING_ROOM, made + timedelta(hours=25), first - timedelta(hours=20)) if age > 3 else None
        return self._placed(
            team,
            key,
            category="concrete_cube",
            grade=grade,
            part=part,
            made=made,
            first=first,
            count=len(strengths),
            recordings=cube_curves(team, key, strengths, grade, rate),
            required_age_d=None if field_cured else age,
            curing="field" if field_cured else "standard",
            cured=None if field_cured else rooms,
            **others,
        )

    def bars(
        self,
        team: Team,
        key: str,
        *,
        made: datetime,
        grade: str,
        diameter: int,
        steels: tuple[BarSteel, ...],
        **others: Any,
    ) -> Placed:
        """Bars of one delivery, tested on the next day."""
        wanted = local(local_date(made + timedelta(days=1)), 10 + _draw(self.city.seed, key, "hour", 6))
        first = self.booking.take(team.house.machines["rebar_tension"], wanted)
        return self._placed(
            team,
            key,
            category="rebar_tension",
            grade=grade,
            part=f"{grade} φ{diameter} 原材",
            made=made,
            first=first,
            count=len(steels),
            recordings=bar_curves(team, key, steels, diameter),
            **others,
        )

    def _placed(
        self, team: Team, key: str, *, made: datetime, first: datetime, count: int, **values: Any
    ) -> Placed:
        seed, works = self.city.seed, team.works
        plan = Plan(
            key=key,
            project=works.key,
            unit_work=values.pop("unit_work", None)
            or works.unit_works[_draw(seed, key, "unit", len(works.unit_works))],
            technician=values.pop("technician", None)
            or ("technician", "technician_2")[_draw(seed, key, "technician", 2)],
            count=count,
            times=working_times(made, first, count, _draw(seed, key, "entered", 17)),
            place=standing_near(team, key, seed),
            witness_place=standing_near(team, f"{key}/witness", seed),
            pictures=_draw(seed, key, "pictures", PICTURED) == 0,
            told=True,
            clock=drifting_clock(seed, works.key, self.start),
            uploaded=Lines(self.outages.get(team.house.number, ())),
            **values,
        )
        return Placed(team, plan)


def _draw(seed: int, key: str, what: str, below: int) -> int:
    return int.from_bytes(digest(seed, key, what)[:4], "big") % below


def standing_near(team: Team, key: str, seed: int) -> tuple[str, str]:
    """Where somebody on the site stands: within some 60 m of its position, never twice on the same spot."""
    east, north = (_draw(seed, key, what, 1200) - 600 for what in ("east", "north"))
    return (
        f"{float(team.works.longitude) + east * 1e-6:.6f}",
        f"{float(team.works.latitude) + north * 1e-6:.6f}",
    )


def working_times(made: datetime, first: datetime, count: int, entered_min: int = 9) -> Times:
    """Times of one report on working days: brought in before the test, signed on the day after it."""
    entered = made + timedelta(minutes=6 + entered_min)
    long = first - made > timedelta(days=2)
    received = first - (timedelta(hours=18, minutes=30) if long else timedelta(minutes=70))
    tested = tuple(first + SPECIMEN * i for i in range(count))
    finished = tested[-1] + SPECIMEN
    after: date = local_date(finished) + timedelta(days=1)
    reviewed = local(after, 9, 5 + first.minute % 40)
    return Times(
        made=made,
        entered=entered,
        witnessed=entered + timedelta(minutes=5 + entered_min % 7),
        commissioned=received - timedelta(minutes=35),
        received=received,
        tested=tested,
        finished=finished,
        reviewed=reviewed,
        approved=reviewed + timedelta(hours=2),
        applied=reviewed + timedelta(hours=5),
        registered=reviewed + timedelta(hours=5, minutes=14),
    )


def cube_curves(
    team: Team, key: str, strengths: tuple[float, ...], grade: str, rate: float | None = None
) -> Callable[[], tuple[Recording, ...]]:
    """Curves of a group on the institution's press; `rate` in MPa/s, else the middle of what the grade permits."""

    def pressed() -> tuple[Recording, ...]:
        band = rate_band(grade, EDITIONS.known[-1].code)
        press = SimulatedPress(curve_seed(team, key), team.house.profiles["concrete_cube"])
        speed = rate or float((band.low + band.high) / 2)
        facts = [
            SpecimenFacts(
                label=f"{key}-{i}",
                number=i,
                mass_g=str(7880 + _draw(team.cast.seed, f"{key}-{i}", "mass", 260)),
            )
            for i in range(1, len(strengths) + 1)
        ]
        return tuple(
            press.cube(strength, 150, speed, facts=each)
            for strength, each in zip(strengths, facts, strict=True)
        )

    return pressed


def bar_curves(
    team: Team, key: str, steels: tuple[BarSteel, ...], diameter: int
) -> Callable[[], tuple[Recording, ...]]:
    """Curves of bars on the institution's universal machine."""

    def pulled() -> tuple[Recording, ...]:
        machine = SimulatedPress(curve_seed(team, key), team.house.profiles["rebar_tension"])
        return tuple(
            machine.bar(
                steel, diameter, gauge_mm=5 * diameter, facts=SpecimenFacts(label=f"{key}-{i}", number=i)
            )
            for i, steel in enumerate(steels, start=1)
        )

    return pulled


def curve_seed(team: Team, key: str) -> int:
    """Seed of a report's curves."""
    return int.from_bytes(digest(team.cast.seed, key, "curves")[:6], "big")


def changed(placed: Placed, **values: Any) -> Placed:
    """The same with other values in its plan."""
    return Placed(placed.team, replace(placed.plan, **values))


def generator(seed: int, *names: object) -> np.random.Generator:
    """Random numbers of their own for one purpose, so that one more report elsewhere changes nothing here."""
    return np.random.default_rng(int.from_bytes(digest(seed, *names)[:8], "big"))
