"""Frauds in records and reports (记录与报告造假): without test, altered, picked, out of order, repeated, untold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from plumbline.demo.casework import Case
from plumbline.demo.living.drafts import Placed, changed, cube_curves
from plumbline.demo.living.frauds.stage import Stage
from plumbline.demo.living.story import DIAMETERS
from plumbline.demo.living.strengths import WEAK_STEEL
from plumbline.demo.measure import cube
from plumbline.demo.plan import Oddities
from plumbline.exchange.messages.testing import RunRecorded

UPLIFT = Decimal("1.14")


def no_record(stage: Stage) -> None:
    """R01: a report on a test of which no record was ever sent."""
    stage.put(changed(stage.group(stage.team(), "a"), changes={"run": lambda fields: None}))


def altered_values(stage: Stage) -> None:
    """R05: the report states strengths 14 % above those that the machine measured."""
    weak = (30.4, 29.7, 31.0)
    stage.put(changed(stage.group(stage.team(), "a", strengths=weak), changes={"application/1": _uplifted}))


def _uplifted(fields: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        msgspec.structs.replace(
            each,
            values=[
                msgspec.structs.replace(v, value=str((Decimal(v.value) * UPLIFT).quantize(Decimal(v.value))))
                if v.value is not None
                else v
                for v in each.values
            ],
        )
        for each in fields["parameters"]
    ]
    return fields | {"parameters": parameters}


def picked_results(stage: Stage) -> None:
    """R06: the same group is tested three times over; two sets of low values are thrown away."""
    placed = stage.group(stage.team(), "a")
    first = placed.plan.times.tested[0]
    tries = [(first - timedelta(minutes=40 - 15 * n), n) for n in range(2)]
    extras = tuple((at, "institution", _discarded(placed, n)) for at, n in tries)
    stage.put(changed(placed, extras=extras))
    stage.named(technician=placed.team.cast.person(placed.plan.technician))


def _discarded(placed: Placed, number: int) -> Callable[[Case, datetime], None]:
    cast, plan = placed.team.cast, placed.plan
    low = tuple(25.5 + number + 0.4 * i for i in range(plan.count))
    curves = cube_curves(placed.team, f"{plan.key}/discarded/{number}", low, plan.grade or "C30")

    def send(case: Case, at: datetime) -> None:
        specimens = [
            cube(recording, ordinal=i, tag=tag, started_at=at + timedelta(minutes=3 * (i - 1))).run
            for i, (recording, tag) in enumerate(zip(curves(), case.tags, strict=True), start=1)
        ]
        machine = cast.machines[plan.category]
        case.entries[f"discarded/{number}"] = case.post.send(
            "institution",
            RunRecorded,
            at,
            f"discarded/{number}",
            device=machine,
            commission=case.entries["commission"],
            sample=case.entries["sample"],
            site=cast.site,
            category=plan.category,
            parameters=["concrete_cube.compressive"],
            method=plan.category,
            edition="GB/T 50081-2019",
            instrument=machine,
            technician=cast.person(plan.technician),
            data_origin="acquired",
            started_at=at,
            finished_at=max(each.finished_at for each in specimens),
            grade=plan.grade,
            specimens=specimens,
            missing_pictures="演示数据：本组影像从略",
            discarded=True,
            discarded_because="操作失误",
        ).entry

    return send


def signed_before(stage: Stage) -> None:
    """R10: reviewed two hours before the test was over."""
    placed = stage.group(stage.team(), "a")
    early = placed.plan.times.tested[0] - timedelta(hours=2)
    stage.put(changed(placed, changes={"application/1": lambda fields: fields | {"reviewed_at": early}}))


def uniform_strengths(stage: Stage) -> None:
    """R18: for weeks every group of one project scatters by a few thousandths, just above what is asked for."""
    team = stage.team()
    for number in range(max(8, round(30 * min(1.0, stage.city.scale)))):
        level = 30 * (1.155 + 0.004 * float(stage.rng.standard_normal()))
        strengths = tuple(
            round(level * (1 + 0.002 * float(stage.rng.standard_normal())), 2) for _ in range(3)
        )
        stage.put(stage.group(team, f"{number:02d}", strengths=strengths, technician="technician_2"))
    stage.named(technician=team.cast.person("technician_2"))


def copied_values(stage: Stage) -> None:
    """R19: two projects, the same three loads to the last digit."""
    first, second = stage.pair(lambda a, b: a.house.number == b.house.number)
    strengths = (36.42, 35.18, 37.07)
    stage.put(stage.group(first, "a", strengths=strengths))
    stage.put(stage.group(second, "b", strengths=strengths))


def dropped_failure(stage: Stage) -> None:
    """R28: bars fail, nobody speaks of it, and three days later other bars of the same delivery pass."""
    team = stage.team(lambda t: t.house.may_test("rebar_tension"))
    unit = team.works.unit_works[0]
    diameter = int(stage.rng.choice(DIAMETERS))
    bad = stage.steel(team, "a", steels=(WEAK_STEEL, WEAK_STEEL), unit_work=unit, diameter=diameter)
    bad = stage.put(changed(bad, oddities=Oddities(end="dropped"), told=False))
    later = bad.plan.times.made + timedelta(days=3)
    good = stage.steel(team, "b", made=later, unit_work=unit, diameter=diameter)
    # The same delivery: the second sample refers to the arrival of the first.
    stage.put(changed(good, arrival=bad.plan.arrival, quantity=bad.plan.quantity))
    stage.records.pop()


def untold_failure(stage: Stage) -> None:
    """R29: a report says 不合格, and neither client nor station is told."""
    team = stage.team(lambda t: t.house.may_test("rebar_tension"))
    stage.put(changed(stage.steel(team, "a", steels=(WEAK_STEEL, WEAK_STEEL)), told=False))


def typed_values(stage: Stage) -> None:
    """R35: an item that is acquired automatically is typed in, the machine driven by hand, without any reason."""

    def typed(fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"data_origin": "keyed", "load_control": "manual", "software": "电子表格"}

    stage.put(changed(stage.group(stage.team(), "a"), changes={"run": typed}))


def early_break(stage: Stage) -> None:
    """R09: cubes that are due at 28 days are broken at 21."""
    team = stage.team()
    made = stage.made(team)
    first = stage.desk.booking.take(team.house.machines["concrete_cube"], made + timedelta(days=21))
    placed = stage.group(team, "a", made=made, strengths=(31.2, 32.0, 30.6), start=first)
    stage.put(changed(placed, times=replace(placed.plan.times)))
