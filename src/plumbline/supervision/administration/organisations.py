"""Organisations under supervision (参与单位): two officers together suspend one, and two let it work again.

One proposes with a reason, another one of the same region or above agrees; only then the decision is an entry of the log. From there
on the organisation's keys and accounts stop. What it did stays on record and readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest

from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import PartyReinstated, PartySuspended
from plumbline.exchange.uids import new_uid
from plumbline.supervision.access.principals import Principal, division_range
from plumbline.supervision.administration.queries import AUTHORITIES
from plumbline.supervision.administration.services import (
    AdministrationRefused,
    require_impersonal,
    taken_over,
)
from plumbline.supervision.administration.submission import operator_party, submit
from plumbline.supervision.administration.trail import attempt, record

_LISTED = "SELECT id, name, division, roles, suspension, suspended_at, suspended_because FROM ops.organisations_of(%s, %s, %s)"
_OPEN = "SELECT id, kind, party, because, proposed_by, person, proposed_at FROM ops.proposal WHERE settled_at IS NULL AND party = ANY(%s)"
_PROPOSE = "INSERT INTO ops.proposal (kind, party, because, proposed_by, person) VALUES (%s, %s, %s, %s, %s)"
_SETTLE = (
    "UPDATE ops.proposal SET settled_at = clock_timestamp(), settled_by = %s, outcome = %s "
    "WHERE id = %s AND settled_at IS NULL"
)
#: Kind of proposal → what proposing and deciding it are called in the audit trail.
_ACTIONS = {
    "suspend": ("organisation.suspension_proposed", "organisation.suspended"),
    "lift": ("organisation.reinstatement_proposed", "organisation.reinstated"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one officer proposed and nobody has decided yet."""

    id: int
    kind: str
    party: str
    because: str
    proposed_by: str
    person: str
    proposed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One organisation as the officers of its region see it."""

    id: str
    name: str
    division: str
    roles: tuple[str, ...]
    suspension: str
    suspended_at: datetime | None
    suspended_because: str
    proposal: Proposal | None = None

    @property
    def may_be_suspended(self) -> bool:
        """False for those who supervise."""
        return not set(AUTHORITIES) & set(self.roles)


def organisations(principal: Principal, text: str = "") -> list[Organisation]:
    """At most 200 organisations of the officer's region, the suspended first."""
    low, high = division_range(principal.division)
    if not low:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_LISTED, [low, high, text])
        found = cursor.fetchall()
        cursor.execute(_OPEN, [[row[0] for row in found]])
        columns = ("id", "kind", "party", "because", "proposed_by", "person", "proposed_at")
        proposals = {row[2]: Proposal(**dict(zip(columns, row, strict=True))) for row in cursor.fetchall()}
    return [
        Organisation(
            id=row[0],
            name=row[1],
            division=row[2],
            roles=tuple(row[3]),
            suspension=row[4] or "",
            suspended_at=row[5],
            suspended_because=row[6] or "",
            proposal=proposals.get(row[0]),
        )
        for row in found
    ]


def organisation(principal: Principal, party: str) -> Organisation | None:
    """One organisation of the officer's region; None for any other, there or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM ops.party_of(%s)", [party])
        named = cursor.fetchone()
    # By its name: the list of a large region ends before it has told of all.
    found = organisations(principal, named[0]) if named else []
    return next((each for each in found if each.id == party), None)


def propose(request: HttpRequest, principal: Principal, found: Organisation, because: str) -> None:
    """Propose to suspend an organisation, or to let a suspended one work again."""
    reason, kind = because.strip(), "lift" if found.suspension else "suspend"
    if not reason or len(reason) > 200:
        raise AdministrationRefused("because", "请写明原因，最多 200 个字；被停用的单位会看到")
    require_impersonal("because", reason)
    if not found.may_be_suspended:
        raise AdministrationRefused("because", "监督机构和平台运营单位不在这里停用，请由上级办理")
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_PROPOSE, [kind, found.id, reason, principal.account, principal.person])
    except IntegrityError:
        raise AdministrationRefused("because", "已经有人提出，等另一位监督人员复核") from None
    record(request, principal.account, _ACTIONS[kind][0], found.name, because=reason)


def decide(request: HttpRequest, principal: Principal, found: Organisation, *, agreed: bool) -> bool:
    """Agree to what another officer proposed, or decline it; True when the decision is a fact, False while it is under way.

    Whoever proposed may withdraw alone, and never agree alone.
    """
    proposal = found.proposal
    if proposal is None:
        raise AdministrationRefused("proposal", "没有待复核的事项：可能已经有人办了，请刷新")
    if agreed and principal.person == proposal.person:
        raise AdministrationRefused("proposal", "提出的人不能自己复核，请另一位监督人员同意")
    if not agreed:
        _settle(proposal, principal, "declined")
        record(request, principal.account, "organisation.proposal_declined", found.name, kind=proposal.kind)
        return True
    action = _ACTIONS[proposal.kind][1]
    with transaction.atomic():  # an entry that could not be made leaves the proposal open
        _settle(proposal, principal, "agreed")
        try:
            with attempt(request, principal.account, action, found.name, proposed_by=proposal.proposed_by):
                return taken_over(submit(_decision(principal, found, proposal), request), "proposal")
        except AdministrationRefused as refused:
            refusal = refused  # the entry is made, whatever became of it: the proposal is settled
    raise refusal


def _settle(proposal: Proposal, principal: Principal, outcome: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, [principal.account, outcome, proposal.id])
        if not cursor.rowcount:
            raise AdministrationRefused("proposal", "刚刚已经有人办了，请刷新")


def _decision(principal: Principal, found: Organisation, proposal: Proposal) -> Message:
    now = datetime.now(UTC)
    common = {
        "v": 1,
        "uid": new_uid(now),
        "sender": operator_party(),
        "occurred_at": now,
        "party": found.id,
        "because": proposal.because,
        "decided_by": proposal.person,
        "seconded_by": principal.person,
    }
    if proposal.kind == "suspend":
        return PartySuspended(**common)  # type: ignore[arg-type]
    return PartyReinstated(suspension=found.suspension, **common)  # type: ignore[arg-type]
