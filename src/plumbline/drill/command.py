"""`plumbline drill` (演练): runs a drill by name, keeps its result on request, tells the age of kept ones and of the newest bench."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plumbline.drill.outcome import Outcome, age_of_measurement, ages

#: Where the results of full drills stand in the repository.
KEPT = Path("docs/drills")
#: Beside them, those of the bench.
BENCHED = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A drill by name: what it proves, what may be chosen, how it is run."""

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Outcome]


def drills() -> list[Drill]:
    """All drills; imported only when one is asked for."""
    from plumbline.drill import anchor, contract, cosign, faults, pdf, privacy, restore, scan, tamper
    from plumbline.drill.kill.drills import KILL, POWER

    return [
        anchor.DRILL,
        contract.DRILL,
        cosign.DRILL,
        faults.DRILL,
        KILL,
        pdf.DRILL,
        POWER,
        privacy.DRILL,
        restore.DRILL,
        scan.DRILL,
        tamper.DRILL,
    ]


def add_commands(parser: argparse.ArgumentParser) -> None:
    """The drills as subcommands of `parser`, each with `--seed` and `--out`."""
    commands = parser.add_subparsers(dest="drill", required=True, metavar="演练")
    for drill in drills():
        command = commands.add_parser(drill.name, help=drill.summary)
        command.add_argument("--seed", type=int, default=1, help="种子：同一种子同一次演练（默认 1）")
        command.add_argument("--out", help=f"把结果写成 JSON，如 {KEPT}/{drill.name}.json")
        command.add_argument(
            "--complete",
            action="store_true",
            help="缺少部件、因而有一部分没有试时，也以 1 退出（持续集成用）",
        )
        drill.add_options(command)
        command.set_defaults(run_drill=drill.run)
    command = commands.add_parser("ages", help="各项完整演练和最近一次测量多久以前做过")
    command.add_argument("folder", nargs="?", default=str(KEPT))
    command.set_defaults(run_drill=None)


def run_drill(arguments: argparse.Namespace) -> int:
    """0: every promise held; 1: one did not, or with `--complete` something was not tried for want of a part."""
    if arguments.run_drill is None:
        folder, now = Path(arguments.folder), datetime.now(UTC)
        lines = ages(folder, now) or [f"{folder} 里没有演练结果"]
        print("\n".join([*lines, age_of_measurement(folder.parent / BENCHED, now)]))
        return 0
    outcome: Outcome = arguments.run_drill(arguments)
    print(outcome.text(), file=sys.stdout if outcome.held else sys.stderr)
    if arguments.out:
        outcome.keep(Path(arguments.out))
        print(f"结果写入 {arguments.out}")
    if arguments.complete and outcome.lacking:
        print(f"有 {len(outcome.lacking)} 处因为缺少部件没有试，--complete 不算成立", file=sys.stderr)
        return 1
    return 0 if outcome.held else 1
