"""The rod's own arithmetic: order of runs, ratios, intervals, the noisy rule, exit status, goals and their table (测量统计)."""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import harmonic_mean

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.bench import raw_copy
from plumbline.bench.goals import read_goals
from plumbline.bench.load import answers, pack
from plumbline.bench.proved_copy import ProvedRow, Signature, dealt, proved
from plumbline.bench.raw_copy import HEADER, TRAILER
from plumbline.bench.report import Measured, as_json, exit_status, line, number, unjudged
from plumbline.bench.stats import Comparison, Verdict, bootstrap, interleave, stray
from plumbline.bench.table import newest, page_of, results
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.supervision.journal.keys import public_bytes

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "bench.md"


def _measured(
    ours: tuple[float, ...], limit: tuple[float, ...], name: str = "P1a", cpu_us: float = 0
) -> Measured:
    return Measured(goal=read_goals()[name], comparison=Comparison(ours=ours, limit=limit), cpu_us=cpu_us)


def test_limit_and_ours_run_in_turn_after_one_uncounted_pair() -> None:
    order: list[tuple[str, int]] = []

    def leg(name: str, rate: float):
        def run(round_: int) -> float:
            order.append((name, round_))
            return rate

        return run

    found = interleave(leg("L", 10.0), leg("O", 4.0), 2)
    assert order == [("L", -1), ("O", -1), ("L", 0), ("O", 0), ("L", 1), ("O", 1)]
    assert found.ratios == [0.4, 0.4]


def test_turns_within_a_round_count_as_one_leg_of_all_their_work() -> None:
    order: list[tuple[str, int]] = []
    limits = {0: [10.0, 40.0], 1: [30.0, 20.0], 2: [50.0, 50.0], 3: [50.0, 50.0]}  # of two ways to lay it out

    def limit(leg: int) -> list[float]:
        order.append(("L", leg))
        return limits[leg]

    def ours(leg: int) -> float:
        order.append(("O", leg))
        return (5.0, 20.0, 10.0, 10.0)[leg]

    found = interleave(limit, ours, 2, warm=False, turns=2)
    assert order == [(side, leg) for leg in range(4) for side in "LO"]
    # 2 ÷ (1/40 + 1/20): the second way is the faster one over the round, though not in each turn
    assert found.limit == pytest.approx((80 / 3, 50.0))
    assert found.ours == pytest.approx((8.0, 10.0))


def test_a_ratio_is_of_its_own_pair_so_that_a_slow_minute_harms_both_halves() -> None:
    found = Comparison(ours=(40.0, 20.0, 40.0), limit=(100.0, 50.0, 100.0))
    assert found.ratios == [0.4, 0.4, 0.4]
    assert found.interval == (0.4, 0.4)


def test_the_interval_holds_the_median_and_stays_within_the_values() -> None:
    values = [0.30, 0.35, 0.40, 0.41, 0.50]
    low, high = bootstrap(values)
    assert min(values) <= low <= 0.40 <= high <= max(values)
    assert bootstrap(values) == (low, high)


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="no values"):
        bootstrap([])


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        ((100.0, 100.0, 114.9), Verdict.PASS),
        ((100.0, 100.0, 115.0), Verdict.PASS),
        ((100.0, 100.0, 115.1), Verdict.NOISY),
        ((100.0, 100.0, 84.9), Verdict.NOISY),
    ],
)
def test_a_limit_that_strays_more_than_15_per_cent_gives_no_verdict(limit, verdict) -> None:
    assert Comparison(ours=(50.0, 50.0, 50.0), limit=limit).verdict(0.35) is verdict


@pytest.mark.parametrize(("ours", "verdict"), [(34.9, "MISS"), (35.0, "PASS"), (35.1, "PASS")])
def test_the_gate_is_reached_at_its_value(ours: float, verdict: str) -> None:
    assert Comparison(ours=(ours,), limit=(100.0,)).verdict(0.35) == verdict


def test_a_noisy_limit_also_hides_a_miss() -> None:
    noisy = _measured((1.0, 1.0, 1.0), (100.0, 100.0, 200.0))
    assert noisy.verdict is Verdict.NOISY
    assert "noisy – no verdict" in line(noisy)
    assert stray(noisy.comparison.limit) == 1.0


@pytest.mark.parametrize(
    ("limits", "status"), [((100.0, 100.0), 0), ((1000.0, 1000.0), 1), ((100.0, 200.0), 3)]
)
def test_the_exit_status_tells_passed_missed_and_noisy_apart(limits, status: int) -> None:
    assert exit_status([_measured((50.0, 50.0), limits)]) == status


