"""Who takes part in the living city (演示城市的各方): institutions, projects and their people, of one seed.

Each project has a `Cast` of its own, so that everything that sends for one cast sends for the city: the four
parties of the project, the people of theirs who work on it, the institution's machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from plumbline.acquisition.simulator import MachineProfile
from plumbline.demo.cast import CapabilityLine, Cast, Instrument, Organisation, PartyKey, Person, Works
from plumbline.demo.living.machines import press_profile, tension_profile
from plumbline.demo.living.names import (
    HOME,
    NEIGHBOURS,
    PLACES,
    digest,
    firm_name,
    person_name,
    resident_id,
    uscc,
    works_name,
)

#: At scale 1; the planted scenarios add a hundred reports of their own.
INSTITUTIONS, PROJECTS, REPORTS, DAYS = 6, 40, 2900, 92
_CUBES: Final = CapabilityLine(
    category="concrete_cube",
    parameters=("concrete_cube.compressive",),
    methods=("concrete_cube", "GB/T 50081-2019"),
)
_BARS: Final = CapabilityLine(
    category="rebar_tension",
    parameters=("rebar.ReL", "rebar.ReH", "rebar.Rp02", "rebar.Rm", "rebar.A", "rebar.Agt"),
    methods=("rebar_tension", "GB/T 1499.2-2018", "GB 1499.2-2024"),
)
#: This institution may test cubes alone: what it does beyond that is out of scope (超资质).
NARROW_HOUSE: Final = 1
_STAFF: Final = (
    ("receiver", ("receiver",), False),
    ("technician", ("technician",), True),
    ("technician_2", ("technician",), True),
    ("reviewer", ("reviewer",), True),
    ("approver", ("approver", "technical_manager"), True),
)
_UNIT_WORKS: Final = ("1# 楼", "2# 楼", "3# 楼", "4# 楼", "地下车库")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A testing institution (检测机构) with its people and machines."""

    number: int
    organisation: Organisation
    people: dict[str, Person]
    instruments: dict[str, Instrument]
    capability: tuple[CapabilityLine, ...]
    prefix: str
    #: Category → machine; the machine `lapsed` is out of calibration and put away.
    machines: dict[str, str]
    profiles: Mapping[str, MachineProfile]
    lapsed: str

    def may_test(self, category: str) -> bool:
        """Whether the capability schedule has the category."""
        return any(line.category == category for line in self.capability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A ready-mix plant (预拌混凝土搅拌站)."""

    organisation: Organisation
    longitude: str
    latitude: str
    #: By how much its concrete departs from the mean, as a share.
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A project with all who build and test it."""

    number: int
    cast: Cast
    works: Works
    house: House
    plant: Plant
    #: Number of the resident engineers' firm: those of one firm share its witnesses.
    firm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """The whole city of a seed and scale."""

    seed: int
    scale: float
    houses: tuple[House, ...]
    plants: tuple[Plant, ...]
    teams: tuple[Team, ...]
    reports: int

    def team_of(self, project: int, house: int) -> Team:
        """The project with another institution in the place of its own."""
        team = self.teams[project]
        return replace(team, house=self.houses[house], cast=with_house(team.cast, self.houses[house]))


def build_city(seed: int, scale: float, today: date) -> City:
    """The city of `seed`; scale 1 has 6 institutions, 40 projects and 2 900 reports besides those of planted scenarios.

    ValueError outside 0 < scale ≤ 20.
    """
    if not 0 < scale <= 20:
        raise ValueError("规模应大于 0，不超过 20")
    rng = np.random.default_rng([seed, 2])
    divisions = [*HOME, *(NEIGHBOURS if scale >= 1 else list(NEIGHBOURS)[:1])]
    houses = tuple(
        _house(seed, rng, i, divisions[i % len(divisions)], today)
        for i in range(_few(INSTITUTIONS, scale, 3))
    )
    plants = tuple(_plant(seed, rng, i, divisions[i % 3]) for i in range(_few(4, scale, 1)))
    count = _few(PROJECTS, scale, 4)
    teams = tuple(_team(seed, rng, i, count, divisions, houses, plants) for i in range(count))
    return City(
        seed=seed,
        scale=scale,
        houses=houses,
        plants=plants,
        teams=teams,
        reports=max(12, round(REPORTS * scale)),
    )


def _few(at_one: int, scale: float, least: int) -> int:
    return max(least, round(at_one * scale))


def _organisation(seed: int, role: PartyKey | str, number: int, division: str) -> Organisation:
    name, short = firm_name(role, number, division)
    return Organisation(
        key=role,  # type: ignore[arg-type]  # a plant has no place in a project's cast
        name=name,
        short_name=short,
        uscc=uscc(seed, role, number, division),
        role=role,
        address=f"{(HOME | NEIGHBOURS)[division]}长兴路 {11 + 7 * number} 号",
        division=division,
    )


def _person(  # noqa: PLR0917 - one line of the register
    seed: int,
    rng: np.random.Generator,
    key: str,
    who: Organisation,
    roles: tuple[str, ...],
    scope: tuple[str, ...] = (),
) -> Person:
    ref = digest(seed, "person", who.uscc, key).hex()
    return Person(
        key=key,
        ref=ref,
        name=person_name(rng),
        employer=who.key,
        roles=roles,
        certificate_number=f"HC-{roles[0][:2].upper()}-{ref[:8].upper()}"
        if roles != ("submitter",)
        else None,
        scope=scope,
        resident_id=resident_id(rng, who.division),
    )


def _house(seed: int, rng: np.random.Generator, number: int, division: str, today: date) -> House:
    who = _organisation(seed, "institution", number, division)
    capability = (_CUBES,) if number == NARROW_HOUSE else (_CUBES, _BARS)
    scope = tuple(line.category for line in capability)
    people = {
        key: _person(seed, rng, key, who, roles, scope if scoped else ()) for key, roles, scoped in _STAFF
    }
    # Not HC, which is that of the first form's institution.
    prefix = f"Y{'ABCDEFGHJKLMNPQRSTUVWXYZ'[number % 24]}{number // 24 or ''}"
    press, tension, lapsed = f"YE-{prefix}-01", f"WE-{prefix}-01", f"YE-{prefix}-02"
    until = date(today.year + 1, 6, 30)
    instruments = {
        code: Instrument(
            code=code,
            name=name,
            model=model,
            serial_number=f"{code}-{digest(seed, code).hex()[:6].upper()}",
            range_kN=force,
            accuracy_class="1",
            certificate=f"HCJL-{digest(seed, code, 'certificate').hex()[:8].upper()}",
            calibrated_until=good_until,
        )
        for code, name, model, force, good_until in (
            (press, "微机控制压力试验机 2000 kN", "YE-2000", "2000", until),
            (tension, "微机控制万能试验机 600 kN", "WE-600", "600", until),
            (lapsed, "压力试验机 2000 kN（停用）", "YE-2000", "2000", today - timedelta(days=130)),
        )
    }
    return House(
        number=number,
        organisation=who,
        people=people,
        instruments=instruments,
        capability=capability,
        prefix=prefix,
        machines={"concrete_cube": press, "rebar_tension": tension},
        profiles={
            "concrete_cube": press_profile(rng, press, instruments[press].serial_number),
            "rebar_tension": tension_profile(rng, tension, instruments[tension].serial_number),
        },
        lapsed=lapsed,
    )


def _near(rng: np.random.Generator, division: str) -> tuple[str, str]:
    longitude, latitude = PLACES[division]
    return (
        f"{longitude + float(rng.uniform(-0.05, 0.05)):.5f}",
        f"{latitude + float(rng.uniform(-0.04, 0.04)):.5f}",
    )


def _plant(seed: int, rng: np.random.Generator, number: int, division: str) -> Plant:
    longitude, latitude = _near(rng, division)
    return Plant(
        organisation=_organisation(seed, "plant", number, division),
        longitude=longitude,
        latitude=latitude,
        share=round(float(rng.uniform(-0.02, 0.03)), 3),
    )


def _team(  # noqa: PLR0917 - everything that a project is drawn from
    seed: int,
    rng: np.random.Generator,
    number: int,
    count: int,
    divisions: list[str],
    houses: tuple[House, ...],
    plants: tuple[Plant, ...],
) -> Team:
    division = divisions[number % len(divisions)]
    firm = number % max(1, count // 5)
    contractor, owner = number % max(2, count // 3), number % max(2, count // 2)
    home = divisions[0]
    site: dict[PartyKey, Organisation] = {
        "contractor": _organisation(seed, "contractor", contractor, home),
        "owner": _organisation(seed, "owner", owner, home),
        "resident_engineer_firm": _organisation(seed, "resident_engineer_firm", firm, home),
    }
    # Samplers belong to a project; two projects of one firm share a witness, as small towns do.
    draw = np.random.default_rng([seed, 3, firm])
    people = {
        "sampler": _person(seed, rng, f"sampler.{number}", site["contractor"], ("sampler",)),
        "witness": _person(seed, draw, "witness", site["resident_engineer_firm"], ("witness",)),
        "client": _person(
            seed, np.random.default_rng([seed, 4, owner]), "client", site["owner"], ("submitter",)
        ),
    }
    longitude, latitude = _near(rng, division)
    works = Works(
        key=f"p{number:03d}",
        code=f"{division}-2026-{100 + number:04d}",
        name=works_name(number, division),
        permit_number=f"{division}2026-{100 + number:04d}",
        longitude=longitude,
        latitude=latitude,
        unit_works=_UNIT_WORKS[: 2 + number % 4],
        division=division,
    )
    house = houses[number % len(houses)]
    cast = Cast(
        seed=seed,
        organisations=site | {"institution": house.organisation},
        people=people,
        instruments={},
        capability=(),
        projects={works.key: works},
    )
    return Team(
        number=number,
        cast=with_house(cast, house),
        works=works,
        house=house,
        plant=plants[number % len(plants)],
        firm=firm,
    )


def with_house(cast: Cast, house: House) -> Cast:
    """A project's cast with that institution, its people and machines in it."""
    who = house.organisation
    return replace(
        cast,
        organisations=cast.organisations | {"institution": who},
        people=cast.people | house.people,
        instruments=house.instruments,
        capability=house.capability,
        qualification_number=f"（衡）建检字第 23{house.number + 31:05d} 号",
        site=f"{house.prefix}-01",
        site_name=f"{who.name}（检测场所）",
        site_address=who.address,
        prefix=house.prefix,
        machines=house.machines,
    )
