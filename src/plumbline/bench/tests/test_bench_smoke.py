"""Every measurement runs on a real platform with tiny counts: only correctness is asserted, never time (测量冒烟)."""

from __future__ import annotations

import argparse
from datetime import date
from math import log2

import pytest

from plumbline.bench import p1a_accept, p4_verify, p7_lag, p8_curves, p13_national
from plumbline.bench.command import MEASUREMENTS, Profile, measure, run_bench
from plumbline.bench.gateways import Gateways
from plumbline.bench.goals import NAMES, read_goals
from plumbline.bench.growth import grow_journal, grow_reports, template
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.p6_log import Sizes, StoredLog, batch_append, leaf_data
from plumbline.bench.stats import Verdict
from plumbline.bench.world import World, open_world
from plumbline.domain.reporting.code import new_code
from plumbline.evidence.paths import inclusion_path, verify_inclusion
from plumbline.supervision.journal.heads import read_head, root_at
from plumbline.supervision.projection.curve_rows import pack

TINY = Profile(
    messages=40,
    reports=3,
    peak_s=1,
    few=30,
    log=Sizes(
        leaves=600, peer=300, small=100, proofs=20, stored=400, peer_proofs=3, stored_few=300, steps=3000
    ),
)


@pytest.mark.service
def test_each_measurement_keeps_its_correctness_through_a_killed_database() -> None:
    shown: list[str] = []
    described, results = measure(["P0", "P1a", "P1b", "P6"], 1, TINY, shown.append)
    assert {each.goal.name for each in results} - {"P6-pymerkle", "P6-proofs", "P6-proofs-filled"} == {
        "P0",
        "P6",
        "P6-steps",
        "P1a",
        "P1a-bare",
        "P1a-together",
        "P1a-together-bare",
        "P1b",
    }
    assert any("250 receipts verified" in each for each in shown)
    assert sum("receipts verified, 0 lost" in each for each in shown) == 2
    assert any("events = entries, 0 parked" in each for each in shown)
    assert described["postgresql"].split(".")[0].isdigit()


@pytest.mark.service
def test_a_grown_platform_is_a_platform_and_national_algorithms_and_cosigning_are_measured_on_it() -> None:
    goals = read_goals()
    with open_world("gm") as world:
        grow_journal(world, 300)
        with world.connect() as conn:
            head = read_head(conn)
            assert root_at(conn, 1, head.size) == head.root
        transport = p13_national.measure_transport(world, goals["P13"], 1, 20)
        assert transport.notes[0].startswith("2 gateways")
        lag = p7_lag.measure(world, goals["P7"], 1, 3)
        assert lag.notes[0].startswith("3 entries")
        codes = grow_reports(world, template(world), 120)
        gateways = Gateways(world, 1)
        try:
            asking = p4_verify.Asking(world, gateways, codes, 150)
            assert asking.rate(0) > 0
            asking.codes = [*codes[:1], new_code(date(2026, 1, 1), "610", lambda _: 5)]
            with pytest.raises(Lost):
                asking.rate(1)
        finally:
            gateways.stop()
        assert p4_verify.pages_read(world, codes) > 3
        assert rightly_counted(world)


def rightly_counted(world: World) -> bool:
    """Entries = leaves = head."""
    return len(set(world.counts())) == 1


def test_a_curve_is_beside_the_entropy_of_its_differences_and_comes_back() -> None:
    assert p8_curves.entropy_bytes([0, 1, 2, 3, 4, 5, 6, 7]) == pytest.approx(
        (log2(8) + 7 * log2(8 / 7)) / 8, rel=1e-9
    )
    narrow, wide = p8_curves.measure(read_goals(), 4, 1)
    assert narrow.verdict is Verdict.PASS
    assert wide.verdict is Verdict.PASS
    p8_curves.pack = lambda values: pack(values[:-1])  # type: ignore[attr-defined]
    try:
        with pytest.raises(Lost, match="does not come back"):
            p8_curves.stored_bytes([1, 2, 3])
    finally:
        p8_curves.pack = pack  # type: ignore[attr-defined]


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
    assert tuple(MEASUREMENTS) == NAMES
