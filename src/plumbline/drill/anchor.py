"""`plumbline drill anchor` (上链演练): kill the node, re-organise the chain, lose transactions; then ask what the chain holds."""

from __future__ import annotations

import argparse

from plumbline.drill.command import Drill
from plumbline.drill.node_option import add_node_option
from plumbline.drill.outcome import Outcome


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=100, help="故障的次数（默认 100）")
    add_node_option(parser)


def _run(arguments: argparse.Namespace) -> Outcome:
    from plumbline.drill.anchor_story import run_story

    return run_story(arguments)


DRILL = Drill(
    name="anchor",
    summary="节点被杀、链重组、交易和答复丢失、历史被改写：链上只往前，断了能补，改写点名",
    add_options=_options,
    run=_run,
)
