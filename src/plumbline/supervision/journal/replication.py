"""Commits that nobody confirmed (未经确认的提交): what a cancelled wait for a synchronous standby leaves, and how a head is made sure.

A COMMIT whose wait was cancelled reports success, and every session sees its rows; after a failover they may be gone. So nothing may be
signed over them until a later commit was confirmed: standbys confirm in the order of the write-ahead log.
"""

from __future__ import annotations

import psycopg

#: Warnings under which a COMMIT reports success although no standby has confirmed it: a cancelled wait, a shutdown.
DOUBTFUL_COMMIT = frozenset({"01000", "57P01"})


class CommitUnknown(psycopg.OperationalError):
    """COMMIT returned, but with a warning that takes its meaning away: nothing may be signed (PROTOCOL §2.4)."""


class Doubts:
    """Listens to the warnings of one connection."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._text = ""
        conn.add_notice_handler(self._notice)

    def _notice(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.sqlstate in DOUBTFUL_COMMIT:
            self._text = f"{notice.sqlstate} {notice.message_primary}"

    def clear(self) -> None:
        """Forget what was heard; called before a transaction begins."""
        self._text = ""

    def require_none(self) -> None:
        """Raise :class:`CommitUnknown` when a doubtful commit was heard of since."""
        if self._text:
            raise CommitUnknown(self._text)


def require_replicated(conn: psycopg.Connection) -> None:
    """Return when all that this autocommit connection has seen is confirmed by the standbys; at once where there are none.

    Our own commit, of one small record in the write-ahead log, is confirmed after all that came before it. Raises
    :class:`CommitUnknown` when the wait is cancelled.
    """
    row = conn.execute("SELECT current_setting('synchronous_standby_names')").fetchone()
    if row is None or not row[0]:
        return
    doubts = Doubts(conn)
    conn.execute("SELECT pg_logical_emit_message(true, 'plumb', '')")
    doubts.require_none()
