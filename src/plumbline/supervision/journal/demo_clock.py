"""The clock of a demo (演示时钟): the host's, put forward by `plumbline demo time`; kept in the database, so that all processes agree.

Only a log whose origin begins `demo.` has one, which a trigger holds; everywhere else nothing is ahead and nothing is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

#: The rest of the platform asks with a connection of its own; the row makes a :class:`DemoClock` with :func:`clock_of`.
READ = "SELECT ahead, stopped_since, CASE WHEN telling THEN (SELECT last_time FROM journal.head) END FROM ops.demo_clock"
_AUDIT = "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) VALUES (%s, %s, 'demo_clock', 'done', 'cli')"


@dataclass(frozen=True, slots=True)
class DemoClock:
    """How far a demo's clock runs ahead, and what else its present depends on."""

    ahead: timedelta = timedelta(0)
    stopped_since: datetime | None = None
    #: While the demo's past is being told: the time of the log's newest entry, which is the present.
    story: datetime | None = None

    @property
    def is_set(self) -> bool:
        """Whether the present is the host's time plus `ahead`, also where the newest entry is old."""
        return bool(self.ahead) or self.stopped_since is not None

    def now(self) -> datetime:
        """The demo's present."""
        return self.story or self.received()

    def received(self) -> datetime:
        """When something arrives now: never of the story, because a stranger's uid and signature are of today."""
        return datetime.now(UTC) + self.ahead


def clock_of(row: tuple[Any, ...] | None) -> DemoClock:
    """The clock from a row of `READ`; the host's own where there is none."""
    return DemoClock(*row) if row else DemoClock()


def read_demo_clock(conn: psycopg.Connection[Any]) -> DemoClock:
    """The clock as it is set now."""
    with conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        return clock_of(cursor.execute(READ).fetchone())


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
    conn.execute(_AUDIT, [by, action])


def begin_telling(conn: psycopg.Connection, *, by: str) -> None:
    """From now on the log's newest entry is the present; does nothing where the clock was set, or the past told, before."""
    conn.execute("SET ROLE plumb_owner")
    begun = conn.execute(
        "INSERT INTO ops.demo_clock (telling, by_whom) VALUES (true, %s) ON CONFLICT (single) DO NOTHING",
        [by],
    )
    if begun.rowcount:
        conn.execute(_AUDIT, [by, "demo.telling"])


def end_telling(conn: psycopg.Connection, *, by: str) -> None:
    """The past is told: from now on the present is the host's time again."""
    conn.execute("SET ROLE plumb_owner")
    ended = conn.execute(
        "UPDATE ops.demo_clock SET telling = false, by_whom = %s, changed_at = clock_timestamp() WHERE telling",
        [by],
    )
    if ended.rowcount:
        conn.execute(_AUDIT, [by, "demo.told"])
