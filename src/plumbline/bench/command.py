"""`plumbline bench` (测量): runs what is asked for on a platform of its own, prints one line a comparison, keeps JSON on request."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.bench import (
    machine,
    p0_peak,
    p1a_accept,
    p1b_project,
    p2_peers,
    p3_growth,
    p4_peers,
    p4_verify,
    p6_log,
    p6_proofs,
    p7_lag,
    p8_curves,
    p13_national,
)
from plumbline.bench.goals import NAMES, Goal, read_goals
from plumbline.bench.report import Measured, exit_status, line, unjudged, write
from plumbline.bench.world import World, open_world
from plumbline.exchange.submission import MAX_SUBMISSIONS
from plumbline.supervision.boot import DATABASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much is measured. The ordinary one takes some ten minutes on two cores, most of it P3 to P5."""

    #: P0: seconds of the peak.
    peak_s: int = 20
    messages: int = 2000
    reports: int = 1200
    log: p6_log.Sizes = field(default_factory=p6_log.Sizes)
    #: P3: entries of the grown journal; P4, P5: registered reports, few and many (six rows each).
    entries: int = 200_000
    few: int = 10_000
    many: int = 100_000
    questions: int = 12_000
    curves: int = 60
    lagging: int = 100
    #: Seconds of each SM2 loop.
    sm2_s: float = 1.0
    #: Whether only a certain miss is one, and noise is no failure (decision 0042).
    is_firm: bool = False


#: The drill `growth`: ten million rows on each side that grows.
GROWN = Profile(entries=10_000_000, many=1_670_000)

#: Continuous integration, in two or three minutes: what can be judged on a host that others disturb.
SMALL = Profile(
    messages=100,
    log=p6_log.Sizes(leaves=50_000, turns=12, peer_turns=3, proofs=500, stored_few=0, steps=200_000),
    entries=50_000,
    few=5000,
    many=15_000,
    questions=2000,
    curves=16,
    is_firm=True,
)
#: In this order: P3 fills the journal with entries that no projector could read, P5 projects.
SMALL_NAMES = ("P5", "P3", "P6", "P8")


def run_bench(arguments: argparse.Namespace) -> int:
    """0: gates reached; 1: one missed; 2: a name that is not known; 3: too noisy for a verdict, 0 in the small set; 4: a correctness
    condition failed; 5: nothing missed, but a peer is absent that `--complete` asks for."""
    is_small = bool(getattr(arguments, "small", False))
    names = list(getattr(arguments, "names", None) or (SMALL_NAMES if is_small else NAMES))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"没有 {'、'.join(unknown)} 这项测量，可以选 {' '.join(NAMES)}", file=sys.stderr)
        return 2
    if is_small:
        names.sort(key=lambda name: SMALL_NAMES.index(name) if name in SMALL_NAMES else len(SMALL_NAMES))
    rounds = max(1, int(getattr(arguments, "rounds", None) or 5))
    absent: list[str] = []
    try:
        described, results = measure(names, rounds, _profile(arguments), absent=absent)
    except p1a_accept.Lost as error:
        print(f"正确性条件不成立，数字作废：{error}", file=sys.stderr)
        return 4
    out = getattr(arguments, "out", None)
    if out:
        print(f"结果写入 {write(Path(out), described, results)}")
    told = unjudged(results)
    if told:
        print(told)
    if absent and getattr(arguments, "complete", False):
        print(f"缺对照：{'；'.join(absent)}", file=sys.stderr)
        return exit_status(results, noise=5) or 5
    return exit_status(results, noise=0 if is_small else 3)


def _profile(arguments: argparse.Namespace) -> Profile:
    if getattr(arguments, "small", False):
        return SMALL
    return GROWN if getattr(arguments, "grown", False) else Profile()


Found = Iterator[Measured | str]


@dataclass(slots=True)
class _Run:
    """What a measurement needs; platforms are opened when asked for, each described once."""

    goals: dict[str, Goal]
    profile: Profile
    rounds: int
    show: Callable[[str], None]
    described: dict[str, str]
    #: Where the two platforms of the small set are kept, which P3 and P5 share: to open four costs more than to measure.
    kept: ExitStack
    pair: tuple[World, World] | None = None

    @contextmanager
    def world(self, suite: str = "standard") -> Iterator[World]:
        """A platform of its own: what one measurement left in the journal is not the other's work."""
        with open_world(suite) as world:
            if "fsync" not in self.described:
                self.described |= _describe(world)
                told = (f"{key} {value}" for key, value in self.described.items() if key != "fsync")
                self.show("  ".join(told))
                self.show(self.described["fsync"])
            yield world

    def worlds(self, stack: ExitStack) -> tuple[World, World]:
        """Two, for before and after."""
        if self.pair is not None:
            return self.pair
        if self.profile.is_firm:
            stack = self.kept
        opened = stack.enter_context(self.world()), stack.enter_context(self.world())
        if self.profile.is_firm:
            self.pair = opened
        return opened


