"""The stage on which a fraud is planted (植入台): reports beyond the honest ones, at places and times that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from plumbline.demo.living.booking import WITNESS_SLOT
from plumbline.demo.living.drafts import FLOORS, PARTS, Desk, Placed
from plumbline.demo.living.site import SiteRecord, arrival, pour
from plumbline.demo.living.story import DIAMETERS, Story
from plumbline.demo.living.strengths import bar_steel, cube_strengths
from plumbline.demo.living.town import City, Team
from plumbline.demo.plan import local
from plumbline.domain.basics.calendar import local_date


@dataclass(slots=True)
class Planted:
    """What was planted: ground truth, never sent."""

    pattern: str
    title: str
    #: Keys of the plans that carry it out.
    keys: list[str] = field(default_factory=list)
    #: Entry ids of site records that belong to it.
    records: list[str] = field(default_factory=list)
    #: Role → person or party, 32 hex.
    actors: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """Adds reports for one pattern; everything honest about them is made as for every other report."""

    desk: Desk
    story: Story
    planted: Planted
    rng: np.random.Generator
    placed: list[Placed] = field(default_factory=list)
    records: list[SiteRecord] = field(default_factory=list)

    @property
    def city(self) -> City:
        """The city."""
        return self.desk.city

    def team(self, fits: Callable[[Team], bool] = lambda team: True) -> Team:
        """A project; another one for another pattern or seed."""
        fitting = [team for team in self.city.teams if fits(team)]
        if not fitting:
            raise ValueError(f"{self.planted.pattern}：这座城市里没有合适的工程")
        return fitting[int(self.rng.integers(len(fitting)))]

    def pair(self, fits: Callable[[Team, Team], bool]) -> tuple[Team, Team]:
        """Two projects that fit each other."""
        pairs = [(a, b) for a in self.city.teams for b in self.city.teams if a is not b and fits(a, b)]
        if not pairs:
            raise ValueError(f"{self.planted.pattern}：这座城市里没有合适的两个工程")
        return pairs[int(self.rng.integers(len(pairs)))]

    def made(self, team: Team, age: int = 28, after: int = 0) -> datetime:
        """A time on the site such that the report and what follows it are there at the end."""
        days = (self.story.end - self.story.start) // timedelta(days=1)
        day = int(self.rng.integers(2, max(3, days - age - 16))) + after
        wanted = local(local_date(self.story.start) + timedelta(days=day), 10)
        at = self.desk.booking.take(team.cast.person("witness"), wanted, WITNESS_SLOT)
        return at + timedelta(minutes=15 + int(self.rng.integers(0, 10)))

    def group(  # noqa: PLR0917 - what a group is
        self,
        team: Team,
        name: str,
        made: datetime | None = None,
        age: int = 28,
        grade: str = "C30",
        strengths: tuple[float, ...] | None = None,
        volume_m3: float | None = None,
        **others: Any,
    ) -> Placed:
        """A group of cubes of a pour of its own; add it with `put`."""
        made = made or self.made(team, age)
        # Nothing but the fraud itself may tell a planted report from the others.
        part = f"{FLOORS[int(self.rng.integers(len(FLOORS)))]} {PARTS[int(self.rng.integers(len(PARTS)))]}"
        volume_m3 = volume_m3 or round(float(self.rng.uniform(20, 95)), 1)
        key = self._key(team, name)
        poured = pour(
            team, f"{key}/pour", at=made - timedelta(minutes=12), part=part, grade=grade, volume_m3=volume_m3
        )
        self.records.append(poured)
        values = strengths or cube_strengths(self.rng, grade, age, made.date(), team.plant.share)
        return self.desk.cubes(
            team,
            key,
            made=made,
            age=age,
            grade=grade,
            strengths=values,
            part=part,
            pour=poured.entry,
            quantity=f"{volume_m3:.0f} m³",
            **others,
        )

    def steel(self, team: Team, name: str, made: datetime | None = None, **others: Any) -> Placed:
        """Two bars of a delivery of its own; add it with `put`."""
        made = made or self.made(team, 3)
        key, tonnes = self._key(team, name), int(self.rng.integers(8, 60))
        diameter = others.pop("diameter", None) or int(self.rng.choice(DIAMETERS))
        delivered = arrival(
            team,
            f"{key}/arrival",
            at=made - timedelta(minutes=40),
            grade="HRB400E",
            diameter=diameter,
            tonnes=tonnes,
        )
        self.records.append(delivered)
        steels = others.pop("steels", None) or (bar_steel(self.rng), bar_steel(self.rng))
        return self.desk.bars(
            team,
            key,
            made=made,
            grade="HRB400E",
            diameter=diameter,
            steels=steels,
            arrival=delivered.entry,
            quantity=f"{tonnes} t",
            **others,
        )

    def put(self, placed: Placed) -> Placed:
        """Take a plan into the story as part of the fraud."""
        self.placed.append(placed)
        self.planted.keys.append(placed.plan.key)
        self.planted.actors.setdefault("institution", placed.team.cast.party("institution"))
        self.planted.actors.setdefault("project", placed.team.works.code)
        return placed

    def named(self, **actors: str) -> None:
        """Who did it."""
        self.planted.actors.update(actors)

    def _key(self, team: Team, name: str) -> str:
        return f"city/{team.works.key}/{self.planted.pattern}/{name}"
