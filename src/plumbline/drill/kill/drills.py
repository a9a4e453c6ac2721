"""`plumbline drill kill | power` (击杀演练、断电演练): options, course, result."""

from __future__ import annotations

import argparse
import random
import time

from plumbline.drill.command import Drill
from plumbline.drill.outcome import Outcome

_SETTINGS = "内嵌 PostgreSQL 没有放在断电文件系统上：它的落盘靠 fsync、full_page_writes、synchronous_commit（启动时核对）"


def _kill_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--uploads", type=int, default=10_000, help="随机击杀时的上传数（默认 10000）")
    parser.add_argument("--clients", type=int, default=8, help="客户端数，一半重发、一半不重发（默认 8）")
    parser.add_argument("--worker-kills", type=int, default=1000, help="后台被击杀的次数（默认 1000）")
    parser.add_argument("--no-matrix", action="store_true", help="不做故障点矩阵，只做随机击杀")


def _power_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--uploads", type=int, default=2000, help="断电期间的上传数，一半是文件（默认 2000）")
    parser.add_argument("--clients", type=int, default=8, help="客户端数，一半重发、一半不重发（默认 8）")


def run_kill(arguments: argparse.Namespace) -> Outcome:
    """The matrix of failpoints, then the storm, then everything is held against what was acknowledged."""
    from plumbline.drill.kill.invariants import check
    from plumbline.drill.kill.ledger import Ledger
    from plumbline.drill.kill.matrix import Matrix, cells
    from plumbline.drill.kill.site import NotBack, open_site
    from plumbline.drill.kill.storm import Killer, Load, storm
    from plumbline.drill.kill.worker_storm import WorkerStorm

    began, ledger = time.monotonic(), Ledger()
    counts: dict[str, int | float | str] = {}
    broken: list[str] = []
    with open_site() as site:
        try:
            site.start()
            matrix = Matrix(site, ledger)
            if not arguments.no_matrix:
                matrix.run(cells(), print)
                site.wait_back()
            broken += matrix.broken
            counts |= {"故障点格子": matrix.done, "故障点格子不成立": len(matrix.broken)}
            load = Load(site, ledger, arguments.uploads, arguments.clients)
            killer = Killer(site, random.Random(arguments.seed))  # noqa: S311 - a drill, not a secret
            storm(site, load, killer)
            site.stop()
            site.start(gateways=len(site.ports), others=("projector",))
            workers = WorkerStorm(site, ledger, arguments.worker_kills, arguments.seed)
            workers.run()
            site.stop()
            site.start(gateways=len(site.ports), others=("projector", "worker"))
            workers.finish()
            broken += workers.broken
            counts |= {"随机击杀的上传": arguments.uploads, "击杀": killer.killed.total()}
            counts |= {f"击杀 {name}": times for name, times in sorted(killer.killed.items())}
            counts |= {
                "后台被击杀": workers.killed.total(),
                "其中手上有没入完账的决定": workers.at_work,
                "被击杀的后台作出的决定": workers.decided,
                "其间的申请": workers.sent,
                "申请到决定最久（秒）": round(workers.slowest_s, 1),
            }
            verdict = check(site, ledger)
            broken += verdict.broken
            counts |= _figures(ledger, verdict)
        except NotBack as error:
            broken.append(f"平台没有恢复：{error}")
    return Outcome(
        drill="kill",
        seed=arguments.seed,
        seconds=time.monotonic() - began,
        counts=counts,
        broken=tuple(broken),
        left_out=(
            "断电在 plumbline drill power",
            "两台主机上的网关（两个网关进程在一台主机上）",
            "网页进程里的入账（走同一入账协议，没有单独击杀）",
        ),
    )


def run_power(arguments: argparse.Namespace) -> Outcome:
    """Uploads of files and messages with power cuts."""
    from plumbline.drill.kill.invariants import check
    from plumbline.drill.kill.ledger import Ledger
    from plumbline.drill.kill.moments import Moments
    from plumbline.drill.kill.power import NoFuse, PowerCuts, lossy_folders
    from plumbline.drill.kill.site import NotBack, open_site
    from plumbline.drill.kill.storm import Load

    began, ledger = time.monotonic(), Ledger()
    counts: dict[str, int | float | str] = {}
    broken: list[str] = []
    lacking: list[str] = []
    with open_site() as site:
        try:
            with lossy_folders(site) as mounted:
                try:
                    site.start()
                    cuts = PowerCuts(site, mounted, random.Random(arguments.seed), ledger=ledger)  # noqa: S311 - a drill's dice, no secret
                    cuts.after_each_step()
                    load = Load(site, ledger, arguments.uploads, arguments.clients, files_each=2)
                    moments = Moments.under(mounted, ledger)
                    moments.start()
                    load.start()
                    cuts.during(load)
                    moments.stop()
                    broken += cuts.broken + moments.broken
                    site.wait_back()
                    verdict = check(site, ledger)
                    broken += verdict.broken
                    counts |= {"断电": cuts.cuts, "断电时刻": moments.counted} | _figures(ledger, verdict)
                finally:
                    site.stop()
        except NotBack as error:
            broken.append(f"平台没有恢复：{error}")
        except NoFuse as absent:
            lacking.append(f"断电：{absent}")
    return Outcome(
        drill="power",
        seed=arguments.seed,
        seconds=time.monotonic() - began,
        counts=counts,
        broken=tuple(broken),
        left_out=(_SETTINGS,),
        lacking=tuple(lacking),
        deed="断电",
    )


def _figures(ledger: object, verdict: object) -> dict[str, int]:
    from plumbline.drill.kill.invariants import Verdict
    from plumbline.drill.kill.ledger import Ledger

    assert isinstance(ledger, Ledger)
    assert isinstance(verdict, Verdict)
    return {
        "消息": verdict.messages,
        "文件": verdict.files,
        "答复已收": len(ledger.acknowledged),
        "重发过的": sum(each.attempts > 1 for each in ledger.uploads),
        "验过的回执": verdict.receipts,
        "对过的检查点": verdict.checkpoints,
        "答复过而丢失": len(verdict.lost),
        "重复": len(verdict.doubled),
        "悬空": len(verdict.dangling),
        "回执验不过": len(verdict.unproven),
        "其他不一致": len(verdict.disagreeing),
    }


KILL = Drill(
    name="kill",
    summary="每个故障点一格，再随机击杀网关、投影、后台和数据库；答复过的一条不丢、不重、不悬空",
    add_options=_kill_options,
    run=run_kill,
)
POWER = Drill(
    name="power",
    summary="上传途中断电：没有 fsync 的字节和文件名都丢掉；答复过的文件一个不丢（要有 FUSE）",
    add_options=_power_options,
    run=run_power,
)