def _peak(run: _Run) -> Found:
    with run.world() as world:
        yield p0_peak.measure(world, run.goals["P0"], run.rounds, run.profile.peak_s, run.profile.few)


def _accept(run: _Run) -> Found:
    with run.world() as world:
        yield from p1a_accept.measure(world, run.goals, run.rounds, run.profile.messages)
        yield from p1a_accept.measure(world, run.goals, run.rounds, run.profile.messages, MAX_SUBMISSIONS)


def _project(run: _Run) -> Found:
    with run.world() as world:
        yield p1b_project.measure(world, run.goals["P1b"], run.rounds, run.profile.reports)


def _peers(run: _Run) -> Found:
    with run.world() as world:
        yield from p2_peers.measure(world, run.goals, run.rounds, run.profile.messages // 2)


def _growth(run: _Run) -> Found:
    with ExitStack() as stack:
        worlds, profile = run.worlds(stack), run.profile
        yield p3_growth.measure(worlds, run.goals["P3"], run.rounds, profile.messages, profile.entries)


def _verify(run: _Run) -> Found:
    with run.world() as world:
        profile = run.profile
        yield from p4_verify.measure_limits(world, run.goals, run.rounds, profile.questions, profile.few)
    with run.world() as world:
        yield from p4_peers.measure(world, run.goals, run.rounds, profile.questions, profile.few)


def _verify_growth(run: _Run) -> Found:
    with ExitStack() as stack:
        worlds, profile = run.worlds(stack), run.profile
        yield from p4_verify.measure_growth(
            worlds, run.goals, run.rounds, profile.questions, (profile.few, profile.many)
        )


def _log(run: _Run) -> Found:
    yield p6_log.measure_append(run.goals["P6"], run.profile.log, run.rounds)
    yield (
        p6_log.measure_peer(run.goals["P6-pymerkle"], run.profile.log, run.rounds)
        or "P6 peer absent: pymerkle"
    )
    yield from p6_proofs.measure_peer(run.goals, run.profile.log, run.rounds) or [
        "P6-proofs peer absent: pymerkle"
    ]
    yield p6_proofs.measure_steps(run.goals["P6-steps"], run.profile.log)


def _lag(run: _Run) -> Found:
    with run.world() as world:
        yield p7_lag.measure(world, run.goals["P7"], run.rounds, run.profile.lagging)


def _curves(run: _Run) -> Found:
    yield from p8_curves.measure(run.goals, run.profile.curves, run.rounds)


def _national(run: _Run) -> Found:
    with run.world("gm") as world:
        yield p13_national.measure_transport(world, run.goals["P13"], run.rounds, run.profile.messages)
    found = p13_national.measure_sm2(run.goals["P13-sm2"], run.rounds, run.profile.sm2_s)
    yield found or "P13 limit absent: openssl with SM2"


MEASUREMENTS: dict[str, Callable[[_Run], Found]] = {
    "P0": _peak,
    "P1a": _accept,
    "P1b": _project,
    "P2": _peers,
    "P3": _growth,
    "P4": _verify,
    "P5": _verify_growth,
    "P6": _log,
    "P7": _lag,
    "P8": _curves,
    "P13": _national,
}


def measure(
    names: Sequence[str],
    rounds: int,
    profile: Profile | None = None,
    show: Callable[[str], None] = print,
    *,
    absent: list[str] | None = None,
) -> tuple[dict[str, str], list[Measured]]:
    """Run the named measurements; each is shown when it is done. `absent` takes a word on each whose peer or limit is not installed.

    Raises `p1a_accept.Lost`.
    """
    results: list[Measured] = []
    with ExitStack() as kept:
        run = _Run(read_goals(), profile or Profile(), rounds, show, machine.description("not started"), kept)
        for name in names:
            for found in MEASUREMENTS[name](run):
                if isinstance(found, str):  # a peer or a limit that is not there
                    show(found)
                    if absent is not None:
                        absent.append(found)
                    continue
                found.is_firm = run.profile.is_firm
                results.append(found)
                show(line(found))
                for note in found.notes:
                    show(f"    {note}")
    return run.described, results


def _describe(world: World) -> dict[str, str]:
    with world.connect() as conn:
        row = conn.execute("SELECT current_setting('server_version'), current_database()").fetchone()
    assert row is not None
    assert row[1] == DATABASE
    rate = machine.fdatasync_rate(world.cluster.binaries.program("pg_test_fsync"), world.platform.data_dir)
    return machine.description(row[0]) | {"fsync": machine.fsync_line(rate)}
