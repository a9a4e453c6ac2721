"""The three months of a city (城市三个月): pours and deliveries of every project, the reports that follow, honest oddities.

Pure: the same city and days give the same story; nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from plumbline.demo.living.booking import WITNESS_SLOT
from plumbline.demo.living.clocks import Lines
from plumbline.demo.living.drafts import FLOORS, PARTS, Desk, Placed, changed, cube_curves, generator
from plumbline.demo.living.site import SiteRecord, arrival, groups_required, pour
from plumbline.demo.living.strengths import WEAK_STEEL, bar_steel, cube_strengths, field_age_d
from plumbline.demo.living.town import City, Team
from plumbline.demo.plan import Oddities, local
from plumbline.domain.basics.calendar import local_date

GRADES: Final = ("C25", "C30", "C30", "C30", "C35", "C35", "C40", "C50")
DIAMETERS: Final = (12, 16, 20, 25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that will happen."""

    city: City
    start: datetime
    end: datetime
    placed: tuple[Placed, ...]
    records: tuple[SiteRecord, ...]
    #: Institution → its outages, of which everybody knew.
    outages: dict[int, tuple[tuple[datetime, datetime], ...]]


def tell(city: City, *, start: datetime, end: datetime) -> tuple[Desk, Story]:
    """The honest story between two instants, and the desk with the machine slots that it took."""
    desk = Desk(city, start)
    days = (end - start) // timedelta(days=1)
    for house in city.houses:
        rng = generator(city.seed, "outage", house.number)
        begins = start + timedelta(
            days=int(rng.integers(8, max(9, days - 8))), hours=int(rng.integers(0, 12))
        )
        desk.outages[house.number] = ((begins, begins + timedelta(hours=int(rng.integers(5, 26)))),)
    placed: list[Placed] = []
    records: list[SiteRecord] = []
    share = city.reports / len(city.teams)
    for team in city.teams:
        wanted = round(share * (team.number + 1)) - round(share * team.number)
        _project(desk, team, wanted, days, placed, records)
    honest = _with_oddities(desk, placed)
    return desk, Story(
        city=city, start=start, end=end, placed=tuple(honest), records=tuple(records), outages=desk.outages
    )


def _project(  # noqa: PLR0917 - fills two lists
    desk: Desk, team: Team, wanted: int, days: int, placed: list[Placed], records: list[SiteRecord]
) -> None:
    rng = generator(desk.city.seed, "project", team.works.key)
    number = 0
    goal = len(placed) + wanted
    while len(placed) < goal:
        key = f"city/{team.works.key}/{number:04d}"
        number += 1
        if rng.random() < 0.22 and team.house.may_test("rebar_tension"):
            _delivery(desk, team, key, rng, days, placed, records)
        else:
            _pour(desk, team, key, rng, days, (goal, placed, records))


def _day(desk: Desk, rng: np.random.Generator, days: int, needed: int) -> Any:
    """A day such that the report is there at the end; one in ten is still under way then."""
    last = max(2, days - needed - 3)
    day = (
        int(rng.integers(1, last))
        if rng.random() < 0.9 or days - 2 <= last
        else int(rng.integers(last, days - 1))
    )
    return local_date(desk.start) + timedelta(days=day)


def _witnessed_at(desk: Desk, team: Team, wanted: datetime, rng: np.random.Generator) -> datetime:
    """A time at which the project's witness is at no other project."""
    at = desk.booking.take(team.cast.person("witness"), wanted, WITNESS_SLOT)
    return at + timedelta(minutes=int(rng.integers(0, 12)))


def _delivery(  # noqa: PLR0917 - fills two lists
    desk: Desk,
    team: Team,
    key: str,
    rng: np.random.Generator,
    days: int,
    placed: list[Placed],
    records: list[SiteRecord],
) -> None:
    at = _witnessed_at(desk, team, local(_day(desk, rng, days, 2), int(rng.integers(8, 16))), rng)
    diameter, tonnes = DIAMETERS[int(rng.integers(4))], int(rng.integers(8, 60))
    delivered = arrival(team, f"{key}/arrival", at=at, grade="HRB400E", diameter=diameter, tonnes=tonnes)
    records.append(delivered)
    steels = (WEAK_STEEL, WEAK_STEEL) if rng.random() < 0.02 else tuple(bar_steel(rng) for _ in range(2))
    placed.append(
        desk.bars(
            team,
            f"{key}/0",
            made=at + timedelta(minutes=40),
            grade="HRB400E",
            diameter=diameter,
            steels=steels,
            arrival=delivered.entry,
            quantity=f"{tonnes} t",
        )
    )


