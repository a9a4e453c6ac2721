"""Ordering a job, and doing it for whoever ordered it (后台任务的办理): exports of lists, and volumes.

A job stores its principal: role, organisation, division, account. It is done in web's login, which has no right to any fact, and reads in
the database role of that principal. Before it is done the principal is looked at again: a role that has ended, an account or
organisation that was suspended in between, or a job without a principal, fails.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

from plumbline.supervision.access.acting import take_off
from plumbline.supervision.access.grants import stopped
from plumbline.supervision.access.principals import Principal, Role, from_session
from plumbline.supervision.access.sessions import acting, demo_is_open
from plumbline.supervision.config import Platform
from plumbline.supervision.jobs import volumes
from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.pages.lists import LISTS, export_lines
from plumbline.supervision.reading.lists.exports import export_of
from plumbline.supervision.reading.lists.listing import KINDS
from plumbline.web.accounts.models import Account

#: What a volume may be of, in words.
VOLUMES = {"project": "工程案卷包", "year": "年度案卷包"}
_log = logging.getLogger("plumbline.jobs")
#: At most so many jobs of one person wait at a time.
MOST_WAITING = 3
MOST_BYTES = 64 * 1024 * 1024
#: So many finished ones of one person are kept, and shown.
MOST_KEPT = 20
_ORDER = (
    "INSERT INTO ops.job (id, kind, owner, principal, arguments) VALUES (%s, %s, %s, %s::jsonb, %s::jsonb)"
)
_MINE = (
    "SELECT id, kind, arguments::text, state, problem, ordered_at, finished_at, coalesce(bytes, octet_length(result)), step, done, total "
    "FROM ops.job WHERE owner = %s ORDER BY ordered_at DESC LIMIT %s"
)
#: What the list no longer shows nobody can fetch.
_UNSEEN = (
    "DELETE FROM ops.job WHERE owner = %s AND state IN ('done', 'failed') AND id NOT IN "
    "(SELECT id FROM ops.job WHERE owner = %s ORDER BY ordered_at DESC LIMIT %s)"
)
#: Volumes take gigabytes: of one person only the newest few stay.
_MOST_VOLUMES = 5
_OLD_VOLUMES = (
    "DELETE FROM ops.job WHERE owner = %s AND kind = 'volume' AND state = 'done' AND id NOT IN "
    "(SELECT id FROM ops.job WHERE owner = %s AND kind = 'volume' AND state <> 'failed' ORDER BY ordered_at DESC LIMIT %s)"
)
_RESULT = (
    "SELECT result FROM ops.job WHERE id = %s AND owner = %s AND state = 'done' AND kind = 'list_export'"
)
_VOLUME = (
    "SELECT arguments::text FROM ops.job WHERE id = %s AND owner = %s AND state = 'done' AND kind = 'volume' "
    "AND ordered_at > clock_timestamp() - interval '7 days'"
)
_CLAIM = (
    "UPDATE ops.job SET state = 'running', begun_at = clock_timestamp() WHERE id = (SELECT id FROM ops.job "
    "WHERE state = 'waiting' AND kind = %s ORDER BY ordered_at LIMIT 1 FOR UPDATE SKIP LOCKED) "
    "RETURNING id, kind, principal::text, arguments::text"
)
#: Whoever does a job holds this lock for as long as it lives: a job that runs and that nobody holds has lost its process. The row itself
#: stays free, so that its progress can be told.
_HOLD = "SELECT pg_advisory_lock(hashtextextended('plumbline job ' || %s::text, 0))"
_IS_RUNNING = "SELECT 1 FROM ops.job WHERE id = %s AND state = 'running'"
_SETTLE = "UPDATE ops.job SET state = %s, problem = %s, result = %s, bytes = %s, finished_at = clock_timestamp() WHERE id = %s"
_TELL = "UPDATE ops.job SET step = %s, done = %s, total = %s, beat_at = clock_timestamp() WHERE id = %s"
#: Done again, unless it was ordered so long ago that it must have ended many processes.
_RESCUE = (
    "WITH old AS MATERIALIZED (SELECT id FROM ops.job WHERE state = 'running' AND begun_at < clock_timestamp() - interval '10 seconds'), "
    "lost AS MATERIALIZED (SELECT id FROM old WHERE pg_try_advisory_xact_lock(hashtextextended('plumbline job ' || id, 0))) "
    "UPDATE ops.job SET state = CASE WHEN ordered_at > clock_timestamp() - interval '10 minutes' THEN 'waiting' ELSE 'failed' END, "
    "problem = CASE WHEN ordered_at > clock_timestamp() - interval '10 minutes' THEN NULL ELSE '办到一半中断了，请重新提出' END, "
    "finished_at = CASE WHEN ordered_at > clock_timestamp() - interval '10 minutes' THEN NULL ELSE clock_timestamp() END "
    "WHERE id IN (SELECT id FROM lost) AND state = 'running'"
)
_OLD = "DELETE FROM ops.job WHERE ordered_at < clock_timestamp() - interval '7 days' AND state <> 'running'"
_VOLUMES = "SELECT id FROM ops.job WHERE kind = 'volume' AND state <> 'failed'"
#: How often a job says how far it is.
_TELL_S = 1.0


class JobRefused(ValueError):
    """A job that is not taken, or not done; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as its owner sees it."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: str
    problem: str
    ordered_at: datetime
    finished_at: datetime | None
    size: int | None
    #: What is being done, and how many of how many.
    step: str = ""
    done: int | None = None
    total: int | None = None

    @property
    def is_volume(self) -> bool:
        """A volume, not a list."""
        return self.kind == "volume"

    @property
    def title(self) -> str:
        """Which list, or which kind of volume."""
        if self.is_volume:
            return VOLUMES.get(str(self.arguments.get("volume", "")), "")
        return LISTS.get(str(self.arguments.get("list", "")), "")

    @property
    def said(self) -> str:
        """The conditions in short; the cover of the file says them in full."""
        if self.is_volume:
            return str(self.arguments.get("told", ""))
        key = str(self.arguments.get("list", ""))
        views = {view.key: view.label for view in KINDS[key].views} if key in KINDS else {}
        labels = {each.key: each.label for each in KINDS[key].filters} if key in KINDS else {}
        filters = self.arguments.get("filters", {})
        parts = [views.get(str(self.arguments.get("view", "")), "全部"), str(self.arguments.get("text", ""))]
        parts += [f"{labels[name]} {value[:24]}" for name, value in filters.items() if name in labels]
        return "；".join(part for part in parts if part)

    @property
    def look(self) -> tuple[str, str, str]:
        """(tone, icon, word)."""
        return {
            "waiting": ("quiet", "hourglass", "排队"),
            "running": ("quiet", "hourglass", "正在办"),
            "done": ("ok", "circle-check", "办好了"),
        }.get(self.state, ("bad", "circle-x", "没有办成"))