def test_a_miss_outweighs_noise_elsewhere() -> None:
    missed, noisy = _measured((1.0,), (100.0,)), _measured((50.0, 50.0), (100.0, 200.0))
    assert exit_status([noisy, missed]) == 1


GATE = 0.75


@pytest.mark.parametrize(
    ("ours", "limit", "verdict"),
    [
        # quiet: the median passes; a miss needs the whole interval below, by more than a quiet limit may stray
        ((80.0, 80.0, 80.0), (100.0, 100.0, 100.0), Verdict.PASS),
        ((74.0, 76.0, 70.0), (100.0, 100.0, 100.0), Verdict.NOISY),
        ((64.0, 60.0, 60.0), (100.0, 100.0, 100.0), Verdict.NOISY),
        ((63.0, 60.0, 60.0), (100.0, 100.0, 100.0), Verdict.MISS),
        # noisy: only what holds however rounds are paired
        ((63.0, 60.0, 60.0), (100.0, 100.0, 130.0), Verdict.MISS),
        ((64.0, 60.0, 60.0), (100.0, 100.0, 130.0), Verdict.NOISY),
        ((99.0, 98.0, 99.0), (100.0, 100.0, 130.0), Verdict.PASS),
        ((97.0, 98.0, 99.0), (100.0, 100.0, 130.0), Verdict.NOISY),
        # growth as bad as a scan is a miss on any host
        ((9.0, 3.0, 5.0), (100.0, 30.0, 200.0), Verdict.MISS),
    ],
)
def test_a_run_that_must_not_fail_falsely_fails_for_what_is_certain(ours, limit, verdict) -> None:
    assert Comparison(ours=ours, limit=limit).verdict(GATE, firmly=True) is verdict


def test_what_is_counted_is_judged_at_its_gate() -> None:
    for ours, verdict in ((74.9, Verdict.MISS), (75.0, Verdict.PASS)):
        assert Comparison(ours=(ours,), limit=(100.0,), is_counted=True).verdict(GATE, firmly=True) is verdict


def test_a_steady_growth_on_a_host_in_bursts_is_never_a_miss_and_a_scan_always_is() -> None:
    """Rates of one true ratio, each slowed by what a busy host takes: up to four fifths, of either side by itself."""
    chance = random.Random(7)
    found: Counter[tuple[float, Verdict]] = Counter()
    for _ in range(1500):
        for truth in (0.95, 0.05):
            legs = [[chance.uniform(0.2, 1.0) for _ in range(6)] for _ in range(10)]
            limit = tuple(harmonic_mean(each[:3]) for each in legs[:5])
            ours = tuple(truth * harmonic_mean(each[:3]) for each in legs[5:])
            found[truth, Comparison(ours=ours, limit=limit).verdict(GATE, firmly=True)] += 1
    assert found[0.95, Verdict.MISS] == 0  # by the median alone a seventh of them
    assert found[0.05, Verdict.MISS] == 1500


def test_the_small_set_passes_over_noise_and_names_it_and_fails_for_a_miss() -> None:
    noisy = _measured((50.0, 20.0, 50.0), (100.0, 200.0, 70.0))
    missed, passed = _measured((1.0,), (100.0,)), _measured((50.0,), (100.0,))
    for each in (noisy, missed, passed):
        each.is_firm = True
    assert exit_status([passed, noisy], noise=0) == 0
    assert exit_status([missed, noisy], noise=0) == 1
    assert unjudged([passed, noisy]) == "太吵，不下结论：P1a（不算过，也不算没过）"
    assert unjudged([passed]) == ""


def test_the_line_reads_as_the_reference_shows() -> None:
    measured = _measured((4948.0,), (12300.0,))
    assert line(measured) == (
        "P1a accept  ours 4 948/s  verified and copied 12 300/s  ratio 0.40 [0.40,0.40]  gate 0.35 PASS  ambition 0.50"
    )
    assert number(1_234_567.4) == "1 234 567"


def test_every_gate_is_a_ratio_below_its_ambition_and_only_rows_for_information_have_none() -> None:
    goals = read_goals()
    assert {name for name, each in goals.items() if each.gate is None and each.ambition is None} == {
        "P1a-bare",
        "P1a-together-bare",
        "P2-ninja-bare",
        "P2-fastapi-bare",
        "P2-ninja-whole",
        "P2-fastapi-whole",
        "P6-proofs-filled",
    }
    ungated = ("-bare", "-whole", "-filled")
    gated = [(each.gate, each.ambition) for each in goals.values() if not each.name.endswith(ungated)]
    assert all(gate is not None and ambition is not None and 0 < gate < ambition for gate, ambition in gated)


