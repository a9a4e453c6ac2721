"""`plumbline retransmit` (请求补传): after a restore, ask the senders for what was acknowledged and is gone, and see how far they are."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from datetime import UTC, datetime

import msgspec
import psycopg

from plumbline.domain.basics.identifiers import party_id
from plumbline.exchange.messages.platform import LostRange
from plumbline.exchange.problems import Problem
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.correction_checks import (
    PROJECTED_WITHIN_S,
    NotProjected,
    require_projected,
)
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped, read_head
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.own_acts import OwnActs, replay_own
from plumbline.supervision.journal.retransmission import (
    NothingToAsk,
    Wanted,
    anchor_of,
    ask,
    damaged_files,
    is_ready,
    lost_ranges,
    plan,
    plan_files,
    present_epoch,
    senders,
    standing,
)
from plumbline.supervision.journal.submit import PlatformSender

_STAGES = {
    "asked": "已请求，还没有答复",
    "begun": "正在补传",
    "waiting": "补到一半，等平台作决定或等别的单位先补",
    "done": "补完",
}
_AUDIT = (
    "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) VALUES (%s, %s, %s, %s, 'cli')"
)


def run_retransmit_of(platform: Platform, arguments: argparse.Namespace) -> int:
    """0 when it was done, 1 when a request was refused, 2 for a wrong question or one that was not confirmed."""
    if arguments.what == "status":
        return _status(platform)
    try:
        if arguments.what == "own":
            return _own(platform, arguments)
        return _ask(platform, arguments)
    except (NothingToAsk, Problem) as refusal:
        print(f"没有请求：{refusal}", file=sys.stderr)
        return 2 if isinstance(refusal, NothingToAsk) else 1


def _wanted(
    platform: Platform, arguments: argparse.Namespace, *, shown: bool = True
) -> tuple[Wanted, datetime, int]:
    """What is asked for, which is shown; the anchor of the request, and the present epoch."""
    only, because = _only(arguments), arguments.because.strip()
    with psycopg.connect(platform.conninfo("plumb_projector"), autocommit=True) as conn:
        if arguments.damaged:
            if only or arguments.days is not None:
                raise NothingToAsk("--damaged 只请重传坏了的文件，不与 --days、--epoch、--first、--end 同用")
            wanted = plan_files(
                conn,
                damaged_files(platform.conninfo("plumb_worker")),
                parties=arguments.party,
                because=because or "平台存的副本坏了",
            )
            _print_wanted(wanted, ())
            # asked anew when it is damaged anew: whoever has healed it answers in a moment
            return wanted, datetime.now(UTC).replace(second=0, microsecond=0), present_epoch(conn)
        wanted = plan(
            conn,
            parties=arguments.party,
            days=arguments.days,
            only=only,
            because=because or "恢复备份以后缺少确认过的内容",
        )
        if shown:
            _print_wanted(wanted, wanted.ranges if only else tuple(lost_ranges(conn)))
        return wanted, _today() if wanted.since else anchor_of(conn), present_epoch(conn)


def _ask(platform: Platform, arguments: argparse.Namespace) -> int:
    wanted, anchor, epoch = _wanted(platform, arguments)
    if not _is_confirmed(arguments):
        return 2
    _audited(platform, arguments.by, "retransmit.request", f"{len(wanted.parties)} 个单位")
    if not wanted.files:
        # What the platform itself entered comes first: without its keys an institution cannot even sign its request.
        replay_own_acts(platform, lost_ranges_of(platform))
        wanted, anchor, epoch = _as_replayed(platform, arguments, wanted)
    journal, sender = _sender(platform)
    try:
        made = ask(sender, wanted, operator=_operator(platform), anchor=anchor, epoch=epoch)
    finally:
        journal.close()
    status = 0
    for party, outcome in made:
        name = wanted.parties[party]
        if not isinstance(outcome, Problem):
            print(f"{name}：{'以前已经请求过' if outcome.duplicate else '已请求'}（{outcome.entry.hex()}）")
        elif outcome.slug == "uid-conflict":
            print(f"{name}：同样的段以前已经请求过")
        else:
            print(f"{name}：没有请求成，{outcome}", file=sys.stderr)
            status = 1
    print(
        "各单位从变更通知得知；用开发包 Answerer 的客户端自动补传，其余的请电话通知。进展看 plumbline retransmit status。"
    )
    return status


def _as_replayed(
    platform: Platform, arguments: argparse.Namespace, before: Wanted
) -> tuple[Wanted, datetime, int]:
    """What is wanted now that the platform's own acts stand again: a party that one of them let in again, suspended or gave a key can send
    now, or cannot."""
    with psycopg.connect(platform.conninfo("plumb_projector"), autocommit=True) as conn:
        try:
            require_projected(conn, read_head(conn), wait_s=PROJECTED_WITHIN_S)
        except NotProjected:
            print(
                "平台自己的决定还没有处理完（平台没有开？），请谁、不请谁按现有的记录；开了以后请再执行一次。",
                file=sys.stderr,
            )
    wanted, anchor, epoch = _wanted(platform, arguments, shown=False)
    for party in wanted.parties.keys() - before.parties.keys():
        print(f"也请 {wanted.parties[party]}：补入平台自己的决定以后能报送了")
    for each in wanted.mute:
        if each.party in before.parties:
            print(f"不请 {each.name}：{each.mute}")
    return wanted, anchor, epoch


def _own(platform: Platform, arguments: argparse.Namespace) -> int:
    lost = lost_ranges_of(platform)
    if not lost:
        raise NothingToAsk("日志没有缺少的段，平台自己的决定都在")
    if not _is_confirmed(arguments):
        return 2
    _audited(platform, arguments.by, "retransmit.own", "平台")
    return 0 if replay_own_acts(platform, lost) else 1


def replay_own_acts(platform: Platform, lost: list[LostRange]) -> bool:
    """Enter those of the platform's own acts again that the database lacks, in their order; whether that could be done."""
    if lost and not (platform.data_dir / "own" / "acts.db").exists():
        print(
            "这台主机上没有 own/acts.db：平台自己的决定没有留底，请凭记录逐件核对，尤其是停用和销毁。",
            file=sys.stderr,
        )
    book = OwnActs(platform.data_dir / "own")
    journal, _ = _sender(platform)
    try:
        with psycopg.connect(platform.conninfo("plumb_projector"), autocommit=True) as conn:
            done = replay_own(book, journal, lost, done=set(), ready=lambda message: is_ready(conn, message))
    except (sqlite3.Error, msgspec.MsgspecError, ValueError, psycopg.Error, SigningStopped) as error:
        # The epoch stands: the worker goes on as soon as it can.
        print(
            f"平台自己的决定没有补完：{type(error).__name__}。排除以后执行 plumbline retransmit own。",
            file=sys.stderr,
        )
        return False
    finally:
        journal.close()
        book.close()
    print(f"平台自己的决定（登记、密钥、停用、处置等）：补入 {done.entered} 条，原有 {done.present} 条。")
    if done.waiting:
        print(f"还有 {done.waiting} 条要等所说的内容补来，后台自动补入。")
    for each in done.refused:
        print(f"没有补入：{each}", file=sys.stderr)
    return not done.refused