def owner_of(principal: Principal) -> str:
    """Whose a job is: the same person in the same role for the same organisation, and nobody else."""
    parts = (principal.account, principal.person, principal.role, principal.party, principal.division)
    return "/".join(parts)


def order_volume(principal: Principal, grant: str, asked: dict[str, str]) -> tuple[str, str]:
    """Order a volume of a project or of a year; returns the job's id and what it is of, in words."""
    try:
        _, told = volumes.asked_scope(principal, asked)
    except volumes.VolumeRefused as refusal:
        raise JobRefused(str(refusal)) from refusal
    finally:
        take_off()  # the job is web's own
    return _order(principal, "volume", asked | {"grant": grant, "told": told}), told


def order_export(principal: Principal, grant: str, key: str, query: ListQuery) -> str:
    """Order an export of a list of what the principal may see; returns the job's id."""
    if key not in KINDS or principal.role.value not in KINDS[key].roles:
        raise JobRefused("没有这个名录，没有提出导出")
    arguments = {"list": key, "text": query.text, "view": query.view, "sort": query.sort, "grant": grant}
    return _order(principal, "list_export", arguments | {"filters": query.filters})


def _order(principal: Principal, kind: str, arguments: dict[str, Any]) -> str:
    if sum(each.state in ("waiting", "running") for each in jobs_of(principal)) >= MOST_WAITING:
        raise JobRefused(f"您已有 {MOST_WAITING} 项在办，办好以后再提")
    job, owner = secrets.token_hex(16), owner_of(principal)
    stored = json.dumps(principal.as_session())
    with connection.cursor() as cursor:
        cursor.execute(_ORDER, [job, kind, owner, stored, json.dumps(arguments, ensure_ascii=False)])
        cursor.execute(_UNSEEN, [owner, owner, MOST_KEPT])
        cursor.execute(_OLD_VOLUMES, [owner, owner, _MOST_VOLUMES])
    return job


def jobs_of(principal: Principal) -> list[Job]:
    """The newest jobs of a principal; one whose process was ended waits again."""
    with connection.cursor() as cursor:
        cursor.execute(_RESCUE)
        cursor.execute(_MINE, [owner_of(principal), MOST_KEPT])
        return [
            Job(
                id=row[0],
                kind=row[1],
                arguments=json.loads(row[2]),
                state=row[3],
                problem=row[4] or "",
                ordered_at=row[5],
                finished_at=row[6],
                size=row[7],
                step=row[8] or "",
                done=row[9],
                total=row[10],
            )
            for row in cursor.fetchall()
        ]


def result_of(principal: Principal, job: str) -> bytes | None:
    """What a finished job of this principal made; None for any other job, there or not."""
    with connection.cursor() as cursor:
        cursor.execute(_RESULT, [job, owner_of(principal)])
        row = cursor.fetchone()
    return bytes(row[0]) if row else None


