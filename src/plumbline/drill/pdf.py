"""`plumbline drill pdf` (演练：签章报告): hostile files through the offline verdict and the platform's; none may pass as genuine."""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.drill.command import Drill
from plumbline.drill.outcome import Outcome

if TYPE_CHECKING:
    from plumbline.drill.hostile_pdf.case import Case
    from plumbline.drill.hostile_pdf.court import Tally
    from plumbline.drill.hostile_pdf.roads import Desk
    from plumbline.drill.hostile_pdf.workshop import Workshop

#: What is promised of every file.
SECONDS, MEGABYTES = 2.0, 512
FEWEST_GENUINE = 20
_DOCUMENTS = 12
_LEFT_OUT = (
    "机构把自己签的另一份报告登记到这个监管码下：签章完好，字节一致，要靠二维码和登记内容核对才看得出",
    "没有写进根证书清单的吊销：验签不联网取吊销列表",
    "签章人倒填签章时间：签章里没有可信时间戳，平台只以登记入账的时间判吊销",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """How many files; what they may cost."""
    parser.add_argument("--files", type=int, default=1000, help="恶意文件的份数（默认 1000）")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="每份每条路最多几秒处理器时间（默认 2）"
    )
    parser.add_argument(
        "--megabytes", type=int, default=MEGABYTES, help="每份每条路最多几 MB 内存（默认 512）"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Make the files, judge them, tell."""
    from plumbline.drill.hostile_pdf.builder import hostile
    from plumbline.drill.hostile_pdf.court import try_under_limits
    from plumbline.drill.hostile_pdf.workshop import Workshop

    started = time.monotonic()
    shop = Workshop(_DOCUMENTS)
    with tempfile.TemporaryDirectory(prefix="plumbline-drill-pdf-") as name:
        folder = Path(name)
        (folder / "warm.pdf").write_bytes(shop.signed[0])
        cases = _chain(shop.cases(), hostile(shop, max(1, arguments.files), arguments.seed))
        tally = try_under_limits(
            cases, desk_of(shop), folder, seconds=arguments.seconds, megabytes=arguments.megabytes
        )
    return outcome(tally, arguments.seed, time.monotonic() - started)


def desk_of(shop: Workshop) -> Desk:
    """What the verifiers know: the first genuine report is the registered one."""
    from plumbline.drill.hostile_pdf.identities import NAME, USCC
    from plumbline.drill.hostile_pdf.roads import Desk, now

    return Desk(
        roots=tuple(shop.roots),
        name=NAME,
        uscc=USCC,
        sha256=hashlib.sha256(shop.signed[0]).hexdigest(),
        registered_at=now(),
    )


def outcome(tally: Tally, seed: int, seconds: float, *, fewest_genuine: int = FEWEST_GENUINE) -> Outcome:
    """The result: every promise that broke, one sentence each."""
    broken = [*tally.passed, *tally.refused, *tally.costly, *tally.reason]
    if tally.genuine < fewest_genuine:
        broken.append(f"真报告只有 {tally.genuine} 份，不足 {fewest_genuine} 份")
    counts: dict[str, int | float | str] = {
        "恶意文件": tally.hostile,
        "被当成真的": len(tally.passed),
        "理由正确": f"{tally.right} 份，{100 * tally.right / max(1, tally.hostile):.1f} %",
        "真报告": tally.genuine,
        "真报告被接受": tally.accepted,
        "最慢（处理器秒）": f"{tally.worst_s[0]:.2f}，{tally.worst_s[1]}",
        "最慢（时钟秒）": f"{tally.worst_wall_s[0]:.2f}，{tally.worst_wall_s[1]}",
        "最多内存（MB，地址空间）": f"{tally.worst_mb[0]:.0f}，{tally.worst_mb[1]}",
        "超限": len(tally.costly),
    }
    counts |= {f"类：{family}": count for family, count in sorted(tally.files.items())}
    return Outcome(
        drill="pdf", seed=seed, seconds=seconds, counts=counts, broken=tuple(broken), left_out=_LEFT_OUT
    )


def _chain(*sources: Iterable[Case]) -> Iterator[Case]:
    for source in sources:
        yield from source


DRILL = Drill(
    name="pdf",
    summary="恶意 PDF：没有一份被当成真报告，理由说对，耗时和内存有限",
    add_options=add_options,
    run=run,
)
