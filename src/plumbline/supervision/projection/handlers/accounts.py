"""Roles of people on the platform (平台角色的投影): granted and ended by the authority; three administrators are never one person."""

from __future__ import annotations

from datetime import date
from typing import cast

from plumbline.exchange.messages import registry as messages
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.handlers.standing import (
    AUTHORITIES,
    is_authority,
    is_platform,
    lies_in,
    refused,
)
from plumbline.supervision.projection.table import Row

#: 三员: whoever keeps the system, whoever grants rights and whoever reads the audit trail watch one another.
ADMINISTRATORS = frozenset({"system_admin", "security_admin", "audit_admin"})
_CLAUSE = "BJ 8.3.1"


def grant_role(p: Projection) -> str:
    """A role for a person. An administrator holds that one role alone, and nobody who holds another becomes one."""
    m = cast(messages.RoleGranted, p.arrival.message)
    if not is_platform(p):
        finding = refused(
            "registry.foreign_grant", _CLAUSE, "角色不是平台授予的，没有采用", "由本平台的安全管理员授予"
        )
        raise NotTakenOver(finding, "role_grant", p.arrival.sender)
    held = _roles_of(p, m.person)
    if held and (m.role in ADMINISTRATORS or ADMINISTRATORS & set(held)):
        sentence = "系统管理员、安全管理员、审计管理员各由一人专任，这个人已有别的角色，没有采用"
        finding = refused(
            "registry.separation_of_duties", _CLAUSE, sentence, "先终止已有的角色，或另给一个人", role=m.role
        )
        raise NotTakenOver(finding, "role_grant", p.arrival.sender)
    _keep_roles(p, m.person, [*held, m.role])
    return p.put_object(
        "role_grant",
        {
            "person": m.person,
            "role": m.role,
            "party": m.party,
            "division": m.division,
            "capacity": m.capacity,
            "ended_idx": None,
            "ended_because": None,
        },
    )


def end_role(p: Projection) -> str:
    """The end of a granted role; a second end changes nothing."""
    m = cast(messages.RoleEnded, p.arrival.message)
    granted = p.state.get("role_grant", m.grant)
    if not is_platform(p) or granted is None or granted["person"] != m.person:
        finding = refused(
            "registry.unknown_grant",
            _CLAUSE,
            "要终止的角色没有授予过，或不归报送单位管",
            "核对授予的入账编号",
        )
        raise NotTakenOver(finding, "role_grant", p.arrival.sender)
    if granted["ended_idx"] is None:
        held = list(_roles_of(p, granted["person"]))
        held.remove(granted["role"])
        _keep_roles(p, granted["person"], held)
        ended = {"ended_idx": p.arrival.idx, "ended_because": m.because}
        p.state.put("role_grant", m.grant, granted | ended)
    return m.grant


def _roles_of(p: Projection, person: str) -> list[str]:
    row = p.state.get("role_holder", person)
    return list(row["roles"]) if row else []


def _keep_roles(p: Projection, person: str, roles: list[str]) -> None:
    p.state.put("role_holder", person, {"roles": sorted(roles)})


def suspend_party(p: Projection) -> str:
    """From this entry on the organisation's keys and accounts stop; a second suspension changes nothing."""
    m = cast(messages.PartySuspended, p.arrival.message)
    known = _under_supervision(p, m.party, m.decided_by, m.seconded_by)
    if known["suspension"] is None:
        stopped = {
            "suspension": p.arrival.entry,
            "suspended_at": p.arrival.logged_at,
            "suspended_because": m.because,
        }
        p.state.put("party", m.party, stopped)
    return m.party


def reinstate_party(p: Projection) -> str:
    """The end of the suspension that the entry names."""
    m = cast(messages.PartyReinstated, p.arrival.message)
    known = _under_supervision(p, m.party, m.decided_by, m.seconded_by)
    if known["suspension"] != m.suspension:
        raise _no_decision(p, "要恢复的停用不存在，或已经恢复", "核对停用的入账编号")
    p.state.put("party", m.party, dict.fromkeys(("suspension", "suspended_at", "suspended_because")))
    return m.party


def _under_supervision(p: Projection, party: str, decided_by: str, seconded_by: str) -> Row:
    """The organisation, when the sender may decide about it: an authority about whoever works in its region and is none itself."""
    known = p.state.get("party", party)
    mine = p.state.get("party", p.arrival.sender)
    if known is None or mine is None or not is_authority(p) or AUTHORITIES & set(known["roles"]):
        raise _no_decision(p, "停用或恢复的单位没有登记，或不由报送单位监管", "由所在地的监督机构办理")
    if not lies_in(known["division"], mine["division"]):
        raise _no_decision(p, "这个单位不在报送单位的辖区", "由所在地的监督机构办理")
    if decided_by == seconded_by:
        raise _no_decision(p, "停用和恢复要两个人决定，提出和复核是同一个人", "请另一位监督人员复核")
    return known


def _no_decision(p: Projection, sentence: str, remedy: str) -> NotTakenOver:
    finding = refused("registry.unsupported_decision", _CLAUSE, f"{sentence}，没有采用", remedy)
    return NotTakenOver(finding, "party", p.arrival.sender)


def assign_charge(p: Projection) -> str:
    """An officer for a project of the sender's region. Versions replace it; who was in charge when stays readable."""
    m = cast(messages.ChargeAssigned, p.arrival.message)
    project = p.state.get("project", m.project)
    _require_charge_of(p, project)
    if m.valid_until is not None and m.valid_until < m.valid_from:
        sentence, remedy = "分工的截止日期早于起始日期，没有采用", "改正日期后重新报送"
        raise NotTakenOver(
            refused("registry.unsupported_charge", _CLAUSE, sentence, remedy), "charge", p.arrival.sender
        )
    assert project is not None
    return p.put_object(
        "charge",
        {
            "project": m.project,
            "officer": m.officer,
            "part": m.part,
            "valid_from": date.fromisoformat(m.valid_from),
            "valid_until": date.fromisoformat(m.valid_until) if m.valid_until else None,
            "ended_idx": None,
            "ended_because": None,
            "jurisdiction": project["division"],
        },
    )


def end_charge(p: Projection) -> str:
    """The end of an assignment; a second end changes nothing."""
    m = cast(messages.ChargeEnded, p.arrival.message)
    charge = p.state.get("charge", m.charge)
    _require_charge_of(p, p.state.get("project", charge["project"]) if charge else None)
    if charge is not None and charge["ended_idx"] is None:
        p.state.put("charge", m.charge, {"ended_idx": p.arrival.idx, "ended_because": m.because})
    return m.charge


def _require_charge_of(p: Projection, project: Row | None) -> None:
    mine = p.state.get("party", p.arrival.sender)
    if (
        project is None
        or mine is None
        or not is_authority(p)
        or not lies_in(project["division"], mine["division"])
    ):
        sentence, remedy = "分工的工程没有登记，或不在报送单位的辖区，没有采用", "由工程所在地的监督机构分工"
        raise NotTakenOver(
            refused("registry.unsupported_charge", _CLAUSE, sentence, remedy), "charge", p.arrival.sender
        )


HANDLERS = {
    "role.granted": grant_role,
    "role.ended": end_role,
    "party.suspended": suspend_party,
    "party.reinstated": reinstate_party,
    "charge.assigned": assign_charge,
    "charge.ended": end_charge,
}
