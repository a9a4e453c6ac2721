"""Who a request acts for (访问主体): a role, an organisation, a division. Pure: no Django, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class Role(StrEnum):
    """The kinds of principal; each reads in a database role of its own (`acting`). The three administrators (三员) see no business data."""

    OFFICER = "officer"
    INSTITUTION = "institution"
    PARTY = "party"
    PUBLIC = "public"
    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDIT_ADMIN = "audit_admin"


ADMINISTRATORS = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})
#: Whoever supervises or administers proves more than a password (GB/T 22239).
NEED_SECOND_FACTOR = ADMINISTRATORS | {Role.OFFICER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """One signed-in user, or the public. Names of people are not kept here: they are read when they are
    shown."""

    role: Role
    #: Party id, 32 hex; empty for the public.
    party: str = ""
    #: Person id, 32 hex; empty when no person is on record.
    person: str = ""
    #: Name of the organisation.
    organisation: str = ""
    #: Division code of the organisation, six digits.
    division: str = ""
    #: 监督员, 检测机构, 建设单位 …: what the page prints under the name.
    capacity: str = ""
    #: Login name of the account; empty for the public and for the demo's role cards.
    account: str = ""
    #: Login name of the officer who looks at the platform with these eyes; then nothing may be changed.
    viewed_by: str = ""

    @property
    def is_signed_in(self) -> bool:
        """True for everybody but the public."""
        return self.role is not Role.PUBLIC

    @property
    def sees_work(self) -> bool:
        """True for those who have business data to look at: neither the public nor the three administrators."""
        return self.is_signed_in and self.role not in ADMINISTRATORS

    @property
    def sees_unconfirmed_findings(self) -> bool:
        """Findings that nobody has confirmed are for the officer and the institution concerned."""
        return self.role in (Role.OFFICER, Role.INSTITUTION)

    def as_session(self) -> dict[str, str]:
        """What the signed session cookie holds."""
        return {name: str(value) for name, value in asdict(self).items()}


PUBLIC = Principal(role=Role.PUBLIC)


def from_session(stored: object) -> Principal:
    """The principal of a session; anything else than what `as_session` wrote is the public."""
    if not isinstance(stored, Mapping) or stored.get("role") not in set(Role):
        return PUBLIC
    known = Principal.__dataclass_fields__
    values = {name: str(value) for name, value in stored.items() if name in known and name != "role"}
    return Principal(role=Role(stored["role"]), **values)


def division_range(division: str) -> tuple[str, str]:
    """First division code of a region and the first one after it: ``610300`` → ``("6103", "6104")`` (辖区).

    Codes of GB/T 2260 nest by pairs of digits, trailing zeros mean the whole region. No code, no region.
    """
    if len(division) != 6 or not division.isdigit():
        return ("", "")
    prefix = division
    while prefix.endswith("00"):
        prefix = prefix[:-2]
    if not prefix:
        return ("0", "a")
    return (prefix, str(int(prefix) + 1))