@pytest.mark.parametrize("limit", [(1.0, 1.0, 1.0), (1.0, 1.0, 9.0)])
def test_a_row_for_information_is_never_judged_and_never_passes(limit: tuple[float, ...], tmp_path) -> None:
    shown = _measured((100.0, 100.0, 100.0), limit, "P2-ninja-bare")
    assert shown.verdict is Verdict.INFORMATION
    assert "for information —" in line(shown)
    assert not any(word in line(shown) for word in ("PASS", "MISS", "gate", "ambition"))
    assert exit_status([shown]) == 0
    content = as_json(
        {"host": "a", "processor": "x", "cores": "2", "python": "3", "postgresql": "18"}, [shown]
    )
    (tmp_path / "kept.json").write_text(json.dumps(content))
    row = results(newest(tmp_path)).splitlines()[-1]
    assert row.endswith("| — | — | — |")
    assert "P2-ninja-bare" in row


def test_the_page_shows_the_goals_and_the_newest_kept_results() -> None:
    page = PAGE.read_text("utf-8")
    assert page_of(page, PAGE.parents[1] / "bench") == page


def test_results_name_commit_and_machine_and_what_costs_more_than_before(tmp_path: Path) -> None:
    machine = {"host": "a", "processor": "x", "cores": "2", "python": "3", "postgresql": "18"}
    for day, cost in (("2026-11-20", 100.0), ("2026-11-21", 120.0)):
        content = as_json(machine, [_measured((10.0, 20.0, 40.0), (12300.0,) * 3, cpu_us=cost)])
        content["at"] = f"{day}T00:00:00+00:00"
        (tmp_path / f"{day}.json").write_text(json.dumps(content))
    told = results(newest(tmp_path))
    assert told.startswith(f"2026-11-21，提交 `{content['commit']}`，2 核 x")
    assert told.splitlines()[-1].startswith("| P1a | 20/s | verified and copied 12 300/s | 0.00")
    assert told.endswith("120 µs，**多了 20%**（上次 100） |")
    assert results([]) == "还没有留存的结果。"


def test_binary_copy_counts_microseconds_from_2000() -> None:
    assert raw_copy.instant(datetime(2000, 1, 1, 0, 0, 1, 5, UTC)) == struct.pack(">q", 1_000_005)
    assert raw_copy.row([b"ab", b""]) == b"\0\2" + b"\0\0\0\2ab" + b"\0\0\0\0"


def test_rows_are_dealt_to_connections_and_none_is_lost() -> None:
    rows = [raw_copy.row([bytes([n])]) for n in range(5)]
    loads = raw_copy.split("COPY t FROM STDIN", rows, 2)
    length = len(raw_copy.HEADER) + len(raw_copy.TRAILER)
    assert sum(len(each.data) - length for each in loads) == sum(map(len, rows))
    assert len(raw_copy.split("COPY t FROM STDIN", rows[:1], 4)) == 1


def test_the_limit_of_accept_copies_nothing_whose_signature_does_not_hold() -> None:
    signer = Ed25519Signer("limit.1", Ed25519PrivateKey.generate())
    good = Signature("ed25519", public_bytes(signer.key), b"said", signer.sign(b"said"))
    rows = [ProvedRow(b"%d" % n, b"e", b"m", [good] if n % 64 == 0 else []) for n in range(130)]
    assert b"".join(proved(rows)) == HEADER + b"".join(row.row for row in rows) + TRAILER
    parts = dealt(rows, 2)
    assert [sum(len(row.signatures) for row in part) for part in parts] == [2, 1]
    assert [row.row for row in parts[1]] == [b"%d" % n for n in range(64, 128)]
    assert len(parts[0]) == 66
    other = Signature("ed25519", good.key, b"said otherwise", good.signature)
    with pytest.raises(ValueError, match="does not hold"):
        list(proved([*rows, ProvedRow(b"", b"e", b"m", [good, other])]))


def test_the_generators_file_and_answers_survive_the_round_trip() -> None:
    assert pack([b"a", b""]) == b"\0\0\0\1a\0\0\0\0"
    assert list(answers(b"\0\xc9\0\0\0\2{}\1\xad\0\0\0\0")) == [(201, b"{}"), (429, b"")]
