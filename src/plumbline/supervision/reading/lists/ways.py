"""By which ways a reader's rows are found (取数的路径): by the places of a region, by the institution, by the projects of a party.

Each way names a plain column that begins an index, so that a page costs its own rows and not those of all others
(docs/decisions/0015). The policies of the tables say the same once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from plumbline.supervision.access.principals import Principal, Role, division_range
from plumbline.supervision.reading.database import rows
from plumbline.supervision.reading.lists.declare import Branch, Condition

Way = Callable[[Principal], Branch | None]
Scope = Callable[[Principal], Condition]
#: The next greater place, again and again: as many looks into the index as there are places.
_PLACES = (
    "WITH RECURSIVE p(v) AS ((SELECT t.jurisdiction FROM fact.{table} t WHERE t.jurisdiction >= %s AND t.jurisdiction < %s "
    "ORDER BY t.jurisdiction LIMIT 1) UNION ALL SELECT (SELECT t.jurisdiction FROM fact.{table} t WHERE t.jurisdiction > p.v "
    "AND t.jurisdiction < %s ORDER BY t.jurisdiction LIMIT 1) FROM p WHERE p.v IS NOT NULL) SELECT v FROM p WHERE v IS NOT NULL"
)
_PROJECTS = "SELECT DISTINCT project FROM fact.project_party ORDER BY project"
#: The projects that an officer looks after today, as the one in charge or as a deputy.
_IN_CHARGE = (
    "SELECT DISTINCT g.project AS v FROM fact.charge g WHERE g.officer = %s AND g.ended_idx IS NULL "
    "AND g.valid_from <= %s AND (g.valid_until IS NULL OR g.valid_until >= %s)"
)
_EVERYTHING, _NOTHING = Condition(sql="true"), Condition(sql="false")


def any_of(column: str, values: Iterable[str | None]) -> Branch:
    """The rows whose column is one of these."""
    wanted = sorted({value for value in values if value})
    return Branch(column=column, values="SELECT unnest(%s::text[]) AS v", parameters=(wanted,))


def places(table: str, principal: Principal) -> list[str]:
    """Divisions within the officer's region that have rows in a table."""
    low, high = division_range(principal.division)
    return [each["v"] for each in rows(_PLACES.format(table=table), [low, high, high])] if low else []


def projects_of_reader() -> list[str]:
    """Projects that the acting party builds."""
    return [each["project"] for each in rows(_PROJECTS, [])]


def of_work(table: str) -> Way:
    """Records of work: the officer's places, the institution's own, the party's projects."""

    def way(principal: Principal) -> Branch:
        if principal.role is Role.OFFICER:
            return any_of("jurisdiction", places(table, principal))
        if principal.role is Role.INSTITUTION:
            return any_of("institution", [principal.party])
        return any_of("project", projects_of_reader() if principal.role is Role.PARTY else [])

    return way


def scope_of_work(principal: Principal) -> Condition:
    """The same as a condition."""
    if principal.role is Role.OFFICER:
        low, high = division_range(principal.division)
        found = Condition(sql="t.jurisdiction >= %s AND t.jurisdiction < %s", parameters=(low, high))
        return found if low else _NOTHING
    if principal.role is Role.INSTITUTION and principal.party:
        return Condition(sql="t.institution = %s", parameters=(principal.party,))
    if principal.role is Role.PARTY and principal.party:
        mine = "t.project = ANY (ARRAY(SELECT m.project FROM fact.project_party m WHERE m.party = %s))"
        return Condition(sql=mine, parameters=(principal.party,))
    return _NOTHING


def way_in_charge(principal: Principal, today: date) -> Branch:
    """Records of the projects that the officer is in charge of."""
    return Branch(column="project", values=_IN_CHARGE, parameters=(principal.person, today, today))


def way_to_findings(principal: Principal) -> Branch:
    """Findings: the officer's places; what is about the institution or a sample that it was given."""
    if principal.role is Role.OFFICER:
        return any_of("jurisdiction", places("finding", principal))
    if principal.role is Role.INSTITUTION:
        held = "SELECT r.object AS v FROM fact.reach r WHERE r.holder = %s"
        return Branch(column="about", values=held, parameters=(principal.party,))
    return any_of("about", [])


def scope_of_findings(principal: Principal) -> Condition:
    """The officer's places once more; whose samples an institution was given is the policy's to say."""
    return scope_of_work(principal) if principal.role is Role.OFFICER else _for(principal, Role.INSTITUTION)


def way_to_projects(principal: Principal) -> Branch:
    """Projects: those of the region, those that work was given in, those that the party builds."""
    if principal.role is Role.OFFICER:
        low, high = division_range(principal.division)
        within = (
            "SELECT DISTINCT p.division AS v FROM fact.project p WHERE p.division >= %s AND p.division < %s"
        )
        return Branch(column="division", values=within, parameters=(low, high))
    if principal.role is Role.INSTITUTION:
        held = "SELECT r.object AS v FROM fact.reach r WHERE r.holder = %s"
        return Branch(column="id", values=held, parameters=(principal.party,))
    return any_of("id", projects_of_reader() if principal.role is Role.PARTY else [])


def way_to_parties(column: str) -> Way:
    """What belongs to a party: for the officer parties that work in the region, else those that one worked with."""

    return lambda principal: _way_to_parties(column, principal)


def _way_to_parties(column: str, principal: Principal) -> Branch:
    if principal.role is Role.OFFICER:
        low, high = division_range(principal.division)
        there = "SELECT DISTINCT w.party AS v FROM fact.presence w WHERE w.division >= %s AND w.division < %s"
        return Branch(column=column, values=there, parameters=(low, high))
    known = "SELECT DISTINCT k.party AS v FROM fact.partner k WHERE k.holder = %s"
    return Branch(column=column, values=known, parameters=(principal.party,))


def scope_of_parties(column: str) -> Scope:
    """The same as a condition."""

    def scope(principal: Principal) -> Condition:
        way = _way_to_parties(column, principal)
        return Condition(sql=f"t.{column} IN ({way.values})", parameters=way.parameters)

    return scope


def left_to_the_policy(principal: Principal) -> Condition:
    """Whatever the row policy lets through, for those who have work to see."""
    return _for(principal, Role.OFFICER, Role.INSTITUTION, Role.PARTY)


def _for(principal: Principal, *roles: Role) -> Condition:
    return _EVERYTHING if principal.role in roles else _NOTHING


def joined(ways: Sequence[Branch | None]) -> tuple[Branch, ...]:
    """The ways that there are."""
    return tuple(way for way in ways if way is not None)
