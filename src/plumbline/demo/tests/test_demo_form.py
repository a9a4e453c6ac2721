"""Plans of the first form: deterministic, inside their span, in order, with each departure once."""

from __future__ import annotations

from dataclasses import astuple
from datetime import timedelta

import numpy as np
import pytest

from plumbline.demo.cast import build_cast
from plumbline.demo.city import first_form_plans, simulated_cubes
from plumbline.demo.plan import Plan
from plumbline.demo.tests.memory_platform import ENROLLED, TODAY

CAST = build_cast(7, TODAY)
END = ENROLLED + timedelta(days=92)


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return first_form_plans(CAST, start=ENROLLED, end=END, count=80)


def moments(plan: Plan) -> list:
    times = plan.times
    return [times.made, times.entered, times.witnessed, times.commissioned, times.received, *times.tested,
            times.finished, times.reviewed, times.approved, times.applied, times.registered]  # fmt: skip


def test_every_chain_is_in_the_order_that_the_gate_asks_for(plans: list[Plan]):
    assert all(moments(plan) == sorted(moments(plan)) for plan in plans)


def test_nothing_lies_before_the_enrolment_or_after_the_end(plans: list[Plan]):
    afterwards = timedelta(hours=30)
    for plan in plans:
        last = plan.times.registered + (
            afterwards if plan.oddities.withdrawn or plan.oddities.superseded else timedelta(0)
        )
        assert ENROLLED <= plan.times.made - timedelta(hours=1)
        assert last <= END


def test_the_same_seed_gives_the_same_plans(plans: list[Plan]):
    again = first_form_plans(CAST, start=ENROLLED, end=END, count=80)
    assert [(p.key, astuple(p.times), p.oddities) for p in again] == [
        (p.key, astuple(p.times), p.oddities) for p in plans
    ]
    assert again[3].recordings()[0].sha256 == plans[3].recordings()[0].sha256


def test_another_seed_gives_other_plans(plans: list[Plan]):
    other = first_form_plans(build_cast(8, TODAY), start=ENROLLED, end=END, count=80)
    assert [p.times.made for p in other] != [p.times.made for p in plans]


def test_each_departure_is_there_once(plans: list[Plan]):
    odd = [plan.oddities for plan in plans]
    assert sum(each.end == "reserved" for each in odd) == 1
    assert sum(each.end == "voided" for each in odd) == 1
    for name in ("unwitnessed", "missing_picture", "withdrawn", "superseded", "without_curves"):
        assert sum(bool(getattr(each, name)) for each in odd) == 1, name
    assert sum(plan.lateness > timedelta(minutes=30) for plan in plans) == 1


def test_the_late_registration_is_four_minutes_over_the_limit(plans: list[Plan]):
    (late,) = [plan.lateness for plan in plans if plan.lateness > timedelta(minutes=30)]
    assert late == timedelta(minutes=34)


def test_most_reports_are_cubes_of_seven_and_twenty_eight_days(plans: list[Plan]):
    ages = [plan.required_age_d for plan in plans if plan.category == "concrete_cube"]
    assert len(ages) > len(plans) / 2
    assert set(ages) == {7, 28}


def test_cubes_are_tested_within_the_age_window_of_their_method(plans: list[Plan]):
    for plan in plans:
        if plan.required_age_d is not None and plan.oddities.unwitnessed is None:
            off = abs(plan.times.tested[0] - plan.times.made - timedelta(days=plan.required_age_d))
            assert off <= timedelta(hours=6), plan.key


@pytest.mark.parametrize(
    ("grade", "low", "high"), [("C25", 0.30, 0.50), ("C30", 0.50, 0.80), ("C60", 0.80, 1.00)]
)
def test_the_press_loads_at_the_rate_that_the_grade_permits(grade: str, low: float, high: float):
    strength = float(grade[1:]) * 1.3
    (recording,) = simulated_cubes(3, (strength,), grade)
    force = recording.channels[0]
    kN, seconds = force.counts * float(force.scale), force.time_us / 1e6
    peak = int(kN.argmax())
    steady = slice(int(peak * 0.3), int(peak * 0.8))
    rate = np.polyfit(seconds[steady], kN[steady], 1)[0] * 1000 / 22500
    assert low <= rate <= high