def volume_of(principal: Principal, job: str) -> tuple[Path, str] | None:
    """File and contents in words of a finished volume of this principal; None for any other job, there or not."""
    with connection.cursor() as cursor:
        cursor.execute(_VOLUME, [job, owner_of(principal)])
        row = cursor.fetchone()
    if row is None:
        return None
    arguments = json.loads(row[0])
    try:
        volumes.asked_scope(principal, arguments)  # a project may have left the reader's sight since
    except volumes.VolumeRefused:
        return None
    finally:
        take_off()  # job and trail are web's own
    path = volumes.path_of(settings.PLUMBLINE_PLATFORM, job)
    return (path, str(arguments.get("told", ""))) if path.exists() else None


def do_next(kind: str) -> bool:
    """Do the job of a kind that waits longest; False when none waits. What goes wrong with it is its own affair.

    While it is done a connection of its own holds its lock. When this process is killed the hold ends with it, and the job is done again
    by the next; what it made is kept by one statement under that lock, so that it is there once or not at all.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RESCUE)
        cursor.execute(_OLD)
        # The files before the jobs: one that is begun in between is no leftover.
        files = volumes.files_of(settings.PLUMBLINE_PLATFORM)
        cursor.execute(_VOLUMES)
        volumes.sweep(files, [row[0] for row in cursor.fetchall()])
        cursor.execute(_CLAIM, [kind])
        row = cursor.fetchone()
    if row is None:
        return False
    conninfo = Platform.from_env().conninfo("plumb_web")
    with psycopg.connect(conninfo, autocommit=True) as held:
        held.execute("SET idle_session_timeout = 0")  # it says nothing while the job is done
        held.execute(_HOLD, [row[0]])
        if held.execute(_IS_RUNNING, [row[0]]).fetchone() is not None:
            state, problem, result, length = _done(row[0], row[1], json.loads(row[2]), json.loads(row[3]))
            held.execute(_SETTLE, [state, problem, result, length, row[0]])
    return True


def _done(
    job: str, kind: str, stored: object, arguments: dict[str, Any]
) -> tuple[str, str, bytes | None, int | None]:
    """(state, problem, result, length of the file that was made) of a job."""
    try:
        principal = principal_for(stored, arguments)
        if kind == "volume":
            return "done", "", None, _volume(job, principal, arguments)
        return "done", "", _export(principal, arguments), None
    except JobRefused as refusal:
        return "failed", str(refusal), None, None
    except Exception:
        _log.exception("job %s failed", job)
        return "failed", "平台出错了，请重新提出；再出错请告诉运维人员", None, None


def _volume(job: str, principal: Principal, arguments: dict[str, Any]) -> int:
    said = [0.0]

    def told(step: str, done: int, total: int) -> None:
        if done == total or time.monotonic() - said[0] >= _TELL_S:
            said[0] = time.monotonic()
            with connection.cursor() as cursor:
                cursor.execute(_TELL, [step, done, total, job])

    try:
        return volumes.make(settings.PLUMBLINE_PLATFORM, principal, job, arguments, told)
    except volumes.VolumeRefused as refusal:
        raise JobRefused(str(refusal)) from refusal
    except volumes.BundleIncomplete as gap:
        raise JobRefused(f"案卷还凑不齐：{gap}。请稍后再提") from gap


def principal_for(stored: object, arguments: dict[str, Any]) -> Principal:
    """Whom a job is done for, as things stand now; raises :class:`JobRefused` where that is nobody."""
    principal = from_session(stored)
    if not principal.sees_work or principal.viewed_by:
        raise JobRefused("任务没有写明代谁办，没有办")
    if not principal.account:
        if not demo_is_open() or (principal.role is not Role.OFFICER and stopped(principal.party)):
            raise JobRefused("提出的角色已经失效，没有办")
        return principal
    account = Account.objects.filter(username=principal.account, suspended_at=None).first()
    now = acting(account, arguments.get("grant", "")) if account is not None else None
    if now != principal:
        raise JobRefused("提出以后账号或单位停用了，或角色变了，没有办")
    return principal


def _export(principal: Principal, arguments: dict[str, Any]) -> bytes:
    key, filters = str(arguments.get("list", "")), arguments.get("filters", {})
    if key not in KINDS or principal.role.value not in KINDS[key].roles:
        raise JobRefused("任务没有写明导出哪个名录，没有办")
    asked = {name: str(arguments.get(name, "")) for name in ("text", "view", "sort")}
    export = export_of(principal, key, ListQuery(**asked, filters=filters))
    if export.problems:
        raise JobRefused("".join(export.problems))
    parts, size = [], 0
    for line in export_lines(export):
        parts.append(line.encode())
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise JobRefused("结果超过 64 MB，请加上条件分几次导出")
    return b"".join(parts)
