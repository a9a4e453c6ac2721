"""`plumbline bench` (测量): runs what is asked for on a platform of its own, prints one line a comparison, keeps JSON on request."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.bench import machine, p1a_accept, p1b_project, p6_log
from plumbline.bench.goals import NAMES, Goal, read_goals
from plumbline.bench.report import Measured, exit_status, line, write
from plumbline.bench.world import World, open_world
from plumbline.supervision.boot import DATABASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much is measured. The ordinary one takes less than three minutes on two cores."""

    messages: int = 2000
    reports: int = 400
    log: p6_log.Sizes = field(default_factory=p6_log.Sizes)


def run_bench(arguments: argparse.Namespace) -> int:
    """0: gates reached; 1: one missed; 2: a name that is not known; 3: too noisy for a verdict; 4: a correctness condition failed."""
    names = list(getattr(arguments, "names", None) or NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"没有 {'、'.join(unknown)} 这项测量，可以选 {' '.join(NAMES)}", file=sys.stderr)
        return 2
    rounds = max(1, int(getattr(arguments, "rounds", None) or 5))
    try:
        described, results = measure(names, rounds)
    except p1a_accept.Lost as error:
        print(f"正确性条件不成立，数字作废：{error}", file=sys.stderr)
        return 4
    out = getattr(arguments, "out", None)
    if out:
        print(f"结果写入 {write(Path(out), described, results)}")
    return exit_status(results)


def measure(
    names: Sequence[str], rounds: int, profile: Profile | None = None, show: Callable[[str], None] = print
) -> tuple[dict[str, str], list[Measured]]:
    """Run the named measurements; each is shown when it is done. Raises `p1a_accept.Lost`."""
    chosen, goals = profile or Profile(), read_goals()
    results: list[Measured] = []

    def done(measured: Measured | None, absent: str = "") -> None:
        if measured is None:
            show(absent)
            return
        results.append(measured)
        show(line(measured))
        for note in measured.notes:
            show(f"    {note}")

    described = machine.description("not started")
    if "P6" in names:
        done(p6_log.measure_append(goals["P6"], chosen.log, rounds))
        done(p6_log.measure_peer(goals["P6-pymerkle"], chosen.log, rounds), "P6 peer absent: pymerkle")
    durable = [name for name in names if name != "P6"]
    for (
        name
    ) in durable:  # each on a platform of its own: what one left in the journal is not the other's work
        with open_world() as world:
            if "fsync" not in described:
                described = _describe(world)
                show("  ".join(f"{key} {value}" for key, value in described.items() if key != "fsync"))
                show(described["fsync"])
            done(_durable(name, world, goals[name], rounds, chosen))
    return described, results


def _describe(world: World) -> dict[str, str]:
    with world.connect() as conn:
        row = conn.execute("SELECT current_setting('server_version'), current_database()").fetchone()
    assert row is not None
    assert row[1] == DATABASE
    rate = machine.fdatasync_rate(world.cluster.binaries.program("pg_test_fsync"), world.platform.data_dir)
    return machine.description(row[0]) | {"fsync": machine.fsync_line(rate)}


def _durable(name: str, world: World, goal: Goal, rounds: int, profile: Profile) -> Measured:
    if name == "P1a":
        return p1a_accept.measure(world, goal, rounds, profile.messages)
    return p1b_project.measure(world, goal, rounds, profile.reports)
