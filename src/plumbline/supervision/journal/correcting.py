"""Lifting a wrong step of the clock (更正时钟): what an operator does when the log's last entry lies in a time that is yet to come.

Nothing that was recorded is changed: one entry, which two persons answer for, says from where on the clock was wrong, and the log's time
goes on from the present. See docs/decisions/0031-corrected-clock.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from plumbline.domain.basics.calendar import local_text
from plumbline.domain.basics.identifiers import party_id
from plumbline.evidence.position import place_of, place_text, position_of
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import new_uid
from plumbline.supervision.config import Operator
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.clock import MAX_STEP_BACK, ClockProblem, confirm, require_same_time
from plumbline.supervision.journal.correction_checks import objections, require_projected
from plumbline.supervision.journal.corrections import Place, Run, faults, first_later, last_before, right_runs
from plumbline.supervision.journal.demo_clock import read_demo_clock
from plumbline.supervision.journal.heads import CheckpointSigner, HeadRow, SigningStopped, read_head
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Accepted, Outcome, Pending
from plumbline.supervision.journal.outside_times import Outside, Witnessed, inside
from plumbline.supervision.journal.setup import ensure_partitions
from plumbline.supervision.journal.submit import pending_from

_EPOCHS = "SELECT epoch, (SELECT max(kept_size) FROM journal.epoch k WHERE k.kept_epoch = e.epoch) FROM journal.epoch e ORDER BY epoch"
_CORRECTED = "SELECT wrong_from, idx FROM fact.clock_correction ORDER BY idx"
_NOW = "SELECT clock_timestamp(), COALESCE((SELECT ahead FROM ops.demo_clock), '0')"
_EVENT = (
    "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) "
    "VALUES (%s, 'log.clock_correct', 'clock', %s, 'cli', jsonb_strip_nulls(jsonb_build_object("
    "'second', %s::text, 'because', %s::text, 'told', %s::text, 'intent', %s::text))) RETURNING id"
)
#: What a message can state (PROTOCOL, wire types).
_LAST_INSTANT = datetime(2100, 1, 1, tzinfo=UTC)


class CorrectionRefused(RuntimeError):
    """The clock is not corrected; the message is one plain sentence."""


class CorrectionUnknown(RuntimeError):
    """Whether the correction was entered is not known; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """Somebody who answers for the correction: login name and person id."""

    login: str
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Who does it, who looked at it again, and why."""

    first: Signatory
    second: Signatory
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionPlan:
    """What a correction would do."""

    head: HeadRow
    #: The present: the database's clock, in a demo put forward as it is.
    present: datetime
    #: The first entry that the wrong clock dated, its time, and how many there are from it on.
    wrong_from: int
    wrong_at: datetime
    count: int
    #: The last entry before it, which was dated by a right clock.
    right_at: datetime
    #: The latest that an outsider said of this log.
    outside: Witnessed | None = None

    @property
    def position(self) -> int:
        """Where the correction will stand."""
        return position_of(self.head.epoch, self.head.size)


def plan_correction(conn: psycopg.Connection, marks: Path, *, since: int | None = None) -> CorrectionPlan:
    """Look at clocks and log, and decide; raises :class:`CorrectionRefused` when there is nothing to correct, or a clock is wrong now.

    `since`: the operator knows that the clock was wrong from an earlier position on. `conn` acts as plumb_owner; `marks` is the folder
    with the lists of those who give outside evidence.
    """
    head, present = read_head(conn), _present(conn)
    if head.size == 0:
        raise CorrectionRefused(f"日志第 {head.epoch} 期还没有第 0 条：请先执行 plumbline log resume")
    if head.last_time - present <= MAX_STEP_BACK:
        raise CorrectionRefused(
            f"日志的时间没有走错：最后一条 {local_text(head.last_time)} 入账，现在是 {local_text(present)}，不用更正"
        )
    if head.last_time >= _LAST_INSTANT:
        raise CorrectionRefused(
            f"最后一条记到 {local_text(head.last_time)}，消息写不下 2100 年以后的时间，更正不了"
        )
    outside = Outside(conn, head.origin, inside(marks)).last()
    if outside is not None and outside.at - present > MAX_STEP_BACK:
        raise CorrectionRefused(
            f"现在的时钟比外部证据慢：{outside}。那是别人的时钟，时间已经过了；请先校准本机和数据库"
        )
    runs = right_runs(_whole(conn, head), [(row[0], row[1]) for row in conn.execute(_CORRECTED).fetchall()])
    found = first_later(runs, lambda position: _time_at(conn, position), present)
    assert found is not None  # the last entry itself lies after the present
    wrong_from = _since(since, found)
    right = last_before(runs, wrong_from)
    if right is None:
        raise CorrectionRefused("连日志的第 0 条也在将来：不是入账以后时钟才走错的，更正不了")
    return CorrectionPlan(
        head=head,
        present=present,
        wrong_from=wrong_from,
        wrong_at=_time_at(conn, wrong_from),
        count=sum(end - max(start, wrong_from) for start, end in runs if end > wrong_from),
        right_at=_time_at(conn, right),
        outside=outside,
    )


def _since(told: int | None, found: int) -> int:
    if told is None:
        return found
    if not 1 <= told <= found:
        raise CorrectionRefused(
            f"--since 要在第 1 条与第 {place_text(found)} 条之间：第 {place_text(found)} 条起已在将来，一定是走错的"
        )
    return told


def _present(conn: psycopg.Connection) -> datetime:
    """Raises :class:`CorrectionRefused` while a demo tells its past, or when host and database do not agree on the time."""
    if read_demo_clock(conn).story is not None:
        raise CorrectionRefused("演示正在讲述以前的事，没有现在可言，请等它讲完")
    row = conn.execute(_NOW).fetchone()
    assert row is not None
    try:
        require_same_time(row[0], datetime.now(UTC))
    except ClockProblem as problem:
        raise CorrectionRefused(f"{problem}：请先校准两边的时钟") from None
    present: datetime = row[0] + row[1]
    return present


def _whole(conn: psycopg.Connection, head: HeadRow) -> list[Run]:
    """Where the log's entries lie, epoch by epoch."""
    sizes = {epoch: size or 0 for epoch, size in conn.execute(_EPOCHS).fetchall()} | {head.epoch: head.size}
    return [(position_of(epoch, 0), position_of(epoch, size)) for epoch, size in sorted(sizes.items())]


