"""`plumbline cosigners` (联署方名单): who cosigns this platform's log; each change is an audit event."""

from __future__ import annotations

import argparse
import sys

import psycopg

from plumbline.supervision.config import Platform
from plumbline.supervision.journal.cosigners import (
    Configured,
    CosignerSilent,
    CosignersProblem,
    newest_of,
    read_cosigners,
    require_usable,
    write_cosigners,
)
from plumbline.supervision.outside_audit import note_change


def run_cosigners(platform: Platform, arguments: argparse.Namespace) -> int:
    """0 when done, 1 when the list or a cosigner is not in order, 2 for wrong usage."""
    folder = platform.folder("marks")
    try:
        known = read_cosigners(folder)
        if arguments.what == "list":
            return _list(platform, known)
        if not arguments.by:
            print("请用 --by 写明是谁改的名单。", file=sys.stderr)
            return 2
        if arguments.what == "add":
            return _add(platform, known, arguments)
        return _remove(platform, known, arguments)
    except CosignersProblem as problem:
        print(problem, file=sys.stderr)
        return 1


def _add(platform: Platform, known: tuple[Configured, ...], arguments: argparse.Namespace) -> int:
    if not (arguments.url and arguments.key and arguments.trust_domain):
        print("请给出 --url、--key 和 --trust-domain。", file=sys.stderr)
        return 2
    made = Configured(
        url=arguments.url.rstrip("/"),
        key=arguments.key.strip(),
        trust_domain=arguments.trust_domain.strip(),
        external=not arguments.own,
    )
    require_usable(made)
    write_cosigners(platform.folder("marks"), [*(each for each in known if each.name != made.name), made])
    note_change(platform, arguments.by, "cosigner.add", f"{made.name} {made.url}")
    print(f"已加上 {made.name}（{made.trust_domain}）。后台进程一秒内开始送检查点。")
    return 0


def _remove(platform: Platform, known: tuple[Configured, ...], arguments: argparse.Namespace) -> int:
    kept = [each for each in known if each.name != arguments.name]
    if len(kept) == len(known):
        print(f"名单里没有 {arguments.name or '（请给出名称）'}。", file=sys.stderr)
        return 2
    write_cosigners(platform.folder("marks"), kept)
    note_change(platform, arguments.by, "cosigner.remove", arguments.name)
    print(f"已删去 {arguments.name}。它以前的联署照旧有效。")
    return 0


def _list(platform: Platform, known: tuple[Configured, ...]) -> int:
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        found = conn.execute("SELECT origin || '/' || epoch, size FROM journal.head").fetchone()
        rows = conn.execute("SELECT name, size, cosigned_at, problem FROM ops.cosigner").fetchall()
    told, status = {row[0]: row[1:] for row in rows}, 0
    asked = newest_of(known, found[0] if found else "", fresh=True)
    for each in known:
        size, at, problem = told.get(each.name, (0, None, "后台进程还没有送过"))
        kind = "外部" if each.external else "自己的"
        when = f"，{at.astimezone().isoformat(timespec='seconds')}" if at else ""
        print(f"{each.name}（{each.trust_domain}，{kind}）{each.url}：联署到 {size} 条{when}")
        if isinstance(asked[each], CosignerSilent):
            problem = problem or f"现在问不到（{asked[each]}）"
        if problem:
            print(f"  {problem}")
            status = 1
    if not any(each.external for each in known):
        print("没有外部联署方：日志只有平台自己担保。", file=sys.stderr)
    return status