def _pour(  # noqa: PLR0917 - fills two lists
    desk: Desk,
    team: Team,
    key: str,
    rng: np.random.Generator,
    days: int,
    into: tuple[int, list[Placed], list[SiteRecord]],
) -> None:
    goal, placed, records = into
    groups = min(int(rng.integers(1, 4)), goal - len(placed))
    volume = 100.0 * (groups - 1) + float(rng.uniform(20, 95))
    needed = 28 if rng.random() < 0.75 else 7
    day = _day(desk, rng, days, needed)
    at = _witnessed_at(desk, team, local(day, int(rng.integers(9, 16))), rng)
    day = local_date(at)
    grade = GRADES[int(rng.integers(len(GRADES)))]
    floor, part = FLOORS[int(rng.integers(len(FLOORS)))], PARTS[int(rng.integers(len(PARTS)))]
    unit = team.works.unit_works[int(rng.integers(len(team.works.unit_works)))]
    where = f"{floor} {part}"
    poured = pour(team, f"{key}/pour", at=at, part=f"{unit} {where}", grade=grade, volume_m3=volume)
    records.append(poured)
    kinds = [(needed, False)] * groups_required(volume)
    if len(placed) + len(kinds) < goal and rng.random() < 0.12:
        kinds.append((field_age_d(day), True))
    for i, (age, by_the_structure) in enumerate(kinds):
        made = at + timedelta(minutes=12 + 20 * i)
        placed.append(
            desk.cubes(
                team,
                f"{key}/{i}",
                made=made,
                age=age,
                grade=grade,
                strengths=cube_strengths(rng, grade, age, day, team.plant.share),
                part=where,
                unit_work=unit,
                field_cured=by_the_structure,
                pour=poured.entry,
                quantity=f"{volume / groups_required(volume):.0f} m³",
            )
        )


def _with_oddities(desk: Desk, placed: list[Placed]) -> list[Placed]:
    """Honest departures, each with its reason, spread over the reports."""
    rng = generator(desk.city.seed, "oddities")
    cubes = [i for i, each in enumerate(placed) if each.plan.category == "concrete_cube"]
    told = list(placed)
    order = [cubes[int(i)] for i in rng.permutation(len(cubes))]
    for odd in _ODDITIES:
        for _ in range(max(1, round(len(placed) * odd.share))):
            fitting = [i for i in order if odd.least_age <= (told[i].plan.required_age_d or 0)]
            if fitting:
                at = fitting[-1]
                order.remove(at)
                told[at] = odd.make(desk, told[at], rng)
    return told


@dataclass(frozen=True, slots=True)
class _Oddity:
    share: float
    make: Callable[[Desk, Placed, np.random.Generator], Placed]
    #: At an age of seven days a few hours more or less would break the age window.
    least_age: int = 0


def _full_buffer(desk: Desk, placed: Placed, rng: np.random.Generator) -> Placed:
    """The acquisition buffer was full at the break: the curve ends there and says so."""
    del desk, rng

    def cut(fields: dict[str, Any]) -> dict[str, Any]:
        first, *others = fields["specimens"]
        curve = type(first.curve)(**_fields(first.curve) | {"truncated": True})
        return fields | {"specimens": [type(first)(**_fields(first) | {"curve": curve}), *others]}

    return changed(placed, changes={"run": cut})


def _fields(part: Any) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__struct_fields__}


def _tight(desk: Desk, placed: Placed, rng: np.random.Generator) -> Placed:
    """One group that happens to be very even; a single one means nothing."""
    plan = placed.plan
    grade = plan.grade or "C30"
    share = 1.19 if (plan.required_age_d or 28) >= 28 else 0.9
    level = float(grade[1:]) * (share + 0.02 * float(rng.standard_normal()))
    strengths = tuple(round(level * (1 + 0.0015 * float(rng.standard_normal())), 2) for _ in range(3))
    return changed(placed, recordings=cube_curves(placed.team, plan.key, strengths, grade))


def at_night(desk: Desk, placed: Placed, rng: np.random.Generator) -> Placed:
    """Made at night with nobody to witness, and said so; the gate withholds its code."""
    del desk
    times = placed.plan.times
    made = local(local_date(times.made), 22, 10 + int(rng.integers(0, 45)))
    times = replace(
        times, made=made, entered=made + timedelta(minutes=11), witnessed=made + timedelta(minutes=16)
    )
    odd = Oddities(unwitnessed="夜间连续浇筑，监理未安排见证人员到场")
    return changed(placed, times=times, oddities=odd, cured=None)


def _offline(desk: Desk, placed: Placed, rng: np.random.Generator) -> Placed:
    """The site's phone had no network: what was entered in time arrives hours later."""
    lines = Lines(desk.outages[placed.team.house.number], timedelta(minutes=int(rng.integers(40, 300))))
    return changed(placed, uploaded=lines)


def _odd(**values: Any) -> Callable[[Desk, Placed, np.random.Generator], Placed]:
    return lambda desk, placed, rng: changed(placed, oddities=Oddities(**values))


#: What happens, and to what share of the reports; at least once each while there are enough.
_ODDITIES: Final = (
    _Oddity(0.010, _full_buffer),
    _Oddity(0.004, _tight),
    _Oddity(0.006, at_night, 28),
    _Oddity(0.020, _offline),
    _Oddity(0.003, _odd(withdrawn="结构部位填写有误，撤回后重新出具")),
    _Oddity(0.003, _odd(superseded="委托方更正代表数量，报告换版")),
    _Oddity(0.002, _odd(end="voided", voided="委托方撤销委托，样品未审核即退回")),
)
