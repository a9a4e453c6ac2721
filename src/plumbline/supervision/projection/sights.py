"""Who sees which rows of schema `fact` (行级权限): each table declares its sight, and grants and policies are made from it.

One permissive policy for each role and table, no OR (docs/decisions/0013). Who acts stands in settings of the transaction:
`plumb.party`, `plumb.division_low`, `plumb.division_high`. Unset they are NULL, and no row is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: (schema, table) → the condition of a policy.
Condition = Callable[[str, str], str]

#: The database roles that web takes on, by kind of principal; they are granted without inheritance.
OFFICER, INSTITUTION, PARTY, PUBLIC = "plumb_officer", "plumb_institution", "plumb_party", "plumb_public"
SIGNED_IN = (OFFICER, INSTITUTION, PARTY)
EVERYBODY = (*SIGNED_IN, PUBLIC)
#: Roles that work for the whole platform. What they read is narrowed by grants, not by rows.
WHOLE = ("plumb_projector", "plumb_worker", "plumb_gateway", "plumb_definer")
_ME = "(SELECT current_setting('plumb.party', true))"
_LOW = "(SELECT current_setting('plumb.division_low', true))"
_HIGH = "(SELECT current_setting('plumb.division_high', true))"


def nothing(schema: str, table: str) -> str:
    """No row."""
    return "false"


def in_division(column: str) -> Condition:
    """Rows whose division code lies in the officer's region (辖区), as a range."""
    return lambda _, table: f'"{table}"."{column}" >= {_LOW} AND "{table}"."{column}" < {_HIGH}'


def own(column: str) -> Condition:
    """Rows that name the party itself."""
    return lambda _, table: f'"{table}"."{column}" = {_ME}'


def of_project(column: str) -> Condition:
    """Rows of the projects that the party builds, as they stand now."""
    return lambda schema, table: (
        f'"{table}"."{column}" = ANY (ARRAY(SELECT m.project FROM "{schema}".project_party m WHERE m.party = {_ME}))'
    )


def reached(column: str) -> Condition:
    """Rows about an object that was brought before the party: a sample or project commissioned to it, or the party itself."""
    return lambda schema, table: (
        f'EXISTS (SELECT 1 FROM "{schema}".reach r WHERE r.object = "{table}"."{column}" AND r.holder = {_ME})'
    )


def partnered(column: str) -> Condition:
    """Rows of parties that the party worked with, and its own."""
    return lambda schema, table: (
        f'EXISTS (SELECT 1 FROM "{schema}".partner k WHERE k.party = "{table}"."{column}" AND k.holder = {_ME})'
    )


def present(column: str) -> Condition:
    """Rows of parties that work in the officer's region."""
    return lambda schema, table: (
        f'EXISTS (SELECT 1 FROM "{schema}".presence w WHERE w.party = "{table}"."{column}" '
        f"AND w.division >= {_LOW} AND w.division < {_HIGH})"
    )


def with_parent(parent: str, column: str) -> Condition:
    """Rows of an object that the reader sees: its own policy decides."""
    return lambda schema, table: (
        f'EXISTS (SELECT 1 FROM "{schema}"."{parent}" x WHERE x.id = "{table}"."{column}")'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoped:
    """Each role sees its own rows."""

    officer: Condition
    institution: Condition
    party: Condition

    @classmethod
    def like(cls, parent: str, column: str) -> Scoped:
        """Whoever sees the parent sees the row."""
        same = with_parent(parent, column)
        return cls(officer=same, institution=same, party=same)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """The table holds nothing of a single party: these columns are read by these roles, for the reason given."""

    columns: tuple[str, ...]
    reason: str
    roles: tuple[str, ...] = EVERYBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfReach:
    """No page reads the table, or only through a function in schema ops: no web role has any right to it."""

    reason: str


Sight = Scoped | Open | OutOfReach


def protection(schema: str, table: str, sight: Sight) -> list[str]:
    """SQL that closes a table and opens it again for each role: row security, grants, policies."""
    full = f'"{schema}"."{table}"'
    lines = [
        f"ALTER TABLE {full} ENABLE ROW LEVEL SECURITY;",
        f"CREATE POLICY whole ON {full} TO {', '.join(WHOLE)} USING (true) WITH CHECK (true);",
    ]
    if isinstance(sight, Open):
        columns, roles = ", ".join(f'"{name}"' for name in sight.columns), ", ".join(sight.roles)
        lines.append(f"GRANT SELECT ({columns}) ON {full} TO {roles};")
        lines.append(f"CREATE POLICY everybody ON {full} FOR SELECT TO {roles} USING (true);")
    elif isinstance(sight, Scoped):
        for role, condition in zip(SIGNED_IN, (sight.officer, sight.institution, sight.party), strict=True):
            lines.append(f"GRANT SELECT ON {full} TO {role};")
            lines.append(
                f"CREATE POLICY {role.removeprefix('plumb_')} ON {full} FOR SELECT TO {role} "
                f"USING ({condition(schema, table)});"
            )
    return lines
