"""Making and swapping schema `fact` (事实库的建立与换代): versioned by the hash of its declaration, rebuilt and never migrated."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
from psycopg import errors, sql

from plumbline.domain.basics.calendar import local_date
from plumbline.supervision.projection.ddl import code_partition, ddl, declaration_hash

LIVE, NEXT, OLD = "fact", "fact_next", "fact_old"


MONTHS_AHEAD = 3


def code_months(first: datetime, now: datetime, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Prefixes YYMM of the months for which the code table has partitions: from `first` to `ahead` months after `now`."""
    start, end = (local_date(each) for each in (min(first, now), now))
    months = range(start.year * 12 + start.month - 1, end.year * 12 + end.month + ahead)
    return [f"{index // 12 % 100:02d}{index % 12 + 1:02d}" for index in months]


def _log_began(conn: psycopg.Connection, now: datetime) -> datetime:
    """When entry 0 was logged. Before there is one: thirteen months ago, since a demo log is dated back when it opens."""
    row = conn.execute("SELECT logged_at FROM journal.leaf WHERE epoch = 1 AND idx = 0").fetchone()
    return row[0] if row else now - timedelta(days=400)


def stored_hash(conn: psycopg.Connection, schema: str = LIVE) -> str | None:
    """The declaration hash that a schema was made from, or None when there is no such schema."""
    row = conn.execute("SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", [schema]).fetchone()
    return row[0] if row else None


def create(conn: psycopg.Connection, schema: str, now: datetime) -> None:
    """Make an empty schema from the declaration, at position 0."""
    conn.execute(ddl(schema, code_months(_log_began(conn, now), now)).encode())
    conn.execute(
        sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(declaration_hash()))
    )
    conn.execute(
        sql.SQL("INSERT INTO {} (id, epoch, pos) VALUES ('projector', 1, 0)").format(
            sql.Identifier(schema, "position")
        )
    )


def ensure_fact_schema(migrate_conninfo: str, now: datetime) -> bool:
    """Make the live schema when there is none and the coming months' partitions; True when the declaration changed and a rebuild is due."""
    with psycopg.connect(migrate_conninfo) as conn:
        conn.execute("SET ROLE plumb_owner")
        known = stored_hash(conn)
        if known is None:
            create(conn, LIVE, now)
            return False
    ensure_code_partitions(migrate_conninfo, now)
    return known != declaration_hash()


def ensure_code_partitions(migrate_conninfo: str, now: datetime) -> list[str]:
    """Make the code partitions that are missing, from the month of entry 0 to three months ahead; returns their months.

    Those that are there cost a look and no lock. A busy table is tried again, a tenth of a second at most each time.
    """
    made = []
    with psycopg.connect(migrate_conninfo, autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("SET lock_timeout = '100ms'")
        for month in code_months(_log_began(conn, now), now):
            row = conn.execute("SELECT to_regclass(%s)", [f"{LIVE}.code_{month}"]).fetchone()
            if row is None or row[0] is None:
                _make_code_partition(conn, month)
                made.append(month)
    return made


def _make_code_partition(conn: psycopg.Connection, month: str, attempts: int = 20) -> None:
    for attempt in range(attempts):
        try:
            conn.execute(code_partition(LIVE, "code", month).encode())
            return
        except errors.LockNotAvailable:
            if attempt == attempts - 1:
                raise


def begin_rebuild(migrate_conninfo: str, now: datetime) -> None:
    """A fresh shadow schema; what an interrupted rebuild left behind is dropped."""
    with psycopg.connect(migrate_conninfo) as conn:
        conn.execute("SET ROLE plumb_owner")
        for name in (NEXT, OLD):
            conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
        create(conn, NEXT, now)


def drop_shadow(migrate_conninfo: str) -> None:
    """Throw the shadow schema away."""
    with psycopg.connect(migrate_conninfo) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute(f"DROP SCHEMA IF EXISTS {NEXT} CASCADE".encode())


def swap(conn: psycopg.Connection) -> None:
    """Make the shadow schema live by rename and drop the old one, in the caller's transaction as plumb_owner.

    Both in one transaction: whoever waited for a table of the old schema must find it gone, and not write into it.
    """
    conn.execute(f"ALTER SCHEMA {LIVE} RENAME TO {OLD}".encode())
    conn.execute(f"ALTER SCHEMA {NEXT} RENAME TO {LIVE}".encode())
    conn.execute(f"DROP SCHEMA {OLD} CASCADE".encode())
