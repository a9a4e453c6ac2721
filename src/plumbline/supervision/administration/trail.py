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
from plumbline.supervision.administration.trail_words import DETAILS, OUTCOMES, VALUES, WORDS
from plumbline.supervision.boot import operator_of
from plumbline.supervision.journal import trail as journal_trail

PAGE = 100
_INSERT = "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) VALUES (%s, %s, %s, %s, %s, %s::jsonb)"
_REFUSED = (
    "SELECT count(*) FROM ops.audit_event WHERE action IN ('session.refused', 'second_factor.refused') "
    "AND lower(actor) = lower(%s) AND at > %s::timestamptz"
)
_SELECT = (
    "SELECT id, at, actor, action, subject, outcome, detail::text, outcome = 'intended' AND NOT EXISTS "
    "(SELECT 1 FROM ops.audit_event r WHERE r.detail->>'intent' = e.id::text), starts_with(lower(request), 'cli') FROM ops.audit_event e"
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


def refused_since(name: str, since: str) -> int:
    """How many sign-ins in a name were refused since an instant."""
    with connection.cursor() as cursor:
        cursor.execute(_REFUSED, [name, since])
        return int(cursor.fetchone()[0])


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
    #: By a command on the platform's host, not over the web.
    is_at_the_machine: bool = False

    @property
    def word(self) -> str:
        """What was done, in words."""
        return WORDS.get(self.action, self.action)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """What a reader is told beside, in words; the number of the intent only ties the two lines together."""
        told = ((name, value) for name, value in self.detail.items() if name != "intent" and value)
        where = [("经由", "本机命令行")] if self.is_at_the_machine else []
        return where + [
            (DETAILS.get(name, name), VALUES.get(name, {}).get(str(value), str(value)))
            for name, value in told
        ]

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
        said = [action for action, word in WORDS.items() if text in word]
        conditions.append(
            "(position(lower(%s) in lower(actor || ' ' || action || ' ' || subject)) > 0 OR action = ANY(%s))"
        )
        parameters += [text, said]
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
                is_at_the_machine=row[8],
            )
            for row in cursor.fetchall()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the trail is bound to the log."""

    #: Of the newest seal; None before the first.
    number: int | None
    at: datetime | None
    root: str | None
    #: Events that wait for the next seal.
    waiting: int
    #: They wait longer than a minute's work explains.
    is_late: bool


def standing() -> Standing:
    """The newest seal and what came after it."""
    with connection.cursor() as cursor:
        number, at, root, waiting, is_late = journal_trail.standing(cursor)
    return Standing(number=number, at=at, root=root, waiting=waiting, is_late=is_late)
