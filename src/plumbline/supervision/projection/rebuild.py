"""Rebuild and comparison (重建与比对): F and D tables made anew from the journal in a shadow schema, compared, swapped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from plumbline.supervision.projection.compare import TableDifference, differences
from plumbline.supervision.projection.projector import END, Projector
from plumbline.supervision.projection.schema import LIVE, NEXT, begin_rebuild, drop_shadow, stored_hash, swap

#: A view in a table's place, or a table without its columns, tells nothing: the comparison names it.
_TELLING = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
 WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind IN ('r', 'p')
   AND (c.relname, a.attname) IN (('position', 'id'), ('position', 'pos'), ('event', 'idx'), ('parked', 'idx'))
 GROUP BY c.relname HAVING count(*) = CASE c.relname WHEN 'position' THEN 2 ELSE 1 END
"""


class RebuildRefused(RuntimeError):
    """The rebuild is not made live; the message is one plain sentence."""


def _there(conn: psycopg.Connection) -> set[str]:
    """Which of the tables that tell how far the projection went, and what it left out, are there with the columns asked for."""
    rows = conn.execute(_TELLING, [LIVE]).fetchall()
    return {row[0] for row in rows}


def _position(conn: psycopg.Connection, *, lock: bool = False) -> int:
    """How far the live tables go. Who turned the position back, or took it away, left the events beyond it behind:
    the newest of them counts, so that the comparison names the position and not every table. A table that is gone
    tells nothing."""
    there = _there(conn)
    row = newest = None
    if "position" in there:
        statement = sql.SQL("SELECT pos FROM {} WHERE id = 'projector'").format(
            sql.Identifier(LIVE, "position")
        )
        row = conn.execute(statement + sql.SQL(" FOR UPDATE") if lock else statement).fetchone()
    if "event" in there:
        newest = conn.execute(
            sql.SQL("SELECT max(idx) FROM {}").format(sql.Identifier(LIVE, "event"))
        ).fetchone()
    beyond = newest[0] + 1 if newest and newest[0] is not None else 0
    return max(row[0] if row else 0, beyond)


def build_shadow(
    conninfo: dict[str, str], progress: Callable[[int], None] = lambda done: None
) -> tuple[Projector, int]:
    """Project the journal up to the live position into the shadow schema; returns its projector and how many entries."""
    begin_rebuild(conninfo["plumb_migrate"], datetime.now(UTC))
    with psycopg.connect(conninfo["plumb_projector"]) as conn:
        until = _position(conn)
    projector = Projector(conninfo["plumb_projector"], NEXT, until=until)
    total = 0
    while done := projector.step():
        total += done
        progress(total)
    return projector, total


def rebuild(
    conninfo: dict[str, str], progress: Callable[[int], None] = lambda done: None
) -> tuple[int, list[TableDifference] | None]:
    """Rebuild, report how the new tables differ from the old ones, and make them live: (entries, differences).

    The differences are None when the old tables come from another declaration, as after an upgrade: nobody can compare.

    The live tables are closed to the live projector from before they are compared until the schemas have changed
    names, in one transaction: no entry can go to the old ones in between. Raises :class:`RebuildRefused`, with the
    live tables as they were, when the rebuild cannot project what is projected live.
    """
    projector, total = build_shadow(conninfo, progress)
    try:
        with psycopg.connect(conninfo["plumb_migrate"]) as conn:
            conn.execute("SET ROLE plumb_owner")
            # Keeps every projector out (their SELECT … FOR UPDATE waits) and lets readers of the position go on.
            # Where somebody took the table away no projector goes on anyway.
            if "position" in _there(conn):
                conn.execute(f"LOCK TABLE {LIVE}.position IN EXCLUSIVE MODE".encode())
            projector.until = _position(conn)
            total += projector.catch_up()
            same = stored_hash(conn, LIVE) == stored_hash(conn, NEXT)
            found = differences(conn, LIVE, NEXT) if same else None
            _refuse_new_gaps(conn)
            projector.until = END
            total += projector.catch_up()
            swap(conn)
    except RebuildRefused:
        drop_shadow(conninfo["plumb_migrate"])
        raise
    finally:
        projector.close()
    return total, found


def _refuse_new_gaps(conn: psycopg.Connection) -> None:
    if "parked" not in _there(conn):
        return  # nobody can tell any more which gaps are new
    rows = conn.execute(
        f"SELECT idx, error FROM {NEXT}.parked WHERE idx NOT IN (SELECT idx FROM {LIVE}.parked) ORDER BY idx".encode()
    ).fetchall()
    if rows:
        raise RebuildRefused(
            f"重建后有 {len(rows)} 条入账投影不了，现在的表里却有（第一条：第 {rows[0][0]} 条，{rows[0][1]}）。"
            "没有换表，现在的表照旧使用。"
        )


def audit_projection(conninfo: dict[str, str]) -> list[TableDifference]:
    """Compare the live tables with a rebuild and throw the rebuild away: an edited F or D table is named (PROTOCOL §10).

    The live projector waits only while the shadow catches up the last entries; the comparison itself reads one
    snapshot of that moment.
    """
    projector, _ = build_shadow(conninfo)
    try:
        with psycopg.connect(conninfo["plumb_projector"]) as snapshot:
            snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with psycopg.connect(conninfo["plumb_projector"]) as hold:
                projector.until = _position(hold, lock=True)
                projector.catch_up()
                _position(snapshot)  # the snapshot is taken here, while nothing moves
            return differences(snapshot, LIVE, NEXT)
    finally:
        projector.close()
        drop_shadow(conninfo["plumb_migrate"])
