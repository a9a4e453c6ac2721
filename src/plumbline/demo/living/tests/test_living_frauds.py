"""Every planted fraud is there in the messages, and an honest city of the same seed shows none of them."""

from __future__ import annotations

import pytest

from plumbline.demo.living.frauds.planting import PLANTERS
from plumbline.demo.living.frauds.scenario import scenarios
from plumbline.demo.living.tests.memory_city import Told, tell_in_memory
from plumbline.demo.living.tests.signals import SIGNALS
from plumbline.exchange.messages import KINDS

SEED, SCALE = 11, 0.01


@pytest.fixture(scope="module")
def fraudulent(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell_in_memory(tmp_path_factory.mktemp("fraud"), seed=SEED, scale=SCALE, patterns=None)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell_in_memory(tmp_path_factory.mktemp("honest"), seed=SEED, scale=SCALE, patterns=())


@pytest.mark.parametrize("pattern", PLANTERS)
def test_a_planted_pattern_shows_in_the_messages(fraudulent: Told, pattern: str):
    assert SIGNALS[pattern](fraudulent) & fraudulent.planted(pattern)


@pytest.mark.parametrize("pattern", PLANTERS)
def test_an_honest_city_of_the_same_seed_does_not_show_it(honest: Told, pattern: str):
    assert SIGNALS[pattern](honest) == set()


def test_what_shows_is_planted_and_nothing_else(fraudulent: Told):
    planted = set().union(*(fraudulent.planted(pattern) for pattern in PLANTERS))
    for pattern, signal in SIGNALS.items():
        swept_along = signal(fraudulent) - planted
        # The honest city's one even group may lie in the very project whose groups are all made even.
        assert len(swept_along) <= (1 if pattern == "R18" else 0), pattern


def test_every_planted_report_comes_to_an_end(fraudulent: Told):
    for each in fraudulent.truth:
        assert set(each["entries"]) == set(each["keys"]), each["pattern"]


def test_planting_leaves_the_honest_reports_as_they_were(fraudulent: Told, honest: Told):
    frauds = {key for each in fraudulent.truth for key in each["keys"]}
    kept = {key: r.entries for key, r in fraudulent.filled.results.items() if key not in frauds}
    assert kept.keys() == honest.filled.results.keys()
    assert all(kept[key]["run"] == r.entries["run"] for key, r in honest.filled.results.items())


def test_each_scenario_has_code_and_a_signal_and_names_message_kinds_that_exist():
    found = scenarios()
    assert set(found) == set(PLANTERS) == set(SIGNALS)
    for each in found.values():
        assert each.title
        assert each.honest
        assert each.actors
        assert {sign.kind for sign in each.shows} <= set(KINDS)


def test_ground_truth_is_never_sent(fraudulent: Told):
    for each in fraudulent.truth:
        assert each["title"] not in repr([kept.message for kept in fraudulent.platform.kept])
        assert not any(f"/{each['pattern']}/" in repr(kept.message) for kept in fraudulent.platform.kept)
