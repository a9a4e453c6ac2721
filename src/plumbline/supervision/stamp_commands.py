"""`plumbline timestamps` (时间戳机构名单): who stamps this platform's checkpoints; each change is an audit event."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import psycopg

from plumbline.supervision.config import Platform
from plumbline.supervision.journal.outside_lists import ListProblem, require_minutes
from plumbline.supervision.journal.stamping import EVERY_MINUTES, SOURCES, StampSource, usable
from plumbline.supervision.outside_audit import note_change


def run_timestamps(platform: Platform, arguments: argparse.Namespace) -> int:
    """0 when done, 1 when the list or an authority is not in order, 2 for wrong usage."""
    try:
        known = SOURCES.read(platform.folder("marks"))
        if arguments.what == "list":
            return _list(platform, known)
        if not arguments.by:
            print("请用 --by 写明是谁改的名单。", file=sys.stderr)
            return 2
        if arguments.what == "add":
            return _add(platform, known, arguments)
        return _remove(platform, known, arguments)
    except ListProblem as problem:
        print(problem, file=sys.stderr)
        return 1


def _add(platform: Platform, known: tuple[StampSource, ...], arguments: argparse.Namespace) -> int:
    if not (arguments.name and arguments.url and arguments.certificate and arguments.trust_domain):
        print("请给出名称、--url、--certificate（根证书 PEM 文件）和 --trust-domain。", file=sys.stderr)
        return 2
    try:
        certificate = Path(arguments.certificate).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        print(f"--certificate 读不了：{error}。请给 PEM 文件。", file=sys.stderr)
        return 2
    made = usable(
        StampSource(
            name=arguments.name.strip(),
            url=arguments.url.strip().rstrip("/"),
            trust_domain=arguments.trust_domain.strip(),
            certificate=certificate,
            external=not arguments.own,
            every_minutes=require_minutes(arguments.every or EVERY_MINUTES),
            policy=arguments.policy,
        )
    )
    former = next((each for each in known if each.name == made.name), None)
    if former and former.authority.root.certificate != made.authority.root.certificate:
        # Tokens that are kept, and receipts that were given, are of the former root by this name.
        print(f"{made.name} 这个名称已用在另一个根证书上，请另取一个名称。", file=sys.stderr)
        return 1
    SOURCES.write(platform.folder("marks"), [*(each for each in known if each.name != made.name), made])
    note_change(platform, arguments.by, "timestamp.add", f"{made.name} {made.url}")
    print(f"已加上 {made.name}（{made.trust_domain}）。日志有增长时每 {made.every_minutes} 分钟盖一次。")
    return 0


def _remove(platform: Platform, known: tuple[StampSource, ...], arguments: argparse.Namespace) -> int:
    if arguments.name not in {each.name for each in known if not each.retired}:
        print(f"名单里没有 {arguments.name or '（请给出名称）'}，或已停用。", file=sys.stderr)
        return 2
    kept = [replace(each, retired=each.retired or each.name == arguments.name) for each in known]
    SOURCES.write(platform.folder("marks"), kept)
    note_change(platform, arguments.by, "timestamp.remove", arguments.name)
    print(f"已停用 {arguments.name}。它盖过的时间戳照旧有效，根证书留在名单里备查。")
    return 0


def _list(platform: Platform, known: tuple[StampSource, ...]) -> int:
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        rows = conn.execute("SELECT name, size, stamped_at, problem FROM ops.stamp_authority").fetchall()
        kept = dict(conn.execute("SELECT name, count(*) FROM journal.stamp GROUP BY name").fetchall())
    told, status = {row[0]: row[1:] for row in rows}, 0
    for each in known:
        size, at, problem = told.get(each.name, (0, None, "" if each.retired else "后台进程还没有问过"))
        kind = "已停用" if each.retired else "外部" if each.external else "自己的"
        when = f"，盖到 {size} 条，{at.astimezone().isoformat(timespec='seconds')}" if at else ""
        print(
            f"{each.name}（{each.trust_domain}，{kind}）{each.url}：每 {each.every_minutes} 分钟，存有 {kept.get(each.name, 0)} 个{when}"
        )
        if problem:
            print(f"  {problem}")
            status = 1
    if not any(each.external and not each.retired for each in known):
        print("没有外部时间戳机构：入账时间只有平台自己担保。", file=sys.stderr)
    return status
