"""Frauds around the sample (样品环节造假): swapped, photographed once for two, nobody there, everything from the plant."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from plumbline.demo.living.drafts import changed
from plumbline.demo.living.frauds.stage import Stage
from plumbline.demo.living.town import Team
from plumbline.exchange.messages.header import Position


def swapped_specimens(stage: Stage) -> None:
    """R07: cubes that were tested before are tested again in the place of another group."""
    team = stage.team()
    kept: list[str] = []

    def remember(fields: dict[str, Any]) -> dict[str, Any]:
        kept[:] = [each.tag for each in fields["specimens"]]
        return fields

    def swap(fields: dict[str, Any]) -> dict[str, Any]:
        swapped = [
            msgspec.structs.replace(each, tag=tag)
            for each, tag in zip(fields["specimens"], kept, strict=False)
        ]
        return fields | {"specimens": swapped or fields["specimens"]}

    made = stage.made(team, age=34)
    stage.put(changed(stage.group(team, "a", made=made), changes={"run": remember}))
    later = made + timedelta(days=4)
    stage.put(changed(stage.group(team, "b", made=later), changes={"run": swap}))


def reused_picture(stage: Stage) -> None:
    """R08: the placard of one group is shown again for another."""
    team = stage.team()
    kept: list[Any] = []

    def remember(fields: dict[str, Any]) -> dict[str, Any]:
        kept[:] = fields["pictures"]
        return fields

    def reuse(fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"pictures": kept or fields["pictures"]}

    made = stage.made(team, age=34)
    stage.put(changed(stage.group(team, "a", made=made), pictures=True, changes={"sampling": remember}))
    later = made + timedelta(days=5)
    stage.put(changed(stage.group(team, "b", made=later), pictures=True, changes={"sampling": reuse}))
    stage.named(sampler=team.cast.person("sampler"))


def two_places(stage: Stage) -> None:
    """R12: one witness confirms at two sites kilometres apart within a minute."""
    first, second = stage.pair(_share_a_witness_far_apart)
    made = stage.made(first)
    one = stage.put(stage.group(first, "a", made=made))
    two = stage.group(second, "b", made=made)
    times = replace(
        two.plan.times,
        entered=one.plan.times.entered,
        witnessed=one.plan.times.witnessed + timedelta(minutes=1),
    )
    stage.put(changed(two, times=times))
    stage.named(witness=first.cast.person("witness"))


def _share_a_witness_far_apart(a: Team, b: Team) -> bool:
    # A hundredth of a degree of latitude is 1.1 km.
    apart = abs(float(a.works.latitude) - float(b.works.latitude)) + abs(
        float(a.works.longitude) - float(b.works.longitude)
    )
    return a.cast.person("witness") == b.cast.person("witness") and apart > 0.06


def false_place(stage: Stage) -> None:
    """R13: the sampler's phone states a place kilometres outside the fence, by a mocked provider."""
    team = stage.team()
    away = (f"{float(team.works.longitude) + 0.023:.6f}", f"{float(team.works.latitude) - 0.019:.6f}")

    def mocked(fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {
            "position": Position(longitude=away[0], latitude=away[1], accuracy_m="0", mocked=True)
        }

    stage.put(changed(stage.group(team, "a"), changes={"sampling": mocked}))
    stage.named(sampler=team.cast.person("sampler"))


def entered_afterwards(stage: Stage) -> None:
    """R14: four groups of a day are entered in the evening in one sitting."""
    team = stage.team()
    made = stage.made(team)
    for number in range(4):
        each = stage.group(team, f"{number}", made=made + timedelta(minutes=22 * number))
        entered = made + timedelta(hours=6, minutes=2 * number)
        times = replace(each.plan.times, entered=entered, witnessed=entered + timedelta(minutes=1))
        stage.put(changed(each, times=times))
    stage.named(sampler=team.cast.person("sampler"))


def made_at_the_plant(stage: Stage) -> None:
    """R15: groups of several projects are made and entered at the ready-mix plant within minutes."""
    first = stage.team()
    teams = [team for team in stage.city.teams if team.plant is first.plant][:3]
    made = stage.made(first)
    plant = first.plant
    for number, team in enumerate(teams):
        spot = (
            f"{float(plant.longitude) + number * 4e-6:.6f}",
            f"{float(plant.latitude) + number * 3e-6:.6f}",
        )
        each = stage.group(team, f"{number}", made=made + timedelta(minutes=2 * number))
        stage.put(changed(each, place=spot, witness_place=spot))
    stage.named(plant=plant.organisation.party)


def one_phone(stage: Stage) -> None:
    """R16: sampler and witness confirm with the same picture from the same spot: one person, two accounts."""
    team = stage.team()
    kept: list[Any] = []

    def remember(fields: dict[str, Any]) -> dict[str, Any]:
        kept[:] = [each for each in fields["pictures"] if each.picture == "sampler"]
        return fields

    def same(fields: dict[str, Any]) -> dict[str, Any]:
        shown = [msgspec.structs.replace(each, picture="witness") for each in kept]
        return fields | {"pictures": shown or fields["pictures"]}

    placed = stage.group(team, "a")
    stage.put(
        changed(
            placed,
            pictures=True,
            witness_place=placed.plan.place,
            changes={"sampling": remember, "witnessing": same},
        )
    )
    stage.named(sampler=team.cast.person("sampler"), witness=team.cast.person("witness"))


def too_few_groups(stage: Stage) -> None:
    """R17: one group is made of a pour of 460 m³."""
    stage.put(stage.group(stage.team(), "a", volume_m3=460.0))
    stage.planted.records.append(stage.records[-1].entry)
