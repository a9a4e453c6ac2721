"""Ordering a job, and doing it for whoever ordered it (后台任务的办理).

A job stores its principal: role, organisation, division, account. It is done in web's login, which has no right to any fact, and reads in
the database role of that principal. Before it is done the principal is looked at again: a role that has ended, an account or
organisation that was suspended in between, or a job without a principal, fails.
"""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection

from plumbline.supervision.access.grants import stopped
from plumbline.supervision.access.principals import Principal, Role, from_session
from plumbline.supervision.access.sessions import acting, demo_is_open
from plumbline.supervision.config import Platform
from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.pages.lists import LISTS, export_lines
from plumbline.supervision.reading.lists.exports import export_of
from plumbline.supervision.reading.lists.listing import KINDS
from plumbline.web.accounts.models import Account

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
    "SELECT id, arguments::text, state, problem, ordered_at, finished_at, octet_length(result) FROM ops.job "
    "WHERE owner = %s ORDER BY ordered_at DESC LIMIT %s"
)
#: What the list no longer shows nobody can fetch.
_UNSEEN = (
    "DELETE FROM ops.job WHERE owner = %s AND state IN ('done', 'failed') AND id NOT IN "
    "(SELECT id FROM ops.job WHERE owner = %s ORDER BY ordered_at DESC LIMIT %s)"
)
_RESULT = "SELECT result FROM ops.job WHERE id = %s AND owner = %s AND state = 'done'"
_CLAIM = (
    "UPDATE ops.job SET state = 'running', begun_at = clock_timestamp() WHERE id = (SELECT id FROM ops.job WHERE state = 'waiting' "
    "ORDER BY ordered_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, principal::text, arguments::text"
)
#: Whoever does a job holds its row for as long as it lives: one that runs and that nobody holds has lost its process.
_HOLD = "SELECT 1 FROM ops.job WHERE id = %s AND state = 'running' FOR UPDATE"
_SETTLE = (
    "UPDATE ops.job SET state = %s, problem = %s, result = %s, finished_at = clock_timestamp() WHERE id = %s"
)
#: Done again, unless it was ordered so long ago that it must have ended many processes.
_RESCUE = (
    "UPDATE ops.job SET state = CASE WHEN ordered_at > clock_timestamp() - interval '10 minutes' THEN 'waiting' ELSE 'failed' END, "
    "problem = CASE WHEN ordered_at > clock_timestamp() - interval '10 minutes' THEN NULL ELSE '办到一半中断了，请重新提出' END, "
    "finished_at = CASE WHEN ordered_at > clock_timestamp() - interval '10 minutes' THEN NULL ELSE clock_timestamp() END "
    "WHERE id IN (SELECT id FROM ops.job WHERE state = 'running' AND begun_at < clock_timestamp() - interval '10 seconds' "
    "FOR UPDATE SKIP LOCKED)"
)
_OLD = "DELETE FROM ops.job WHERE ordered_at < clock_timestamp() - interval '7 days'"


class JobRefused(ValueError):
    """A job that is not taken, or not done; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as its owner sees it."""

    id: str
    arguments: dict[str, Any]
    state: str
    problem: str
    ordered_at: datetime
    finished_at: datetime | None
    size: int | None

    @property
    def title(self) -> str:
        """Which list."""
        return LISTS.get(str(self.arguments.get("list", "")), "")

    @property
    def said(self) -> str:
        """The conditions in short; the cover of the file says them in full."""
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


def order_export(principal: Principal, grant: str, key: str, query: ListQuery) -> str:
    """Order an export of a list of what the principal may see; returns the job's id."""
    if key not in KINDS or principal.role.value not in KINDS[key].roles:
        raise JobRefused("没有这个名录，没有提出导出")
    if sum(each.state in ("waiting", "running") for each in jobs_of(principal)) >= MOST_WAITING:
        raise JobRefused(f"您已有 {MOST_WAITING} 项在办，办好以后再提")
    job = secrets.token_hex(16)
    arguments = {"list": key, "text": query.text, "view": query.view, "sort": query.sort, "grant": grant}
    stored = json.dumps(principal.as_session())
    asked = json.dumps(arguments | {"filters": query.filters}, ensure_ascii=False)
    with connection.cursor() as cursor:
        cursor.execute(_ORDER, [job, "list_export", owner_of(principal), stored, asked])
        cursor.execute(_UNSEEN, [owner_of(principal), owner_of(principal), MOST_KEPT])
    return job


def jobs_of(principal: Principal) -> list[Job]:
    """The newest jobs of a principal; one whose process was ended waits again."""
    with connection.cursor() as cursor:
        cursor.execute(_RESCUE)
        cursor.execute(_MINE, [owner_of(principal), MOST_KEPT])
        return [
            Job(
                id=row[0],
                arguments=json.loads(row[1]),
                state=row[2],
                problem=row[3] or "",
                ordered_at=row[4],
                finished_at=row[5],
                size=row[6],
            )
            for row in cursor.fetchall()
        ]


def result_of(principal: Principal, job: str) -> bytes | None:
    """What a finished job of this principal made; None for any other job, there or not."""
    with connection.cursor() as cursor:
        cursor.execute(_RESULT, [job, owner_of(principal)])
        row = cursor.fetchone()
    return bytes(row[0]) if row else None


def do_next() -> bool:
    """Do the job that waits longest; False when none waits. Whatever goes wrong with it is its own affair.

    While it is done its row is held by a connection of its own. When this process is killed the hold ends with it, and the job is
    done again by the next; what it made is kept in the transaction that holds it, so that it is there once or not at all.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RESCUE)
        cursor.execute(_OLD)
        cursor.execute(_CLAIM)
        row = cursor.fetchone()
    if row is None:
        return False
    with psycopg.connect(Platform.from_env().conninfo("plumb_web")) as held:
        held.execute(
            "SET LOCAL idle_in_transaction_session_timeout = 0"
        )  # it says nothing while the job is done
        if held.execute(_HOLD, [row[0]]).fetchone() is not None:
            state, problem, result = _done(row[0], json.loads(row[1]), json.loads(row[2]))
            held.execute(_SETTLE, [state, problem, result, row[0]])
    return True


def _done(job: str, stored: object, arguments: dict[str, Any]) -> tuple[str, str, bytes | None]:
    """(state, problem, result) of a job."""
    try:
        return "done", "", _export(principal_for(stored, arguments), arguments)
    except JobRefused as refusal:
        return "failed", str(refusal), None
    except Exception:
        _log.exception("job %s failed", job)
        return "failed", "平台出错了，请重新提出；再出错请告诉运维人员", None


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