def lost_ranges_of(platform: Platform) -> list[LostRange]:
    """What is lost, as the open epoch tells."""
    with psycopg.connect(platform.conninfo("plumb_projector"), autocommit=True) as conn:
        return lost_ranges(conn)


def _is_confirmed(arguments: argparse.Namespace) -> bool:
    if arguments.yes and arguments.by.strip() and arguments.because.strip():
        return True
    print("还没有改动。确认请加 --yes，并用 --by 写明是谁、--because 写明原因。", file=sys.stderr)
    return False


def _only(arguments: argparse.Namespace) -> tuple[int, int, int | None] | None:
    given = (arguments.epoch, arguments.first, arguments.end)
    if given == (None, None, None):
        return None
    if arguments.days is not None:
        raise NothingToAsk("--days 与 --epoch、--first、--end 只能用一种")
    if arguments.epoch is None or arguments.first is None:
        raise NothingToAsk("只要一段时，--epoch 和 --first 都要写；--end 不写是到末尾")
    return arguments.epoch, arguments.first, arguments.end


def _print_wanted(wanted: Wanted, told: tuple[LostRange, ...]) -> None:
    for each in told if wanted.ranges else ():
        end = "末尾" if each.end is None else f"第 {each.end - 1} 条"
        print(f"缺少：日志第 {each.epoch} 期第 {each.first} 条到{end}")
    for party, files in wanted.files.items():
        print(f"坏了的文件：{wanted.parties[party]} 上传的 {len(files)} 个")
    if wanted.orphans:
        print(f"另有 {len(wanted.orphans)} 个，上传的单位现在不能报送，请从备份放回")
    if wanted.since:
        print(f"请对照 {wanted.since:%Y-%m-%d} 以后的回执")
    print(f"请 {len(wanted.parties)} 个单位：{'、'.join(list(wanted.parties.values())[:20])}")
    for each in wanted.mute:
        print(
            f"不请 {each.name}：{each.mute}，现在不能报送；恢复使用或换了密钥以后用 --party {each.party} 再请"
        )


def _status(platform: Platform) -> int:
    with psycopg.connect(platform.conninfo("plumb_projector"), autocommit=True) as conn:
        rows, known = standing(conn), senders(conn)
    for row in rows:
        stage = _STAGES.get(row["stage"], row["stage"])
        told = f"补入 {row['resent']}，原有 {row['present']}，补不了 {row['not_held']}"
        print(f"{row['name'] or row['party']}：{stage}{'' if row['stage'] == 'asked' else '；' + told}")
    for each in known.values() if rows else ():
        if each.mute and each.party not in {row["party"] for row in rows}:
            print(f"{each.name}：没有请，{each.mute}")
    if not rows:
        print("还没有请求过补传。有报送密钥的单位：")
        for each in known.values():
            print(f"  {each.party} {each.name}{f'（{each.mute}）' if each.mute else ''}")
    return 0


def _sender(platform: Platform) -> tuple[Journal, PlatformSender]:
    keys = PlatformKeys.load(platform.folder("keys"))
    signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
    journal = Journal(platform.conninfo("plumb_gateway"), signer)
    return journal, PlatformSender(journal, keys.signer("web"))


def _operator(platform: Platform) -> str:
    return party_id(operator_of(platform)[0]).hex()


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _audited(platform: Platform, by: str, action: str, subject: str) -> None:
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute(_AUDIT, [by.strip(), action, subject, "done"])
