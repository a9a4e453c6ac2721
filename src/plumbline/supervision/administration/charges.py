"""Officers in charge of projects, and their deputies (监督分工): named, from a day to a day, each an entry of the log.

Who assigns reaches below only: the project lies in the own region, and so does the role of the officer who is assigned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.http import HttpRequest

from plumbline.domain.basics.calendar import local_date
from plumbline.exchange.messages.registry import ChargeAssigned, ChargeEnded
from plumbline.exchange.uids import new_uid
from plumbline.supervision.access.principals import Principal, division_range
from plumbline.supervision.administration.services import (
    AdministrationRefused,
    require_impersonal,
    taken_over,
)
from plumbline.supervision.administration.submission import operator_party, submit
from plumbline.supervision.administration.trail import attempt
from plumbline.web.accounts.models import Account

_PROJECTS = "SELECT id, code, name, division FROM ops.projects_of(%s, %s, %s)"
_PROJECT = "SELECT id, code, name, division FROM ops.project_of(%s)"
_CHARGES = "SELECT id, project, officer, part, valid_from, valid_until FROM ops.charges_of(%s)"
_OFFICERS = "SELECT person, division, capacity FROM ops.officers_of(%s, %s)"
PARTS = {"lead": "主办", "deputy": "代办"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One officer for one project, from a day to a day."""

    id: str
    project: str
    officer: str
    label: str
    part: str
    valid_from: date
    valid_until: date | None

    @property
    def word(self) -> str:
        """The part as readers know it."""
        return PARTS.get(self.part, self.part)

    def holds_on(self, day: date) -> bool:
        """Whether the officer looks after the project on that day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project with the officers who look after it, now and to come."""

    id: str
    code: str
    name: str
    division: str
    charges: tuple[Charge, ...] = ()
    today: date

    @property
    def now(self) -> tuple[Charge, ...]:
        """Those who look after it today."""
        return tuple(each for each in self.charges if each.holds_on(self.today))

    @property
    def is_deputised(self) -> bool:
        """Whether a deputy stands in today."""
        return any(each.part == "deputy" for each in self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """Somebody who may be put in charge."""

    person: str
    label: str
    division: str
    capacity: str


def projects(principal: Principal, text: str = "") -> list[Project]:
    """At most 200 projects of the officer's region, with who looks after them."""
    low, high = division_range(principal.division)
    return _with_charges(_PROJECTS, [low, high, text]) if low else []


def project_of(principal: Principal, project: str) -> Project | None:
    """One project of the officer's region; None for any other, there or not."""
    low, high = division_range(principal.division)
    found = _with_charges(_PROJECT, [project])
    return found[0] if found and low and low <= found[0].division < high else None


def _with_charges(statement: str, parameters: list[str]) -> list[Project]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchall()
        cursor.execute(_CHARGES, [[row[0] for row in found]])
        rows = cursor.fetchall()
    accounts = Account.objects.filter(person__in={row[2] for row in rows})
    labels = {each.person: _label(each) for each in accounts}
    charges = [
        Charge(
            id=row[0],
            project=row[1],
            officer=row[2],
            label=labels.get(row[2], "没有账号的人员"),
            part=row[3],
            valid_from=row[4],
            valid_until=row[5],
        )
        for row in rows
    ]
    today = local_date(datetime.now(UTC))
    return [
        Project(
            id=row[0],
            code=row[1] or "",
            name=row[2] or "",
            division=row[3] or "",
            charges=tuple(each for each in charges if each.project == row[0]),
            today=today,
        )
        for row in found
    ]


def officers_for(principal: Principal, project: Project) -> list[Officer]:
    """Who may be put in charge: officers of the own region or below whose role reaches the project, with an account that works."""
    low, high = division_range(principal.division)
    with connection.cursor() as cursor:
        cursor.execute(_OFFICERS, [low, high])
        rows = [row for row in cursor.fetchall() if _reaches(row[1], project.division)]
    accounts = Account.objects.filter(person__in={row[0] for row in rows}, suspended_at=None)
    labels = {each.person: _label(each) for each in accounts}
    return [
        Officer(person=row[0], label=labels[row[0]], division=row[1], capacity=row[2])
        for row in {row[0]: row for row in rows}.values()
        if row[0] in labels
    ]


def _label(account: Account) -> str:
    return f"{account.label}（{account.username}）"


def _reaches(region: str, division: str) -> bool:
    low, high = division_range(region)
    return bool(low) and low <= division < high


def assign(request: HttpRequest, principal: Principal, project: Project, typed: dict[str, str]) -> bool:
    """Put an officer in charge, or a deputy in the place of one who is away; True when it is a fact, False while under way."""
    begun = _day(typed["valid_from"], "valid_from")
    ended = _day(typed["valid_until"], "valid_until") if typed["valid_until"] else None
    if typed["part"] not in PARTS:
        raise AdministrationRefused("part", "请选主办或代办")
    if ended is not None and ended < begun:
        raise AdministrationRefused("valid_until", "截止日期早于起始日期，请改正")
    chosen = {each.person: each for each in officers_for(principal, project)}.get(typed["officer"])
    if chosen is None:
        raise AdministrationRefused("officer", "只能分给本辖区及以下、管得到这个工程的监督员")
    _require_place(project, typed["officer"], typed["part"], begun, ended)
    now = datetime.now(UTC)
    message = ChargeAssigned(
        v=1,
        uid=new_uid(now),
        sender=operator_party(),
        occurred_at=now,
        project=project.id,
        officer=chosen.person,
        part=typed["part"],  # type: ignore[arg-type]
        valid_from=begun.isoformat(),
        valid_until=ended.isoformat() if ended else None,
    )
    told = {"project": project.code, "part": typed["part"], "from": begun.isoformat()}
    with attempt(request, principal.account, "charge.assigned", chosen.label, **told):
        return taken_over(submit(message, request), "officer")


def _require_place(project: Project, officer: str, part: str, begun: date, ended: date | None) -> None:
    """One in charge at a time; a deputy is somebody else, stands in for one in charge, and until a day."""
    same_time = [
        each
        for each in project.charges
        if (each.valid_until is None or begun <= each.valid_until)
        and (ended is None or each.valid_from <= ended)
    ]
    leads = [each for each in same_time if each.part == "lead"]
    if part == "lead" and leads:
        raise AdministrationRefused(
            "valid_from", f"这段时间已由 {leads[0].label} 主办，请先终止那一条，或改日期"
        )
    if part == "deputy" and ended is None:
        raise AdministrationRefused("valid_until", "代办要写到哪一天为止")
    if part == "deputy" and not leads:
        raise AdministrationRefused("part", "这段时间没有主办，先定主办再定代办")
    if part == "deputy" and officer in {each.officer for each in leads}:
        raise AdministrationRefused("officer", "代办不能就是主办本人")
    if part == "deputy" and ended is not None and not _are_led(leads, begun, ended):
        raise AdministrationRefused("valid_until", "这段时间有几天没有主办，请改日期，或先定那几天的主办")


def _are_led(leads: list[Charge], begun: date, ended: date) -> bool:
    """Whether somebody is in charge on every day from the one to the other."""
    day = begun
    for each in sorted(leads, key=lambda lead: lead.valid_from):
        if each.valid_from > day:
            return False
        if each.valid_until is None or each.valid_until >= ended:
            return True
        day = each.valid_until + timedelta(days=1)
    return False


def _day(text: str, field: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise AdministrationRefused(field, "日期写成 2026-11-30 这样") from None
    if not 2000 <= found.year < 2100:
        raise AdministrationRefused(field, "日期的年份不对，请改正")
    return found


def end(request: HttpRequest, principal: Principal, charge: Charge, because: str) -> bool:
    """End an assignment before its day, as an entry of the log; True when it is a fact, False while under way."""
    reason = because.strip()
    if not reason or len(reason) > 200:
        raise AdministrationRefused("because", "请写明为什么终止，最多 200 个字")
    require_impersonal("because", reason)
    now = datetime.now(UTC)
    message = ChargeEnded(
        v=1,
        uid=new_uid(now),
        sender=operator_party(),
        occurred_at=now,
        charge=charge.id,
        because=reason,
    )
    with attempt(request, principal.account, "charge.ended", charge.label, part=charge.part, reason=reason):
        return taken_over(submit(message, request), "because")
