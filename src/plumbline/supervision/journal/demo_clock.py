"""The clock of a demo (演示时钟): the host's, put forward by `plumbline demo time`; kept in the database, so that all processes agree.

Only a log whose origin begins `demo.` has one, which a trigger holds; everywhere else nothing is ahead and nothing is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

#: The rest of the platform asks with a connection of its own.
READ = "SELECT ahead, stopped_since FROM ops.demo_clock"


@dataclass(frozen=True, slots=True)
class DemoClock:
    """How far a demo's clock runs ahead; `is_set` once somebody has put it forward or stopped the platform."""

    ahead: timedelta = timedelta(0)
    stopped_since: datetime | None = None
    is_set: bool = False

    def now(self) -> datetime:
        """The demo's present."""
        return datetime.now(UTC) + self.ahead


def read_demo_clock(conn: psycopg.Connection) -> DemoClock:
    """The clock as it is set now."""
    with conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        row = cursor.execute(READ).fetchone()
    return DemoClock(row[0], row[1], is_set=True) if row else DemoClock()


def set_demo_clock(
    conn: psycopg.Connection, *, by: str, ahead: timedelta, stopped_since: datetime | None, action: str
) -> None:
    """Set it as plumb_owner, with an audit event; psycopg's InsufficientPrivilege when the log is no demo or the clock would go back."""
    conn.execute("SET ROLE plumb_owner")
    conn.execute(
        "INSERT INTO ops.demo_clock (ahead, stopped_since, by_whom) VALUES (%s, %s, %s) ON CONFLICT (single) DO UPDATE SET "
        "ahead = excluded.ahead, stopped_since = excluded.stopped_since, by_whom = excluded.by_whom, changed_at = clock_timestamp()",
        [ahead, stopped_since, by],
    )
    conn.execute(
        "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) VALUES (%s, %s, 'demo_clock', 'done', 'cli')",
        [by, action],
    )
