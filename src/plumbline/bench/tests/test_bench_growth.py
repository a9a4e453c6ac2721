"""What growth is judged by (增长的判定): steps of a proof, pages of a look-up, and the small set on a platform of its own."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from plumbline.bench import command, p4_verify, p6_proofs
from plumbline.bench.command import SMALL, SMALL_NAMES, Profile, run_bench
from plumbline.bench.goals import NAMES, read_goals
from plumbline.bench.growth import grow_reports, template
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.p6_log import Sizes, StoredLog
from plumbline.bench.p6_proofs import OUTSIDE, STEPS, SqliteLog, Steps, measure_steps
from plumbline.bench.stats import Verdict
from plumbline.bench.world import World, open_world
from plumbline.domain.reporting.code import new_code
from plumbline.evidence import paths
from plumbline.evidence.paths import inclusion_path

COUNTED = Sizes(steps=20_000)


def test_the_steps_of_a_proof_are_those_of_its_layout() -> None:
    log = StoredLog(1023)
    steps = Steps(1023, log)
    assert steps.path(0) == inclusion_path(0, 1023, log.source())
    # blocks of 256 and 255 leaves, 247 hashes in each; two stored nodes, and eight joins of the ragged sibling
    assert (steps.read, steps.hashes, steps.outside) == (256 + 255 + 2, 247 + 247 + 8, 10)


def test_a_proof_stays_within_what_the_layout_allows_and_its_worst_case_grows_by_a_logarithm() -> None:
    found = measure_steps(read_goals()["P6-steps"], COUNTED)
    assert found.verdict is Verdict.PASS
    assert measure_steps(read_goals()["P6-steps"], COUNTED).comparison == found.comparison
    assert (STEPS, OUTSIDE) == (104, 3)
    assert f"{STEPS}·log₂ n" in found.goal.limit_zh


def test_proofs_that_hash_every_leaf_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # no stored nodes: everything is one block
    monkeypatch.setattr(paths, "BLOCK_LEVEL", 40)
    monkeypatch.setattr(paths, "BLOCK_LEAVES", 1 << 40)
    found = measure_steps(read_goals()["P6-steps"], COUNTED)
    assert found.verdict is Verdict.MISS


def test_proofs_that_read_more_nodes_than_they_need_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Steps._node

    def again(self: Steps, level: int, start: int) -> bytes | None:
        for _ in range(7):
            plain(self, level, start)
        return plain(self, level, start)

    monkeypatch.setattr(Steps, "_node", again)
    assert measure_steps(read_goals()["P6-steps"], COUNTED).verdict is Verdict.MISS


def test_a_log_in_a_file_proves_as_the_log_does(tmp_path: Path) -> None:
    log = StoredLog(700)
    stored = SqliteLog(tmp_path / "log.sqlite", log)
    assert [stored.prove(each) for each in (0, 511, 699)] == [
        inclusion_path(each, 700, log.source()) for each in (0, 511, 699)
    ]
    stored.close()


def test_a_peer_that_proves_something_else_voids_the_run() -> None:
    log, picks = StoredLog(300), [3, 299]
    paths_of = [[log.leaves[each], *inclusion_path(each, 300, log.source())] for each in picks]
    told = {
        "root": log.frontier.root().hex(),
        "paths": [[step.hex() for step in each] for each in paths_of],
    }
    p6_proofs.check_peer(told, log, picks)
    for lie in (
        {"root": "00" * 32},
        {"paths": told["paths"][::-1]},
        {"paths": [told["paths"][0][:-1], told["paths"][1]]},
        {"paths": [["00" * 32, *told["paths"][0][1:]], told["paths"][1]]},
    ):
        with pytest.raises(Lost):
            p6_proofs.check_peer(told | lie, log, picks)


def test_pymerkle_proves_the_same_from_its_file() -> None:
    if find_spec("pymerkle") is None:
        pytest.skip("P6-proofs is not tried: pymerkle not installed (pip install pymerkle)")
    sizes = Sizes(stored=300, peer_proofs=3, peer_s=0, stored_few=20)
    gated, filled = p6_proofs.measure_peer(read_goals(), sizes, 2)
    assert gated.verdict in (Verdict.PASS, Verdict.MISS, Verdict.NOISY)
    assert filled.verdict is Verdict.INFORMATION
    assert (
        "180 different leaves a round, the peer some 3 of them, others each round, 6 in all" in gated.notes[0]
    )


def test_as_many_different_leaves_are_proven_as_are_told_and_always_the_same_ones() -> None:
    picks = p6_proofs.scattered(400, Sizes().proven)
    assert len(set(picks)) == len(picks) == 180
    assert picks == p6_proofs.scattered(400, 180) and set(picks) <= set(range(400))


def test_a_peer_that_proves_too_few_leaves_voids_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p6_proofs, "peer_proofs", lambda *asked: {"paths": [], "plain": 9.0})
    with pytest.raises(Lost, match="0 leaves only"):
        p6_proofs.measure_peer(read_goals(), Sizes(stored=300, stored_few=0), 1)


@pytest.mark.parametrize(("complete", "status"), [(False, 0), (True, 5)])
def test_an_absent_peer_fails_a_run_that_is_to_be_complete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, complete: bool, status: int
) -> None:
    monkeypatch.setitem(command.MEASUREMENTS, "P6", lambda run: iter(["P6-proofs peer absent: pymerkle"]))
    asked = argparse.Namespace(names=["P6"], rounds=1, small=True, complete=complete)
    assert run_bench(asked) == status
    told = capsys.readouterr()
    assert "peer absent: pymerkle" in told.out
    assert ("缺对照" in told.err) is complete


def test_an_absent_peer_of_the_proofs_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p6_proofs, "_PEER", "print('null')")
    assert p6_proofs.measure_peer(read_goals(), Sizes(stored=300, peer_proofs=3), 1) == []


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with open_world() as opened:
        yield opened


#: What makes the gateway's question read every report: a lost index; settings of its function alone, which no other query has; a body that
#: compares what no index holds.
_REGRESSIONS = (
    "ALTER TABLE fact.registration DROP CONSTRAINT registration_pkey CASCADE",
    "ALTER FUNCTION ops.verify_briefly SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = off "
    "SET enable_seqscan = on",
    "DO $do$ BEGIN EXECUTE replace(pg_get_functiondef('ops.verify_briefly'::regproc), 'ON a.id = c.application', "
    "'ON a.id || '''' = c.application'); END $do$",
)


@pytest.mark.service
def test_a_look_up_by_the_gateways_function_touches_few_pages_until_its_plan_is_worse(world: World) -> None:
    made = template(world)
    goal = read_goals()["P5-pages"]
    assert goal.gate is not None
    codes = grow_reports(world, made, 200)
    few = p4_verify.pages_read(world, codes)
    codes += grow_reports(world, made, 3000)
    many = p4_verify.pages_read(world, codes)
    assert few / many >= goal.gate
    with world.connect() as conn:
        for regression in _REGRESSIONS:
            with conn.transaction(force_rollback=True):
                conn.execute(regression.encode())
                assert few / p4_verify.pages_of(conn, codes[7]) < goal.gate / 2, regression
        assert p4_verify.pages_of(conn, codes[7]) <= many
        with pytest.raises(Lost, match="not found"):
            p4_verify.pages_of(conn, new_code(date(2026, 1, 1), "610", lambda _: 5))


@pytest.mark.service
def test_the_small_set_measures_growth_on_two_platforms_and_is_firm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    plain = command.open_world

    def counting(suite: str = "standard"):
        opened.append(suite)
        return plain(suite)

    tiny = replace(SMALL, messages=20, entries=300, few=30, many=60, questions=60)
    monkeypatch.setattr(command, "SMALL", tiny)
    monkeypatch.setattr(command, "open_world", counting)
    seen: list[command.Measured] = []
    monkeypatch.setattr(command, "unjudged", lambda results: seen.extend(results) or "")
    status = run_bench(argparse.Namespace(names=["P3", "P5"], rounds=1, small=True))
    assert opened == ["standard", "standard"]
    assert [each.goal.name for each in seen] == ["P5", "P5-pages", "P3"]
    assert all(each.is_firm for each in seen)
    assert status == int(any(each.verdict is Verdict.MISS for each in seen))
    assert "P3 growth of the journal" in capsys.readouterr().out


def test_the_small_set_is_of_known_names_and_smaller() -> None:
    assert set(SMALL_NAMES) < set(NAMES)
    assert SMALL.entries < Profile().entries and SMALL.many < Profile().many
