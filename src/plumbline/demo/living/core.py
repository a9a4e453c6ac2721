"""The core of a city (城市核心): a few finished reports of every kind, older than the rest, sent first of all.

They lie before the city's three months in the log as in time, so that the first page has something to show while the
rest is being sent, and nothing is ever entered out of order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from plumbline.demo.living.booking import WITNESS_SLOT
from plumbline.demo.living.drafts import Desk, Placed, changed, generator
from plumbline.demo.living.frauds.stage import Planted, Stage
from plumbline.demo.living.story import Story, at_night
from plumbline.demo.living.strengths import WEAK_STEEL
from plumbline.demo.living.town import City, Team
from plumbline.demo.plan import Oddities, local
from plumbline.domain.basics.calendar import local_date

#: Projects of the core; each has another institution.
TEAMS: Final = 3
#: From the core's first day to the present, and how long it lasts: it ends before the three months begin.
BEFORE, SPAN = timedelta(days=135), timedelta(days=42)
#: More than the thirty minutes that this city allows from making to the sampler's entry.
LATE = timedelta(minutes=34)


def core_of(city: City) -> City:
    """The part of the city that takes part in the core."""
    teams = city.teams[:TEAMS]
    numbers = {team.house.number for team in teams}
    houses = tuple(house for house in city.houses if house.number in numbers)
    plants = tuple({team.plant.organisation.uscc: team.plant for team in teams}.values())
    return replace(city, teams=teams, houses=houses, plants=plants, reports=len(_ITEMS))


def core_story(city: City, *, end: datetime) -> Story:
    """The reports of the core for a city whose story ends at `end`; pure."""
    start = end - BEFORE
    part = core_of(city)
    desk = Desk(part, start)
    story = Story(city=part, start=start, end=start + SPAN, placed=(), records=(), outages={})
    stage = Stage(desk, story, Planted("core", "城市核心"), generator(city.seed, "core"))
    first = local_date(start) + timedelta(days=1)
    for number, name, make in _ITEMS:
        stage.put(make(stage, part.teams[number % len(part.teams)], name, first))
    return replace(story, placed=tuple(stage.placed), records=tuple(stage.records))


def _made(stage: Stage, team: Team, day: date) -> datetime:
    at = stage.desk.booking.take(team.cast.person("witness"), local(day, 10), WITNESS_SLOT)
    return at + timedelta(minutes=15)


def _cubes(stage: Stage, team: Team, name: str, day: date) -> Placed:
    return stage.group(team, name, made=_made(stage, team, day))


def _pictured(stage: Stage, team: Team, name: str, day: date) -> Placed:
    return changed(_cubes(stage, team, name, day), pictures=True)


def _weak_cubes(stage: Stage, team: Team, name: str, day: date) -> Placed:
    made = _made(stage, team, day)
    return stage.group(team, name, made=made, grade="C30", strengths=(25.9, 26.4, 25.2))


def _late(stage: Stage, team: Team, name: str, day: date) -> Placed:
    placed = _cubes(stage, team, name, day)
    times = placed.plan.times
    entered = times.made + LATE
    return changed(
        placed,
        times=replace(times, entered=entered, witnessed=entered + timedelta(minutes=6)),
        pictures=False,
    )


def _night(stage: Stage, team: Team, name: str, day: date) -> Placed:
    return at_night(stage.desk, _cubes(stage, team, name, day), stage.rng)


def _odd(oddities: Oddities) -> Callable[[Stage, Team, str, date], Placed]:
    return lambda stage, team, name, day: changed(_cubes(stage, team, name, day), oddities=oddities)


def _steel(stage: Stage, team: Team, name: str, day: date) -> Placed:
    return stage.steel(team, name, made=_made(stage, team, day))


def _weak_steel(stage: Stage, team: Team, name: str, day: date) -> Placed:
    return stage.steel(team, name, made=_made(stage, team, day), steels=(WEAK_STEEL, WEAK_STEEL))


#: Number of the project, name of the report, how it is made. The second project's institution tests cubes alone.
_ITEMS: Final[tuple[tuple[int, str, Callable[[Stage, Team, str, date], Placed]], ...]] = (
    (0, "passed", _pictured),
    (0, "steel", _steel),
    (0, "late", _late),
    (0, "failed", _weak_cubes),
    (1, "passed", _cubes),
    (1, "night", _night),
    (1, "superseded", _odd(Oddities(superseded="委托方更正代表数量，报告换版"))),
    (2, "weak-steel", _weak_steel),
    (2, "withdrawn", _odd(Oddities(withdrawn="结构部位填写有误，撤回后重新出具"))),
    (2, "unused", _odd(Oddities(end="reserved"))),
)
