"""The generator of cities: deterministic, well formed, plausible; nothing is sent in these tests."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from plumbline.acquisition.simulator import SimulatedPress
from plumbline.demo.chain import ChainResult
from plumbline.demo.living.clocks import Lines, drifting_clock
from plumbline.demo.living.drafts import Placed
from plumbline.demo.living.fill import Ended
from plumbline.demo.living.flow import Order, side_by_side
from plumbline.demo.living.frauds.planting import with_frauds
from plumbline.demo.living.story import Story, tell
from plumbline.demo.living.strengths import age_share, cube_strengths, field_age_d, season_share
from plumbline.demo.living.tests.memory_city import END, START, TODAY
from plumbline.demo.living.town import City, build_city
from plumbline.domain.basics.identifiers import is_resident_id, is_uscc


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(3, 1, TODAY)


@pytest.fixture(scope="module")
def story(city: City) -> Story:
    return tell(city, start=START, end=END)[1]


def test_a_whole_city_has_six_institutions_forty_projects_and_2900_reports_beside_the_planted_ones(
    city: City, story: Story
):
    assert (len(city.houses), len(city.teams), len(story.placed)) == (6, 40, 2900)


def test_projects_lie_in_two_cities_so_that_isolation_can_be_shown(city: City):
    assert {team.works.division[:4] for team in city.teams} == {"6103", "6104"}


def test_every_code_and_resident_number_has_its_check_character(city: City):
    assert all(is_uscc(who.uscc) for team in city.teams for who in team.cast.organisations.values())
    people = [person for team in city.teams for person in team.cast.people.values()]
    assert all(is_resident_id(person.resident_id or "", TODAY) for person in people)


def test_names_and_codes_are_not_given_twice(city: City):
    firms = {who.uscc: who.name for team in city.teams for who in team.cast.organisations.values()}
    assert len(set(firms.values())) == len(firms)
    assert len({team.works.name for team in city.teams}) == len(city.teams)
    assert len({code for house in city.houses for code in house.instruments}) == 3 * len(city.houses)


def test_the_same_seed_gives_the_same_story(city: City, story: Story):
    again = tell(build_city(3, 1, TODAY), start=START, end=END)[1]
    assert [(p.plan.key, p.plan.times) for p in again.placed] == [
        (p.plan.key, p.plan.times) for p in story.placed
    ]
    assert again.placed[7].plan.recordings()[0].sha256 == story.placed[7].plan.recordings()[0].sha256


def test_another_seed_gives_another_city(city: City):
    other = build_city(4, 1, TODAY)
    assert other.teams[0].cast.party("institution") != city.teams[0].cast.party("institution")
    assert other.houses[0].profiles["concrete_cube"] != city.houses[0].profiles["concrete_cube"]


def moments(placed: Placed) -> list:
    times = placed.plan.times
    return [times.made, times.entered, times.witnessed, times.commissioned, times.received, *times.tested,
            times.finished, times.reviewed, times.approved, times.applied, times.registered]  # fmt: skip


def test_every_honest_chain_is_in_the_order_that_the_gate_asks_for(story: Story):
    assert all(moments(each) == sorted(moments(each)) for each in story.placed)


def test_no_honest_machine_tests_two_groups_at_once(story: Story):
    busy: dict[str, list] = {}
    for each in story.placed:
        machine = each.team.house.machines[each.plan.category]
        busy.setdefault(machine, []).append((each.plan.times.tested[0], each.plan.times.finished))
    for spans in busy.values():
        assert all(one[1] <= other[0] for one, other in pairwise(sorted(spans)))


def test_a_pour_has_as_many_standard_groups_as_its_volume_asks_for(story: Story):
    made = Counter(each.plan.pour for each in story.placed if each.plan.curing == "standard")
    for record in story.records:
        if "volume_m3" in record.fields:
            assert made[record.entry] * 100 >= float(record.fields["volume_m3"])


def test_each_machine_has_a_texture_of_its_own(city: City):
    profiles = [house.profiles["concrete_cube"] for house in city.houses]
    assert len({(p.noise_memory, p.ripple_hz) for p in profiles}) == len(profiles)
    for profile in profiles:
        force = SimulatedPress(5, profile).cube(36.0).channels[0]
        assert force.scale == profile.force_step_kN
        seconds = np.diff(force.time_s)
        assert np.allclose(seconds, 1 / profile.sampling_hz, atol=1e-3)


def test_strength_grows_with_age_and_cooler_months_end_higher():
    assert age_share(7) < age_share(14) < age_share(28) == pytest.approx(1.0)
    assert season_share(date(2026, 1, 20)) > season_share(date(2026, 7, 20))
    rng = np.random.default_rng(1)
    groups = [cube_strengths(rng, "C30", 28, date(2026, 10, 1), 0.0) for _ in range(300)]
    assert 33 < np.mean(groups) < 37
    assert 0.005 < np.median([np.std(g, ddof=1) / np.mean(g) for g in groups]) < 0.05


@pytest.mark.parametrize(("made_on", "low", "high"), [("2026-07-01", 22, 26), ("2026-10-10", 50, 60)])
def test_cubes_beside_the_structure_wait_for_their_sum_of_temperatures(made_on: str, low: int, high: int):
    assert low <= field_age_d(date.fromisoformat(made_on)) <= high


def test_clocks_drift_within_what_the_gate_tolerates():
    for number in range(60):
        clock = drifting_clock(1, f"p{number}", START)
        for days in (0, 45, 92):
            at = START + timedelta(days=days)
            assert abs(clock("institution", at) - at) <= timedelta(seconds=28)


def test_an_outage_holds_everything_of_the_institution_and_keeps_its_order():
    begins, ends = START, START + timedelta(hours=6)
    lines = Lines(((begins, ends),))
    arrived = [lines("institution", begins + timedelta(hours=h)) for h in (0, 2, 5)]
    assert arrived == sorted(arrived)
    assert all(ends <= at <= ends + timedelta(minutes=18) for at in arrived)
    assert lines("institution", ends) == ends
    assert lines("contractor", begins) == begins


def test_stories_run_side_by_side_only_within_the_window():
    order: list[int] = []

    def steps(first: int, name: int):
        yield START + timedelta(hours=first)
        order.append(name)
        return name

    stories = [(START + timedelta(hours=hour), steps(hour, hour)) for hour in (9, 0, 30, 3)]
    ended = [
        value
        for _, value in side_by_side(
            stories, until=START + timedelta(hours=24), workers=4, order=Order(timedelta(minutes=30))
        )
        if value is not None
    ]
    assert order == [0, 3, 9] == ended


def test_only_a_few_steps_may_lie_further_behind_and_none_more_than_the_furthest():
    order = Order(timedelta(hours=3), 2, timedelta(hours=16))

    def waits(at: float, *begun: float) -> bool:
        return order.holds_back(START + timedelta(hours=at), [START + timedelta(hours=h) for h in begun])

    assert not waits(99)
    assert not waits(3, 0, 0, 0, 0)
    assert not waits(16, 0, 0, 13)
    assert waits(16, 0, 0, 12.9)
    assert waits(16.1, 0)
    assert waits(3.1, 0, 0, 0)
    in_order = Order(timedelta(hours=3))
    assert in_order.holds_back(START + timedelta(hours=3.1), [START])


def test_a_run_that_was_broken_off_remembers_what_ended_and_passes_over_a_cut_line(tmp_path: Path):
    file = tmp_path / "ended.jsonl"
    first = ChainResult(key="a", number="YA-HNT-2026-000001", code=None, entries={"run": "00" * 16})
    Ended(file).keep(first)
    with file.open("a", encoding="utf-8") as lines:
        lines.write('{"key":"b","numb')
    assert Ended(file).results == {"a": first}


@pytest.mark.parametrize("seed", range(1, 9))
def test_every_pattern_can_be_planted_in_a_small_city(seed: int):
    desk, story = tell(build_city(seed, 0.004, TODAY), start=START, end=END)
    fraudulent, planted = with_frauds(desk, story)
    assert len(planted) >= 20
    assert all(each.keys for each in planted)
    keys = [each.plan.key for each in fraudulent.placed]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("scale", [0, -1, 21])
def test_a_scale_out_of_range_is_refused(scale: float):
    with pytest.raises(ValueError, match="规模"):
        build_city(1, scale, TODAY)


@pytest.mark.parametrize("seed", [1, 7])
def test_a_city_whose_one_witness_is_busy_for_weeks_is_told_too(seed: int):
    placed = tell(build_city(seed, 0.2, TODAY), start=START, end=END)[1].placed
    assert len(placed) == 580
