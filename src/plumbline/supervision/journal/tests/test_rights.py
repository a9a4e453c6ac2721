"""Every right in the database (全部权限清单): tables, views, partitions and functions, grants and policies, against a list that is kept.

When a right changes on purpose, write the list anew and read the difference: ``PLUMB_WRITE_RIGHTS=1`` with this test.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from plumbline.supervision.projection.sights import EVERYBODY, SIGNED_IN, Open, OutOfReach, Scoped
from plumbline.supervision.projection.tables import TABLES

pytestmark = pytest.mark.service
KEPT = Path(__file__).with_name("rights.txt")
SCHEMAS = ["fact", "journal", "ops", "plumb", "public"]
_RELATIONS = """
SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relkind::text, c.relispartition, c.relrowsecurity, pg_get_userbyid(c.relowner),
       coalesce(array_to_string(c.reloptions, ' '), '')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 2
"""
_GRANTS = """
SELECT pg_get_userbyid(a.grantee), a.privilege_type, '' FROM pg_class c, aclexplode(c.relacl) a
 WHERE c.oid = %(oid)s AND a.grantee <> c.relowner
UNION ALL
SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, t.attname
  FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = %(oid)s
"""
_POLICIES = (
    "SELECT polname, polcmd::text, polpermissive, ARRAY(SELECT pg_get_userbyid(r) FROM unnest(polroles) r ORDER BY 1), "
    "pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = %s ORDER BY polname"
)
_FUNCTIONS = """
SELECT p.oid::regprocedure::text, pg_get_userbyid(p.proowner), p.prosecdef, coalesce(array_to_string(p.proconfig, ' '), ''),
       coalesce(ARRAY(SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END FROM
       aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee <> p.proowner ORDER BY 1), '{}')
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%s) ORDER BY 1
"""


@pytest.fixture
def owner(untouched_platform) -> Iterator[psycopg.Connection]:
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        yield conn
        conn.rollback()


def _grants(conn: psycopg.Connection, oid: int) -> list[str]:
    found: dict[tuple[str, str], set[str]] = {}
    for who, right, column in conn.execute(_GRANTS, {"oid": oid}).fetchall():
        found.setdefault((who, right), set()).add(column)
    lines = [
        f"{who} {right}" + ("" if "" in columns else f" ({', '.join(sorted(columns))})")
        for (who, right), columns in found.items()
    ]
    return sorted(lines)


def _described(conn: psycopg.Connection) -> tuple[str, list[str]]:
    """The list, and the names of everything that is a partition."""
    lines, partitions = [], []
    for oid, name, kind, is_partition, secured, owned_by, options in conn.execute(
        _RELATIONS, [SCHEMAS]
    ).fetchall():
        policies = conn.execute(_POLICIES, [oid]).fetchall()
        if is_partition:
            partitions.append(name)
            name = re.sub(r"_\d+$", "_*", name)
        lines.append(
            f"{name} [{kind}] {owned_by}{' rows' if secured else ''}{' ' + options if options else ''}"
        )
        lines += [f"    {grant}" for grant in _grants(conn, oid)]
        for policy, command, permissive, roles, condition in policies:
            said = " ".join(condition.split())
            lines.append(
                f"    {policy} {command} {'' if permissive else 'restrictive '}TO {' '.join(roles)}: {said}"
            )
    for name, owned_by, definer, config, allowed in conn.execute(_FUNCTIONS, [SCHEMAS]).fetchall():
        lines.append(f"{name} {owned_by}{' definer ' + config if definer else ''}: {' '.join(allowed)}")
    blocks = "\n".join(lines).replace("\n    ", "\0").split("\n")
    return "\n".join(dict.fromkeys(blocks)).replace("\0", "\n    ") + "\n", partitions


def test_every_right_is_on_the_list_and_nothing_else(owner) -> None:
    described, partitions = _described(owner)
    if os.environ.get("PLUMB_WRITE_RIGHTS"):
        KEPT.write_text(described, "utf-8")
    assert described.splitlines() == KEPT.read_text("utf-8").splitlines()
    assert len(partitions) > 20


def test_no_partition_has_a_grant_or_a_policy(owner) -> None:
    _, partitions = _described(owner)
    for name in partitions:
        (oid,) = owner.execute("SELECT %s::regclass::oid", [name]).fetchone()
        assert _grants(owner, oid) == []
        assert owner.execute(_POLICIES, [oid]).fetchall() == []


def test_a_view_reads_in_the_role_of_whoever_asks(owner) -> None:
    views = owner.execute(
        "SELECT c.oid::regclass::text, coalesce(c.reloptions, '{}') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = ANY(%s) AND c.relkind IN ('v', 'm')",
        [SCHEMAS],
    ).fetchall()
    assert [name for name, options in views if "security_invoker=true" not in options] == []


def test_nothing_is_granted_by_default(owner) -> None:
    assert owner.execute("SELECT count(*) FROM pg_default_acl").fetchone() == (0,)


def test_no_role_passes_row_security_and_web_inherits_nothing(owner) -> None:
    strong = owner.execute(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'plumb_%' AND (rolsuper OR rolbypassrls OR rolcreaterole)"
    ).fetchall()
    assert strong == []
    inherits = owner.execute(
        "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = 'plumb_web'::regrole "
        "AND pg_has_role('plumb_web', m.roleid, 'USAGE')"
    ).fetchall()
    assert inherits == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_who_sees_it(owner, name: str) -> None:
    sight = TABLES[name].sight
    assert isinstance(sight, Scoped | Open | OutOfReach)
    secured, oid = owner.execute(
        "SELECT relrowsecurity, oid FROM pg_class WHERE oid = %s::regclass", [f"fact.{name}"]
    ).fetchone()
    assert secured
    policies = owner.execute(_POLICIES, [oid]).fetchall()
    roles = [role for _, _, _, named, _ in policies for role in named]
    assert len(roles) == len(set(roles)), "two permissive policies of one role are an OR"
    assert all(" OR " not in condition for *_, condition in policies)
    expected = {Scoped: set(SIGNED_IN), OutOfReach: set()}.get(type(sight), set(getattr(sight, "roles", ())))
    assert set(roles) & set(EVERYBODY) == expected


@pytest.mark.parametrize("role", ["plumb_web", *EVERYBODY])
def test_a_partition_opened_directly_is_refused(untouched_platform, owner, role: str) -> None:
    partitions = [name for name in _described(owner)[1] if name.startswith("fact.")]
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_web"), autocommit=True) as conn:
        conn.execute(f"SET ROLE {role}".encode())
        for name in partitions:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(f"SELECT 1 FROM {name}".encode())


@pytest.mark.parametrize("table", TABLES)
def test_the_login_of_web_reads_no_fact(untouched_platform, table: str) -> None:
    with (
        psycopg.connect(untouched_platform.platform.conninfo("plumb_web")) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(f"SELECT 1 FROM fact.{table}".encode())


@pytest.mark.parametrize("role", SIGNED_IN)
@pytest.mark.parametrize("table", [name for name, t in TABLES.items() if isinstance(t.sight, Scoped)])
def test_without_a_scope_no_row_is_seen(untouched_platform, table: str, role: str) -> None:
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_web")) as conn:
        conn.execute(f"SET LOCAL ROLE {role}".encode())
        assert conn.execute(f"SELECT count(*) FROM fact.{table}".encode()).fetchone() == (0,)
