"""`plumbline drill cosign` (联署演练): kill the cosigner, restore and rewrite the log, and see who notices."""

from __future__ import annotations

import argparse
from pathlib import Path

from plumbline.drill.command import Drill
from plumbline.drill.outcome import Outcome


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=40, help="杀死联署方的次数（默认 40）")
    parser.add_argument("--until", default="", help="做到名称含这几个字的一场为止（默认各场都做）")
    parser.add_argument("--port", type=int, default=8140, help="平台端口（默认 8140）")
    parser.add_argument(
        "--oracle", type=Path, help="别人写的 C2SP 实现（aics_witness、aics_tlog）所在的文件夹"
    )


def _run(arguments: argparse.Namespace) -> Outcome:
    from plumbline.drill.cosign_story import run_story

    return run_story(arguments)


DRILL = Drill(
    name="cosign",
    summary="联署方被杀、停机、日志被恢复或改写：联署不矛盾，改写有人发现",
    add_options=_options,
    run=_run,
)
