"""The audit trail (审计记录): every act of administration and every sign-in, written where no administrator can change it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from django.conf import settings
from django.db import connection
from django.http import HttpRequest

from plumbline.exchange.problems import Problem
from plumbline.supervision.access.principals import Principal, division_range
from plumbline.supervision.boot import operator_of

PAGE = 100
_INSERT = "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) VALUES (%s, %s, %s, %s, %s, %s::jsonb)"
_SELECT = (
    "SELECT id, at, actor, action, subject, outcome, detail::text, outcome = 'intended' AND NOT EXISTS "
    "(SELECT 1 FROM ops.audit_event r WHERE r.detail->>'intent' = e.id::text) FROM ops.audit_event e"
)


def record(
    request: HttpRequest, actor: str, action: str, subject: str, outcome: str = "done", /, **detail: str
) -> None:
    """Write one event in the request's own transaction: an act that is rolled back leaves none."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, _values(request, (actor, action, subject), outcome, detail))


@contextmanager
def attempt(request: HttpRequest, actor: str, action: str, subject: str, **detail: str) -> Iterator[None]:
    """An act that makes an entry of the log: the intent is written before it, on a connection of its own, and the result after it.

    The entry commits by itself. Whatever becomes of the page in between, the trail holds who meant to do what; an intent that got no
    result is shown as such.
    """
    what = (actor, action, subject)
    intent = _write_apart(_values(request, what, "intended", detail))
    result = detail | {"intent": str(intent)}
    try:
        yield
    except (ValueError, Problem) as refusal:
        _write_apart(_values(request, what, "refused", result | {"because": str(refusal)}))
        raise
    record(request, actor, action, subject, **result)


def _write_apart(values: list[str]) -> int:
    """Write one event that stays whatever becomes of the request; returns its id."""
    conninfo = settings.PLUMBLINE_PLATFORM.conninfo("plumb_web")
    with psycopg.connect(conninfo, autocommit=True) as conn:
        row = conn.execute(f"{_INSERT} RETURNING id".encode(), values).fetchone()
    assert row is not None
    return int(row[0])


def _values(
    request: HttpRequest, what: tuple[str, str, str], outcome: str, detail: dict[str, str]
) -> list[str]:
    return [*what, outcome, f"{request.method} {_name(request)}"[:200], json.dumps(detail)]


def _name(request: HttpRequest) -> str:
    """The address by its name: a path may hold a link that is still good."""
    match = getattr(request, "resolver_match", None)
    return str(match.view_name if match else "?")


#: Action → how readers say it; what is missing here is shown as it is.
WORDS = {
    "account.made": "建立账号",
    "account.link_made": "给了设置密码的链接",
    "account.password_set": "设置了密码",
    "account.suspended": "停用账号",
    "account.reactivated": "恢复账号",
    "account.unlocked": "解锁",
    "account.link_released": "放行改密码的链接",
    "account.password_changed": "改了密码",
    "second_factor.added": "开启第二因素",
    "second_factor.removed": "关闭第二因素",
    "second_factor.refused": "第二因素不对",
    "account.second_factor_reset": "清除第二因素",
    "role.granted": "授予角色",
    "role.ended": "终止角色",
    "session.begun": "登录",
    "session.ended": "退出",
    "session.ended_elsewhere": "结束了别处的登录",
    "session.refused": "登录失败",
    "session.acts_as": "选择角色",
    "organisation.suspension_proposed": "提出停用单位",
    "organisation.reinstatement_proposed": "提出恢复单位",
    "organisation.proposal_declined": "没有同意停用或恢复单位",
    "organisation.suspended": "停用单位",
    "organisation.reinstated": "恢复单位",
    "charge.assigned": "分工",
    "charge.ended": "终止分工",
    "list.export_ordered": "提出后台导出名录",
    "view_as.begun": "开始以他人身份查看",
    "view_as.ended": "结束以他人身份查看",
    "audit.exported": "导出审计记录",
    "exchange.exported": "导出报送记录",
    "exchange.replayed": "重放一次报送",
    "key.applied": "申请密钥",
    "key.sandbox": "放进沙箱试报",
    "key.refused": "退回密钥申请",
    "key.production": "正式启用密钥",
    "key.contact_seen": "查看联系人",
    "key.rotated": "轮换密钥",
    "key.revoked": "停用密钥",
    "list.exported": "导出名录",
    "log.resume": "日志另开一期",
    "log.clock_confirm": "确认时钟",
}


#: Outcome → how readers say it.
OUTCOMES = {"done": "已办", "refused": "没有办成", "intended": "打算办"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the trail."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    outcome: str
    detail: dict[str, str]
    #: An intent to which no result was written: whether the entry was made stands in the log.
    is_open: bool = False

    @property
    def word(self) -> str:
        """What was done, in words."""
        return WORDS.get(self.action, self.action)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """What a reader is told beside; the number of the intent only ties the two lines together."""
        return [(name, value) for name, value in self.detail.items() if name != "intent"]

    @property
    def told(self) -> str:
        """How it ended, in words."""
        return "打算办，没有记下结果" if self.is_open else OUTCOMES.get(self.outcome, self.outcome)


def events(
    principal: Principal, *, text: str = "", before: int | None = None, limit: int = PAGE
) -> list[Event]:
    """The newest events below `before` in which actor, action or subject contains `text`.

    Of accounts one sees those of the own division; what the platform or its operators did, whoever administers the whole of it.
    """
    low, high = division_range(principal.division)
    conditions = [
        "(EXISTS (SELECT 1 FROM accounts_account a WHERE a.username = actor AND a.division >= %s AND a.division < %s) "
        "OR (%s AND NOT EXISTS (SELECT 1 FROM accounts_account a WHERE a.username = actor)))"
    ]
    whole = principal.division == operator_of(settings.PLUMBLINE_PLATFORM).division
    parameters: list[object] = [low, high, whole]
    if before is not None:
        conditions.append("id < %s")
        parameters.append(before)
    if text:
        conditions.append("position(lower(%s) in lower(actor || ' ' || action || ' ' || subject)) > 0")
        parameters.append(text)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    with connection.cursor() as cursor:
        cursor.execute(f"{_SELECT}{where} ORDER BY id DESC LIMIT %s", [*parameters, limit])
        return [
            Event(
                id=row[0],
                at=row[1],
                actor=row[2],
                action=row[3],
                subject=row[4],
                outcome=row[5],
                detail=json.loads(row[6]),
                is_open=row[7],
            )
            for row in cursor.fetchall()
        ]