def _time_at(conn: psycopg.Connection, position: int) -> datetime:
    row = conn.execute(
        "SELECT logged_at FROM journal.leaf WHERE epoch = %s AND idx = %s", place_of(position)
    ).fetchone()
    if row is None:
        raise CorrectionRefused(f"第 {place_text(position)} 条的叶子不见了：请先执行 plumbline audit log")
    found: datetime = row[0]
    return found


def correct(
    conninfo: dict[str, str],
    plan: CorrectionPlan,
    signer: CheckpointSigner,
    keys: PlatformKeys,
    *,
    operator: Operator,
    signed: Signed,
) -> Accepted:
    """Enter the correction. Raises :class:`CorrectionRefused` when something moved since it was planned or the audit would object,
    :class:`CorrectionUnknown` when nobody can say whether it was entered, else as `Journal.append`."""
    ensure_partitions(conninfo["plumb_migrate"], plan.present)
    with psycopg.connect(conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        if read_head(conn, lock=True) != plan.head:
            raise CorrectionRefused("日志头在这期间动了，请重新执行")
        require_projected(conn, plan.head)
        present = _present(conn)
        if not timedelta(0) <= present - plan.present < plan.head.last_time - plan.present - MAX_STEP_BACK:
            raise CorrectionRefused("时钟在这期间动了，请重新执行")
        told = _message(plan, present, operator, signed)
        pending = pending_from(told, keys.signer("web"), channel="internal")
        place = Place(
            position=plan.position, logged_at=present, before=plan.head.last_time, right=plan.right_at
        )
        if against := [*faults(told, place), *objections(conn, told, pending)]:
            raise CorrectionRefused(f"核对总账时会说它不成立：{'；'.join(against)}")
        intent = _record(conn, plan, signed, "intended")
    outcome = _appended(Journal(conninfo["plumb_gateway"], signer), pending, told)
    with psycopg.connect(conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        if isinstance(outcome, Accepted):
            # For every process of this host the present is now what these two looked at, whatever was confirmed before.
            confirm(conn, signed.first.login)
        words = {Accepted: "done", Problem: "refused"}
        _record(conn, plan, signed, words.get(type(outcome), "unknown"), intent)
    if not isinstance(outcome, Accepted):
        raise outcome
    return outcome


def _appended(journal: Journal, pending: Pending, told: ClockCorrected) -> Outcome | CorrectionUnknown:
    """What became of it; an error may come before or after the commit, so that nobody knows then."""
    try:
        return journal.append([pending], correction=told)[0]
    except (SigningStopped, psycopg.Error) as error:
        unknown = CorrectionUnknown(str(error) if isinstance(error, SigningStopped) else type(error).__name__)
        unknown.__cause__ = error
        return unknown
    finally:
        journal.close()


def _message(plan: CorrectionPlan, present: datetime, operator: Operator, signed: Signed) -> ClockCorrected:
    return ClockCorrected(
        v=1,
        uid=new_uid(present),
        sender=party_id(operator.uscc).hex(),
        occurred_at=present,
        first_person=signed.first.person,
        second_person=signed.second.person,
        because=signed.because,
        position=plan.position,
        wrong_from=plan.wrong_from,
        last_wrong=plan.head.last_time,
        corrected_to=present,
    )


def _record(
    conn: psycopg.Connection, plan: CorrectionPlan, signed: Signed, outcome: str, intent: int | None = None
) -> int:
    """One event of the audit trail, and its number; `intent` is that of the event whose result it is."""
    told = (
        f"第 {place_text(plan.wrong_from)} 条起 {plan.count} 条，最后记到 {local_text(plan.head.last_time)}"
    )
    said = [signed.second.login, signed.because, told, None if intent is None else str(intent)]
    row = conn.execute(_EVENT, [signed.first.login, outcome, *said]).fetchone()
    assert row is not None
    return int(row[0])
