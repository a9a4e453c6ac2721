"""`plumbline drill contract` (接口契约演练): every operation of the published description, asked by every kind of sender with what the
description allows and with what it forbids; every page, asked by every kind of reader with hostile forms and addresses."""

from __future__ import annotations

import argparse

from plumbline.drill.command import Drill
from plumbline.drill.outcome import Outcome


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--examples", type=int, default=500, help="每个接口由描述生成多少个请求，几种身份一起（默认 500）"
    )
    parser.add_argument("--scale", type=float, default=0.02, help="先填一座多大的演示城市（默认 0.02）")
    parser.add_argument(
        "--pages-every", type=int, default=1, help="网页的请求每几个试一个（默认都试，0 为不试）"
    )
    parser.add_argument("--hand-every", type=int, default=1, help="手写的恶意请求每几个试一个（默认都试）")
    parser.add_argument("--no-bugs", action="store_true", help="不试故意的缺陷")


def _run(arguments: argparse.Namespace) -> Outcome:
    from plumbline.drill.contract.story import run_story

    return run_story(arguments)


DRILL = Drill(
    name="contract",
    summary="接口契约：按角色、按描述生成请求和恶意请求，没有服务器错误，没有描述以外的答复",
    add_options=_options,
    run=_run,
)
