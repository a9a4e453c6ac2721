"""`plumbline drill faults` (故障演练): full disks, failing fsync, steps of the clock, two gateways, missing partitions, restored heads."""

from __future__ import annotations

import argparse

from plumbline.drill.command import Drill
from plumbline.drill.outcome import Outcome


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", default=[], help="只做名称含这几个字的格子（可多次）")
    parser.add_argument("--bug", default="", help="放进这一处故意的缺陷，只做要发现它的格子；演练须报不成立")
    parser.add_argument("--no-bugs", action="store_true", help="各格做完以后，不再逐一放进故意的缺陷")


def _run(arguments: argparse.Namespace) -> Outcome:
    from plumbline.drill.faulting.story import run_story

    return run_story(arguments)


DRILL = Drill(
    name="faults",
    summary="磁盘满、fsync 出错、时钟跳变、两个网关、缺分区、水位与数据库不是同一时刻：答复过的不丢，自己恢复",
    add_options=_options,
    run=_run,
)
