"""`plumbline drill restore` (恢复演练): restore to an earlier moment, list exactly what is lost, ask for it, and have it all again."""

from __future__ import annotations

import argparse

from plumbline.drill.command import Drill
from plumbline.drill.outcome import Outcome


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--messages", type=int, default=120, help="每一场里报送的消息数（默认 120）")
    parser.add_argument(
        "--only", action="append", default=[], help="只做这一场和要它发现的缺陷（名称的一部分，可多次）"
    )
    parser.add_argument("--no-bugs", action="store_true", help="不做故意的缺陷，只做各场")


def _run(arguments: argparse.Namespace) -> Outcome:
    from plumbline.drill.restoring.story import run_story

    return run_story(arguments)


DRILL = Drill(
    name="restore",
    summary="数据库恢复到以前的时刻：缺什么逐条列准，各单位的客户端自动补传，最后一条不少、一条不多",
    add_options=_options,
    run=_run,
)
