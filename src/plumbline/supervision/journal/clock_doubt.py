"""Whether the clock is in doubt (时钟存疑), asked by those who publish checkpoints: others would attest them at a wrong time."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from plumbline.supervision.journal.clock import CLOCKS, ClockProblem, ClockWatch, Confirmed, boot_id
from plumbline.supervision.journal.demo_clock import read_demo_clock


class ClockDoubt:
    """Asks what the journal asks before it appends. For one thread at a time."""

    def __init__(self) -> None:
        self._watch = ClockWatch(datetime.now(UTC))

    def told(self, conn: psycopg.Connection) -> str:
        """Why the clock is not to be trusted now; empty while it is. A demo that tells its past has no present."""
        clock = read_demo_clock(conn)
        row = conn.execute(CLOCKS, {"boot": boot_id()}).fetchone()
        if row is None or clock.story is not None:
            return ""
        try:
            self._watch.check(row[0], row[1], datetime.now(UTC), confirmed=Confirmed.of(row[2:6]))
        except ClockProblem as problem:
            return str(problem)
        return ""
