"""Every measurement runs on a real platform with tiny counts: only correctness is asserted, never time (测量冒烟)."""

from __future__ import annotations

import argparse

import pytest

from plumbline.bench import p1a_accept
from plumbline.bench.command import Profile, measure, run_bench
from plumbline.bench.p6_log import Sizes, StoredLog, batch_append, leaf_data
from plumbline.evidence.paths import inclusion_path, verify_inclusion

TINY = Profile(messages=40, reports=3, log=Sizes(leaves=600, peer=300, small=100, proofs=20))


@pytest.mark.service
def test_each_measurement_keeps_its_correctness_through_a_killed_database() -> None:
    shown: list[str] = []
    described, results = measure(["P1a", "P1b", "P6"], 1, TINY, shown.append)
    assert {each.goal.name for each in results} - {"P6-pymerkle"} == {"P6", "P1a", "P1b"}
    assert any("receipts verified, 0 lost" in each for each in shown)
    assert any("events = entries, 0 parked" in each for each in shown)
    assert described["postgresql"].split(".")[0].isdigit()


def test_batches_of_the_log_give_the_root_of_one_append() -> None:
    log = StoredLog(600)
    assert batch_append(leaf_data(600))[1] == log.frontier
    path = inclusion_path(599, 600, log.source())
    assert verify_inclusion(log.leaves[599], 599, 600, path, log.frontier.root())


class _World:
    """Counts as a database would tell them."""

    def __init__(self, *counts: int) -> None:
        self._counts = counts

    def counts(self) -> tuple[int, ...]:
        return self._counts


@pytest.mark.parametrize("counts", [(13, 12, 12), (12, 13, 12), (12, 12, 13), (11, 11, 11)])
def test_answers_that_are_not_all_entries_and_leaves_void_the_run(counts) -> None:
    accepting = p1a_accept.Accepting(_World(*counts), 2, None)  # type: ignore[arg-type]
    accepting.accepted = [{"entry": "a"}, {"entry": "b"}]
    with pytest.raises(p1a_accept.Lost):
        p1a_accept.check_counts(accepting, 10)
    accepting.world = _World(12, 12, 12)  # type: ignore[assignment]
    p1a_accept.check_counts(accepting, 10)


def test_an_unknown_name_is_one_sentence(capsys) -> None:
    assert run_bench(argparse.Namespace(names=["P99"], rounds=1)) == 2
    assert "P99" in capsys.readouterr().err
