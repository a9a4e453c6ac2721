"""`plumbline drill scan` (查毒演练): a real platform, the real clamd, files that come while it is away, killed and back."""

from __future__ import annotations

import argparse

from plumbline.drill.command import Drill
from plumbline.drill.outcome import Outcome


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clamd", default="", help="clamd 程序（默认在 PATH 里找；没有时写明没有试）")
    parser.add_argument("--files", type=int, default=300, help="上传的文件数（默认 300）")


def _run(arguments: argparse.Namespace) -> Outcome:
    from plumbline.drill.scan_story import run_story

    return run_story(arguments)


DRILL = Drill(
    name="scan",
    summary="病毒扫描不在、被杀、回来：收件不停，带毒的隔离并留下事件，没有查的不提供",
    add_options=_options,
    run=_run,
)
