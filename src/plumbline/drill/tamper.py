"""Drill tamper (演练：篡改): a city is changed in every table, column, file and in its whole history; all must be found and named."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.drill.command import Drill
from plumbline.drill.node_option import NODE_REMEDY, add_node_option
from plumbline.drill.outcome import Outcome
from plumbline.embedded.scratch import scratch

if TYPE_CHECKING:
    import psycopg

    from plumbline.drill.tampering.acts import Audit, Tally
    from plumbline.supervision.config import Platform

PARTS = ("facts", "journal", "trail", "files", "history", "bundle", "committed")
Progress = Callable[[str], None]


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", type=float, default=0.02, help="城市的规模（默认 0.02）")
    parser.add_argument("--rows", type=int, default=5, help="每一列改几行（默认 5）")
    parser.add_argument("--clean", type=int, default=20, help="至少几次没有改动的核对（默认 20）")
    parser.add_argument("--port", type=int, help="演示城市的端口（默认任取一个）")
    add_node_option(parser)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        help=f"只做这几部分（{'、'.join(PARTS)}）或这几张表、列，可多次给出",
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Grow a city under audit, stop it, change everything that can be changed, one at a time."""
    from plumbline.drill.tampering.acts import Tally, sentences
    from plumbline.drill.tampering.city import audit_while_it_grows, growing_city
    from plumbline.embedded.ports import free_port

    began, tally = time.monotonic(), Tally()
    folder = Path(tempfile.mkdtemp(prefix="pld-", dir=scratch()))
    try:
        data_dir = folder / "d"
        print(f"演示城市（规模 {arguments.scale}）正在生成，一边写一边核对", flush=True)
        with growing_city(
            data_dir, scale=arguments.scale, port=arguments.port or free_port(), seed=arguments.seed
        ) as is_full:
            clean, alarms = audit_while_it_grows(data_dir, is_full, arguments.clean, _say)
        counts: dict[str, int | float | str] = {"边写边核对，无误报": clean}
        left = _tampered(arguments, data_dir, tally, counts, alarms)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    counts["误报"] = len(alarms)
    return Outcome(
        drill="tamper",
        seed=arguments.seed,
        seconds=time.monotonic() - began,
        counts=counts,
        broken=sentences([*alarms, *tally.broken]),
        left_out=tuple(left),
        lacking=() if arguments.node.exists() else (f"没有 {arguments.node}，城市没有上链：{NODE_REMEDY}",),
        deed="改动全部次数",
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _tampered(
    arguments: argparse.Namespace,
    data_dir: Path,
    tally: Tally,
    counts: dict[str, int | float | str],
    alarms: list[str],
) -> list[str]:
    """Everything that is done to the stopped city; returns what was not tried."""
    import psycopg

    from plumbline.drill.tampering.acts import unwatched
    from plumbline.drill.tampering.stamps import stamp_newest
    from plumbline.embedded.postgres import Cluster
    from plumbline.supervision.boot import DATABASE, reopen

    cluster = Cluster(data_dir)
    running = cluster.start()
    try:
        platform = reopen(data_dir, running)
        stamp_newest(platform)
        counts["重建、重新投影、还原后核对，无误报"] = 0
        with _chain(platform, arguments) as chain:
            _clean_again(platform, counts, alarms)
            with psycopg.connect(running.dsn(DATABASE), autocommit=True) as conn:
                alarms += [f"误报（上链）：{each}" for each in (chain(conn) if chain else [])]
                conn.execute("SET session_replication_role = replica")
                tamper(conn, platform, tally, arguments, counts, chain=chain)
                left = unwatched(conn)
            _clean_again(platform, counts, alarms)
    finally:
        cluster.stop()
    counts |= {f"{area}：改动次数": number for area, number in tally.tried.items()}
    counts["改动全部次数"] = tally.tried.total()
    counts["没有发现或没有点名"] = len(tally.broken)
    counts["改到的表"] = len(tally.columns)
    counts["改到的列"] = sum(len(each) for each in tally.columns.values())
    counts["数据库自己拒绝的改动"] = len(tally.refused)
    if tally.empty:
        left.append(f"城市里没有行的表，两边放入相同的假行再改：{'、'.join(sorted(set(tally.empty)))}")
    if tally.untouched:
        left.append(f"总账里没有行的表，没有改：{'、'.join(tally.untouched)}")
    return [*left, *(f"数据库拒绝，没有改成：{each}" for each in tally.refused[:10]), *LEFT_OUT]


@contextmanager
def _chain(platform: Platform, arguments: argparse.Namespace) -> Iterator[Audit | None]:
    """What asks a chain of the drill's own; None where its node is not installed."""
    if not arguments.node.exists():
        yield None
        return
    from plumbline.drill.tampering.chains import anchored

    with anchored(platform, arguments.node) as asked:
        yield asked


def _clean_again(platform: Platform, counts: dict[str, int | float | str], alarms: list[str]) -> None:
    from plumbline.drill.tampering.city import audited
    from plumbline.supervision.config import ROLES
    from plumbline.supervision.projection.projector import reproject
    from plumbline.supervision.projection.rebuild import rebuild

    found = rebuild({role: platform.conninfo(role) for role in ROLES})[1]
    alarms += (
        ["重建没有与原表比对"] if found is None else [f"重建与原表不同：{each.sentence}" for each in found]
    )
    for step in ("rebuild", "re-project"):
        if step == "re-project":
            reproject(platform.conninfo("plumb_projector"))
        status, lines = audited(platform.data_dir)
        alarms += [f"误报（{step} 之后）：{line}" for line in lines] if status else []
        counts["重建、重新投影、还原后核对，无误报"] = int(counts["重建、重新投影、还原后核对，无误报"]) + (
            not status
        )


def tamper(
    conn: psycopg.Connection,
    platform: Platform,
    tally: Tally,
    arguments: argparse.Namespace,
    counts: dict[str, int | float | str],
    *,
    chain: Audit | None = None,
) -> None:
    """All parts, or those of `--only`; nothing else may write meanwhile. `conn` is a superuser's, in autocommit, without triggers."""
    from plumbline.drill.tampering.acts import Acts
    from plumbline.drill.tampering.chains import back_date_anchors
    from plumbline.drill.tampering.committed import commit_some
    from plumbline.supervision.config import ROLES
    from plumbline.supervision.journal.audit_checkpoints import Kept
    from plumbline.supervision.journal.keys import PlatformKeys
    from plumbline.supervision.projection.rebuild import build_shadow
    from plumbline.supervision.projection.schema import drop_shadow

    parts = [each for each in arguments.only if each in PARTS] or PARTS
    tables = tuple(each for each in arguments.only if each not in PARTS)
    acts = Acts(conn=conn, tally=tally, seed=arguments.seed, rows=arguments.rows, only=tables)
    if "committed" in parts and not tables:
        commit_some(conn, platform.data_dir, tally, seed=arguments.seed)
    if "facts" in parts:
        build_shadow({role: platform.conninfo(role) for role in ROLES})[0].close()
        acts.facts()
        drop_shadow(platform.conninfo("plumb_migrate"))
        _say(f"事实表与派生表：改了 {tally.tried['表']} 次")
    if "journal" in parts:
        keys = PlatformKeys.load(platform.folder("keys"))
        kept = Kept.of(platform.folder("marks"), keys.log_sm2.public_key.point if keys.log_sm2 else b"")
        acts.journal(kept, chain)
        if chain:
            back_date_anchors(conn, tally, chain)
        acts.cosigner_rows(kept)
        _say(f"总账与日志：改了 {tally.tried['日志']} 次；联署方：{tally.tried['联署方']} 次")
    if "trail" in parts:
        _seal(platform)
        acts.trail_rows()
        _say(f"审计记录与封存：改了 {tally.tried['审计记录']} 次")
    if tables:
        return
    if "files" in parts:
        acts.file_rows(platform.folder("files"))
        _disk(platform, tally, arguments)
    if "history" in parts:
        counts |= {
            f"整部历史重写（{what}）由这些发现": by for what, by in _history(conn, platform, tally).items()
        }
    if "bundle" in parts:
        _bundle(conn, platform, tally)


def _seal(platform: Platform) -> None:
    """What the city's last minute left in the trail; an event that was never sealed is not held against anything."""
    from plumbline.supervision.worker.__main__ import make_worker
    from plumbline.supervision.worker.sealing import Sealing

    worker = make_worker(platform)[0]
    sealing = Sealing(worker.conninfo, worker.sender, worker.operator)
    with sealing.connected() as conn:
        sealing.round(conn)


def _disk(platform: Platform, tally: Tally, arguments: argparse.Namespace) -> None:
    from plumbline.drill.tampering.disk import Disk
    from plumbline.supervision.journal.audit import audit_log
    from plumbline.supervision.journal.audit_files import audit_files

    files, tiles, marks = (platform.folder(name) for name in ("files", "tiles", "marks"))
    conninfo = platform.conninfo("plumb_gateway")

    def check_files() -> list[str]:
        notes: list[str] = []
        return audit_files(conninfo, files, tiles, settled_s=0, notes=notes) + notes

    Disk(tally=tally, files=files, tiles=tiles, marks=marks, seed=arguments.seed, count=arguments.rows).run(
        check_files, lambda: audit_log(conninfo, marks)
    )


def _history(conn: psycopg.Connection, platform: Platform, tally: Tally) -> dict[str, str]:
    from plumbline.drill.tampering.history import History
    from plumbline.supervision.journal.audit_checkpoints import Kept
    from plumbline.supervision.journal.heads import CheckpointSigner
    from plumbline.supervision.journal.keys import PlatformKeys
    from plumbline.supervision.journal.receipts import receipts_of

    keys = PlatformKeys.load(platform.folder("keys"))
    signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
    row = conn.execute(
        "SELECT uid, sender_id FROM journal.leaf ORDER BY epoch DESC, idx DESC LIMIT 1"
    ).fetchone()
    assert row is not None
    receipts = receipts_of(conn, signer, [(row[0], bytes(row[1]))])
    shown = tuple(each.receipt for each in receipts.values())
    kept = Kept.of(platform.folder("marks"))
    return History(conn=conn, tally=tally, keys=keys, signer=signer, kept=kept, shown=shown).run()


def _bundle(conn: psycopg.Connection, platform: Platform, tally: Tally) -> None:
    from plumbline.drill.tampering.bundles import change_members, said_of
    from plumbline.sdk.bundle.trust import read_trust
    from plumbline.supervision.dossier.build import bundle_response_bytes

    row = conn.execute(
        "SELECT id FROM fact.application WHERE state = 'registered' ORDER BY id LIMIT 1"
    ).fetchone()
    assert row is not None
    trust = read_trust([str(platform.data_dir / "trust.txt"), str(platform.folder("roots"))])
    bundle = bundle_response_bytes(platform, row[0])
    tally.broken += [f"误报：没有改过的案卷包：{each}" for each in said_of(bundle, trust)]
    change_members(bundle, trust, tally)


#: What no audit of this drill looks at.
LEFT_OUT = (
    "数据库的函数、触发器、授权与行级策略（不是行；由测试 test_grants、test_rights 核对）",
    "同时掌握数据库、日志密钥和签名主机磁盘（水位、发布记录）的人：只有别处留存的回执、检查点和外部联署能发现",
    "上链凭据里的交易号与日志序号：只说到链上哪里去看，以合同里存的为准",
    "发布过的分片文件被删（由日志重新生成，不算证据）",
    "日志第二期及以后各期的行（城市只有一期；由 test_next_epoch 核对）",
)

DRILL = Drill(
    name="tamper",
    summary="改遍每张表、每一列、文件和整部历史，看是否全部发现并点名",
    add_options=_add_options,
    run=run,
)
