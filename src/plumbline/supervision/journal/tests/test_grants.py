"""Who may touch what: the grants of every table and partition are listed here and nowhere else (数据库权限)."""

from __future__ import annotations

import psycopg
import pytest

pytestmark = pytest.mark.service

_GRANTS = """
SELECT grantee, table_schema || '.' || table_name, string_agg(privilege_type, ',' ORDER BY privilege_type)
  FROM information_schema.role_table_grants
 WHERE table_schema IN ('journal', 'ops', 'fact', 'public', 'plumb') AND grantee NOT IN ('plumb_owner', 'plumb_definer', 'postgres')
 GROUP BY 1, 2
"""
_JOURNAL = {"entry", "leaf", "node", "claim", "checkpoint", "cosignature", "stamp", "anchor"}
_KEPT = _JOURNAL | {"head", "epoch"}


@pytest.fixture
def grants(untouched_platform):
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        return {(who, table): rights for who, table, rights in conn.execute(_GRANTS).fetchall()}


@pytest.mark.clause("CECS 8.3.3", "BJ 8.3.2")
def test_facts_are_written_by_the_projector_alone(grants) -> None:
    writers = {
        who for (who, table), rights in grants.items() if table.startswith("fact.") and rights != "SELECT"
    }
    assert writers == {"plumb_projector"}
    assert sorted(table for who, table in grants if who == "plumb_web") == [
        "ops.applied_key",
        "ops.audit_event",
        "ops.job",
        "ops.key_application",
        "ops.key_rotation",
        "ops.process",
        "ops.proposal",
        "ops.sandbox_passed",
        "ops.trail_seal",
        "ops.trail_sealed",
    ]


@pytest.mark.clause("BJ 8.3.2")
def test_the_journal_takes_inserts_from_the_gateway_and_nothing_else(grants) -> None:
    for name in _JOURNAL:
        assert grants["plumb_gateway", f"journal.{name}"] == "INSERT,SELECT"
    others = {
        rights
        for (who, table), rights in grants.items()
        if table.startswith("journal.") and who != "plumb_gateway"
    }
    assert others == {"SELECT"}
    assert grants["plumb_gateway", "journal.epoch"] == "SELECT"


def test_the_gateway_cannot_move_the_head_to_another_epoch(untouched_platform) -> None:
    with (
        psycopg.connect(untouched_platform.platform.conninfo("plumb_gateway")) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("UPDATE journal.head SET epoch = 2, size = 0")


@pytest.mark.parametrize(
    "change", ["epoch = epoch + 1", "epoch = epoch + 1, size = 1", "epoch = epoch - 1, size = 0", "size = 0"]
)
def test_even_the_owner_moves_the_head_only_on_or_to_the_start_of_a_later_epoch(
    untouched_platform, change: str
) -> None:
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        if change == "epoch = epoch + 1, size = 1":
            conn.execute("UPDATE journal.head SET size = 2")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"UPDATE journal.head SET {change}".encode())


def test_no_partition_is_granted_to_anybody(grants) -> None:
    partitions = [table for _, table in grants if table.startswith(("journal.entry_", "fact.code_"))]
    assert partitions == []


@pytest.mark.parametrize("table", sorted(_KEPT))
@pytest.mark.parametrize(
    "verb", ["UPDATE journal.{} SET {} = {}", "DELETE FROM journal.{}", "TRUNCATE journal.{}"]
)
def test_even_the_owner_cannot_change_the_journal(untouched_platform, table: str, verb: str) -> None:
    column = {
        "entry": "key_id",
        "leaf": "epoch",
        "node": "epoch",
        "claim": "kind",
        "checkpoint": "note",
        "cosignature": "line",
        "stamp": "name",
        "anchor": "name",
        "head": "size",
        "epoch": "kept_size",
    }[table]
    value = "size - 1" if table == "head" else column
    statement = verb.format(table, column, value)
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("INSERT INTO journal.node VALUES (1, 8, 0, sha256('n'))")
        conn.execute("INSERT INTO journal.claim VALUES ('k', 'V', decode(repeat('00', 16), 'hex'))")
        conn.execute("INSERT INTO journal.checkpoint VALUES ('o', 1, 'n')")
        conn.execute("INSERT INTO journal.cosignature VALUES ('o', 1, 'n', '\\x00000000', 'l', now())")
        conn.execute("INSERT INTO journal.stamp VALUES ('o', 1, 'n', '\\x00', now())")
        conn.execute(
            "INSERT INTO journal.anchor VALUES ('o', 1, 'n', decode(repeat('00', 112), 'hex'), now())"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement.encode())


def test_a_temporary_table_cannot_answer_for_the_public_function(untouched_platform) -> None:
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_web")) as conn:
        conn.execute("SET ROLE plumb_public")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("CREATE TEMP TABLE code (id text)")


@pytest.mark.parametrize("function", ["ops.verify", "ops.verify_briefly"])
def test_the_public_sees_two_functions_and_no_table(untouched_platform, function) -> None:
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_web"), autocommit=True) as conn:
        conn.execute("SET ROLE plumb_public")
        assert conn.execute(f"SELECT count(*) FROM {function}(ARRAY['x'])".encode()).fetchone() == (0,)
        for table in ("fact.code", "ops.personal", "journal.entry"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(f"SELECT 1 FROM {table}".encode())
        # one row of 101 columns counts as 101
        for bounds in ("101", "1, 101"):
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                conn.execute(f"SELECT * FROM {function}(array_fill('x'::text, ARRAY[{bounds}]))".encode())


def test_only_the_owner_sets_the_clock_of_a_demo_and_only_forward(untouched_platform) -> None:
    set_clock = "INSERT INTO ops.demo_clock (ahead, by_whom) VALUES (%s, 'test')"
    for role in ("plumb_gateway", "plumb_worker", "plumb_web"):
        with (
            psycopg.connect(untouched_platform.platform.conninfo(role)) as conn,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            conn.execute(set_clock, ["1 hour"])
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute(set_clock, ["1 hour"])
        conn.execute("UPDATE ops.demo_clock SET ahead = '2 hours'")
        for backwards in ("UPDATE ops.demo_clock SET ahead = '1 hour'", "DELETE FROM ops.demo_clock"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
                conn.execute(backwards.encode())
        conn.rollback()
