"""The roles of an account (账号的角色): entries of the log that have not ended, as the projector keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from plumbline.web.accounts.models import Account

_ACTIVE = "SELECT id, role, party, division, capacity, organisation, stopped FROM ops.grants_of(%s)"


ROLE_WORDS = {
    "officer": "监督员",
    "institution": "检测机构人员",
    "party": "参建单位人员",
    "system_admin": "系统管理员",
    "security_admin": "安全管理员",
    "audit_admin": "审计管理员",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One role that an account may act in."""

    id: str
    role: str
    party: str
    organisation: str
    division: str
    capacity: str
    #: Why the organisation is suspended; empty while it works.
    stopped: str = ""

    @property
    def word(self) -> str:
        """The role as readers know it."""
        return ROLE_WORDS.get(self.role, self.role)


def stopped(party: str) -> str:
    """Why an organisation is suspended; empty while it works."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ops.stopped(%s)", [party])
        found = cursor.fetchone()
    return (found[0] or "") if found else ""


def grants_of(account: Account) -> tuple[Grant, ...]:
    """The roles in force, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, [account.person])
        return tuple(
            Grant(
                id=each[0],
                role=each[1],
                party=each[2],
                division=each[3],
                capacity=each[4],
                organisation=each[5] or "",
                stopped=each[6] or "",
            )
            for each in cursor.fetchall()
        )
