"""Frauds of institutions (机构违规): machines, capability, people, subcontracting, clients, uploads, haste."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from plumbline.demo.living.clocks import Lines
from plumbline.demo.living.drafts import Placed, changed
from plumbline.demo.living.frauds.stage import Stage
from plumbline.demo.plan import local
from plumbline.domain.basics.calendar import local_date

#: From one specimen to the next: nobody cleans and sets a cube in the few seconds that are left.
HASTE = timedelta(seconds=76)
#: An institution's evening, when no honest group is on the machine.
_EVENING = 19


def _in_the_evening(placed: Placed, evening: datetime, pace: timedelta | None = None) -> Placed:
    times = placed.plan.times
    step = pace or times.tested[1] - times.tested[0]
    tested = tuple(evening + step * i for i in range(placed.plan.count))
    return changed(placed, times=replace(times, tested=tested, finished=tested[-1] + step))


def overlapping_tests(stage: Stage) -> None:
    """R11: two groups are on the same machine at the same time."""
    team = stage.team()
    made = stage.made(team)
    evening = local(local_date(made + timedelta(days=28)), _EVENING)
    stage.put(_in_the_evening(stage.group(team, "a", made=made), evening))
    second = stage.group(team, "b", made=made + timedelta(minutes=20))
    stage.put(_in_the_evening(second, evening + timedelta(seconds=25)))
    stage.named(technician=team.cast.person("technician"))


def lapsed_machine(stage: Stage) -> None:
    """R21: a machine that is out of calibration and put away is used all the same."""
    team = stage.team()
    changes = {"run": lambda fields: fields | {"instrument": team.house.lapsed}}
    stage.put(changed(stage.group(team, "a"), changes=changes))


def out_of_scope(stage: Stage) -> None:
    """R22: an institution that may test cubes alone reports on steel."""
    team = stage.team(lambda t: not t.house.may_test("rebar_tension"))
    stage.put(stage.steel(team, "a"))


def unqualified_technician(stage: Stage) -> None:
    """R24: the receiver, who holds no certificate for any test, runs one."""
    team = stage.team()
    person = team.cast.person("receiver")

    def tested_by(fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"technician": person}

    changes = {"run": tested_by, "application/1": lambda fields: fields | {"tested_by": [person]}}
    stage.put(changed(stage.group(team, "a"), changes=changes))
    stage.named(technician=person)


def third_institution(stage: Stage) -> None:
    """R26: cubes of one project are spread over three institutions."""
    team = stage.team()
    stage.put(stage.group(team, "a"))
    others = [house.number for house in stage.city.houses if house is not team.house][:2]
    for number in others:
        stage.put(stage.group(stage.city.team_of(team.number, number), f"h{number}"))


def wrong_client(stage: Stage) -> None:
    """R27: the contractor, whose concrete it is, signs the contract and commissions the test."""
    team = stage.team()
    stage.put(changed(stage.group(team, "a"), client="contractor"))
    stage.named(client=team.cast.party("contractor"))


def sudden_uploads(stage: Stage) -> None:
    """R34: tests of three days arrive within one minute, while the line was up all the time."""
    team = stage.team()
    made = stage.made(team, after=1)
    burst = local(local_date(made + timedelta(days=31)), 20)
    for number in range(9):
        each = stage.group(
            team, f"{number}", made=made + timedelta(days=number // 3, minutes=18 * (number % 3))
        )
        held = each.plan.times.finished - timedelta(minutes=1)
        stage.put(changed(each, uploaded=Lines(((held, burst),), spread=timedelta(seconds=50))))


def impossible_pace(stage: Stage) -> None:
    """R36: twenty-four cubes in half an hour on one machine."""
    team = stage.team()
    made = stage.made(team)
    evening = local(local_date(made + timedelta(days=28)), _EVENING) + timedelta(minutes=15)
    for number in range(8):
        each = stage.group(team, f"{number}", made=made + timedelta(minutes=7 * number))
        stage.put(_in_the_evening(each, evening + HASTE * 3 * number, HASTE))
