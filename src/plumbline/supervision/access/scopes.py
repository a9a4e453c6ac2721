"""Which reports a principal sees (数据范围): one condition over `fact.application` for every list, page and
file.

The condition never comes from the address. The policies of the tables say the same once
more (docs/decisions/0013). The public sees none here: it has the verification page.
"""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.supervision.access.principals import Principal, Role, division_range

_OFFICER = "a.jurisdiction >= %s AND a.jurisdiction < %s"
_INSTITUTION = "a.institution = %s"
_PARTY = "a.project IN (SELECT id FROM fact.project WHERE owner = %s OR contractor = %s OR resident_engineer_firm = %s)"
_NOTHING = "false"


@dataclass(frozen=True, slots=True)
class Scope:
    """A condition over `fact.application a` with its parameters."""

    condition: str
    parameters: tuple[str, ...] = ()


def institution_scope(principal: Principal) -> Scope:
    """Whose own records (numbers, series) the principal may see, over `fact.number n`: the
    officer those of the division's institutions, an institution its own, the others none."""
    if principal.role is Role.OFFICER:
        low, high = division_range(principal.division)
        return Scope("n.jurisdiction >= %s AND n.jurisdiction < %s", (low, high)) if low else Scope(_NOTHING)
    if principal.role is Role.INSTITUTION and principal.party:
        return Scope("n.institution = %s", (principal.party,))
    return Scope(_NOTHING)


def report_scope(principal: Principal) -> Scope:
    """The reports that the principal may see. A role without its organisation or division sees nothing."""
    if principal.role is Role.OFFICER:
        low, high = division_range(principal.division)
        return Scope(_OFFICER, (low, high)) if low else Scope(_NOTHING)
    if principal.role is Role.INSTITUTION and principal.party:
        return Scope(_INSTITUTION, (principal.party,))
    if principal.role is Role.PARTY and principal.party:
        return Scope(_PARTY, (principal.party,) * 3)
    return Scope(_NOTHING)
