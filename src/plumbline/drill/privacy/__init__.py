"""`plumbline drill privacy` (个人信息演练): invented people go in by every door; afterwards nothing of them may stand anywhere in clear."""

from __future__ import annotations

import argparse

from plumbline.drill.command import Drill
from plumbline.drill.outcome import Outcome


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scale", type=float, default=0.02, help="先填一座多大的演示城市；0 只用演练自己的人（默认 0.02）"
    )
    parser.add_argument("--people", type=int, default=8, help="放进去几个假想的人（默认 8）")


def _run(arguments: argparse.Namespace) -> Outcome:
    from plumbline.drill.privacy.course import drill_privacy

    return drill_privacy(seed=arguments.seed, scale=arguments.scale, people=arguments.people)


DRILL = Drill(
    name="privacy",
    summary="个人信息：转储、原始文件、日志、备份、导出、页面里都找不到明文",
    add_options=_options,
    run=_run,
)
