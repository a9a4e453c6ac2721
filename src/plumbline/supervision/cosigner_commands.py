"""`plumbline cosigners` (联署方名单): who cosigns this platform's log; each change is an entry of the log and an audit event."""

from __future__ import annotations

import argparse
import sys

import psycopg

from plumbline.evidence.checkpoint import parse_cosigner
from plumbline.evidence.position import place_text, position_of
from plumbline.exchange.problems import Problem
from plumbline.supervision.config import Platform
from plumbline.supervision.cosigner_entries import enter, read_acceptances, require_acceptable
from plumbline.supervision.journal.cosigners import (
    Configured,
    CosignerSilent,
    CosignersProblem,
    newest_of,
    read_cosigners,
    require_apart,
    require_usable,
    write_cosigners,
)
from plumbline.supervision.journal.heads import SigningStopped
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.outside_audit import note_change

#: From this status on the log takes no entry at the moment; below it is the entry that is refused.
_LATER = 500


class _Unwritten(RuntimeError):
    """The log has it and the list has not; the message is one plain sentence."""


def run_cosigners(platform: Platform, arguments: argparse.Namespace) -> int:
    """0 when done, 1 when the list or a cosigner is not in order, 2 for wrong usage."""
    folder = platform.folder("marks")
    try:
        known = read_cosigners(folder)
        if arguments.what == "list":
            return _list(platform, known)
        if not (arguments.by and arguments.because.strip()):
            print("请用 --by 写明是谁改的名单，用 --because 写明原因（原因写进日志）。", file=sys.stderr)
            return 2
        if arguments.what == "add":
            return _add(platform, known, arguments)
        return _remove(platform, known, arguments)
    except CosignersProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except Problem as problem:
        print(f"日志没有收下，名单没有改：{problem}", file=sys.stderr)
        for each in problem.errors:
            print(f"  {each.pointer}：{each.reason}；{each.remedy}", file=sys.stderr)
        return 1
    except _Unwritten as unwritten:
        print(unwritten, file=sys.stderr)
        return 1
    except SigningStopped as stopped:
        print(f"日志现在不能签名，名单没有改：{stopped}", file=sys.stderr)
        return 1
    except psycopg.Error as error:
        print(
            f"数据库没有照办（{type(error).__name__}），不知道办了没有：请用 cosigners list 核对，再执行一次",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        told = f"{error.filename or platform.data_dir} 用不了（{error.strerror or type(error).__name__}）"
        print(f"{told}：请核对文件和它的权限，再执行一次", file=sys.stderr)
        return 1


def _add(platform: Platform, known: tuple[Configured, ...], arguments: argparse.Namespace) -> int:
    if not (arguments.url and arguments.key and arguments.trust_domain):
        print("请给出 --url、--key 和 --trust-domain。", file=sys.stderr)
        return 2
    made = Configured(
        url=arguments.url.rstrip("/"),
        keys=tuple(each.strip() for each in arguments.key),
        trust_domain=arguments.trust_domain.strip(),
        external=not arguments.own,
    )
    require_usable(made)
    listed = [*(each for each in known if each.name != made.name), made]
    require_apart(listed)
    keys = _keys(platform)
    require_acceptable(platform, keys, made)
    entered = enter(platform, keys, made.name, made, because=arguments.because.strip())
    _write(platform, listed)
    note_change(platform, arguments.by, "cosigner.add", f"{made.name} {made.url}")
    print(f"已加上 {made.name}（{made.trust_domain}）{_told(entered)}。后台进程一秒内开始送检查点。")
    return 0


def _remove(platform: Platform, known: tuple[Configured, ...], arguments: argparse.Namespace) -> int:
    name = arguments.name
    kept = [each for each in known if each.name != name]
    stands = any(each.name == name for each in read_acceptances(platform).standing())
    if len(kept) == len(known) and not stands:
        print(f"名单里没有 {name or '（请给出名称）'}。", file=sys.stderr)
        return 2
    keys = _keys(platform)
    try:
        entered = enter(platform, keys, name, None, because=arguments.because.strip())
    except Problem as problem:
        if problem.kind.status < _LATER:
            raise
        # A log that must not be signed may wait for exactly this: the list first, the entry when it can be made.
        _write(platform, kept)
        note_change(platform, arguments.by, "cosigner.remove", name)
        print(f"已从名单里删去 {name}，但日志现在不能入账：{problem}", file=sys.stderr)
        print("日志恢复以后请再执行一次同样的命令，把停用补记入账。", file=sys.stderr)
        return 1
    _write(platform, kept)
    note_change(platform, arguments.by, "cosigner.remove", name)
    print(f"已删去 {name}{_told(entered)}。它以前的联署照旧有效。")
    return 0


def _keys(platform: Platform) -> PlatformKeys:
    """The platform's keys; :class:`CosignersProblem` for a file that is none."""
    folder = platform.folder("keys")
    try:
        return PlatformKeys.load(folder)
    except (ValueError, TypeError) as error:
        raise CosignersProblem(
            f"{folder} 里平台的密钥读不懂（{type(error).__name__}）：请从备份恢复这个文件夹"
        ) from error


def _write(platform: Platform, listed: list[Configured]) -> None:
    """Replace the list; what the log says already stays there, and the same command makes up for the list."""
    try:
        write_cosigners(platform.folder("marks"), listed)
    except OSError as error:
        raise _Unwritten(
            f"日志里已经有了，但名单没有写成（{error.strerror or type(error).__name__}）：请腾出空间或改好权限，再执行一次同样的命令"
        ) from error


def _told(entered: list[Accepted]) -> str:
    """Where in the log it says so."""
    places = "、".join(f"第 {place_text(position_of(each.epoch, each.index))} 条" for each in entered)
    return f"，日志{places}" if places else "，日志里已有"


def _list(platform: Platform, known: tuple[Configured, ...]) -> int:
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        found = conn.execute("SELECT origin || '/' || epoch, size FROM journal.head").fetchone()
        rows = conn.execute("SELECT name, size, cosigned_at, problem FROM ops.cosigner").fetchall()
    accepted = read_acceptances(platform)
    told, status = {row[0]: row[1:] for row in rows}, 0
    asked = newest_of(known, found[0] if found else "", fresh=True)
    for each in known:
        size, at, problem = told.get(each.name, (0, None, "后台进程还没有送过"))
        kind = "外部" if each.external else "自己的"
        when = f"，{at.astimezone().isoformat(timespec='seconds')}" if at else ""
        print(f"{each.name}（{each.trust_domain}，{kind}）{each.url}：联署到 {size} 条{when}")
        if isinstance(asked[each], CosignerSilent):
            problem = problem or f"现在问不到（{asked[each]}）"
        for key in each.keys:
            told_in = next((a for a in accepted.standing() if a.key == key and a.says(*each.told)), None)
            stands = f"日志{told_in.place}接受" if told_in else "日志里没有这样接受它的条目"
            print(f"  {key.split('+', 2)[1]}（{parse_cosigner(key).algorithm}）：{stands}")
            status = status if told_in else 1
        if problem:
            print(f"  {problem}")
            status = 1
    if not any(each.external for each in known):
        print("没有外部联署方：日志只有平台自己担保。", file=sys.stderr)
    return status
