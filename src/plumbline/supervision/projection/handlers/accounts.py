"""Roles of people on the platform (平台角色的投影): granted and ended by the authority; three administrators are never one person."""

from __future__ import annotations

from typing import cast

from plumbline.exchange.messages import registry as messages
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.handlers.standing import is_platform, refused

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


HANDLERS = {"role.granted": grant_role, "role.ended": end_role}
