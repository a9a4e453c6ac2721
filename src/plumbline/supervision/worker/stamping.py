"""Having checkpoints time-stamped (盖时间戳): each authority of `timestamps.toml` at its own interval, while the log grows."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from plumbline.sdk.timestamp.request import MAX_ANSWER
from plumbline.sdk.timestamp.token import StampProblem
from plumbline.supervision.fetch import FetchFailed, FetchRefused, client
from plumbline.supervision.journal.cosigning import newest_published
from plumbline.supervision.journal.outside_lists import ListProblem
from plumbline.supervision.journal.stamping import (
    SOURCES,
    StampSource,
    best_point,
    is_due,
    last_stamped,
    stamp,
)
from plumbline.supervision.worker.background import Background

PERIOD_S = 5.0
TIMEOUT_S = 10.0
#: An authority that failed is asked again after so long, in seconds: twice as long each time, up to the last.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 600.0
_log = logging.getLogger("plumbline.worker")

_KNOWN = """
INSERT INTO ops.stamp_authority (name, trust_domain, is_external, every, list_problem) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE SET trust_domain = EXCLUDED.trust_domain, is_external = EXCLUDED.is_external,
       every = EXCLUDED.every, list_problem = EXCLUDED.list_problem
"""
_STANDS = """
UPDATE ops.stamp_authority SET looked_at = clock_timestamp(), origin = %(origin)s, size = %(size)s, problem = %(problem)s,
       stamped_at = COALESCE(%(at)s::timestamptz, stamped_at),
       behind_since = CASE WHEN NOT %(behind)s THEN NULL WHEN %(at)s::timestamptz IS NULL
                           THEN LEAST(behind_since, clock_timestamp()) ELSE clock_timestamp() END
 WHERE name = %(name)s
"""


class StampRounds:
    """What one worker does about time stamps; the pauses of authorities that failed are its own."""

    def __init__(self, marks: Path) -> None:
        self._marks = marks
        #: name → (not before, on the monotonic clock; pause; problem)
        self._paused: dict[str, tuple[float, float, str]] = {}

    def round(self, conn: psycopg.Connection) -> None:
        """Look after every authority once; raises psycopg.Error."""
        sources, told = SOURCES.known(self._marks)
        if not told:
            self._remember()
        active = [each for each in sources if not each.retired]
        conn.execute(
            "DELETE FROM ops.stamp_authority WHERE name <> ALL(%s)", [[each.name for each in active]]
        )
        for each in active:
            every = timedelta(minutes=each.every_minutes)
            conn.execute(_KNOWN, [each.name, each.trust_domain, each.external, every, told[:300]])
            self._look(conn, each)

    def _remember(self) -> None:
        try:
            SOURCES.remember(self._marks)
        except (ListProblem, OSError) as problem:
            _log.error("timestamps: %s", problem)

    def _look(self, conn: psycopg.Connection, source: StampSource) -> None:
        newest, now = newest_published(conn), conn.execute("SELECT clock_timestamp()").fetchone()
        assert now is not None
        if newest is None:
            return
        size, last = last_stamped(conn, newest.origin, source.name)
        stamped: datetime | None = None
        not_before, pause, problem = self._paused.get(source.name, (0.0, 0.0, ""))
        if is_due(source, last, now[0]) and newest.head > size and time.monotonic() >= not_before:
            # A cosigner that is out of reach holds stamps up for one interval, no longer.
            patience = last is not None and timedelta(0) <= now[0] - last < 2 * timedelta(
                minutes=source.every_minutes
            )
            point = best_point(conn, newest, size, patience=patience)
            if point is not None:
                try:
                    with client([source.url], timeout_s=TIMEOUT_S, max_bytes=MAX_ANSWER + 1) as http:
                        stamped = stamp(conn, http, source, newest.origin, point).at
                    size, problem = point[0], ""
                    self._paused.pop(source.name, None)
                except (StampProblem, FetchFailed) as error:
                    is_told = isinstance(error, StampProblem | FetchRefused)
                    problem = str(error) if is_told else f"没有答复（{error}）"
                    _log.warning("time stamps of %s: %s", source.name, problem)
                    pause = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, pause * 2))
                    self._paused[source.name] = (time.monotonic() + pause, pause, problem)
        values = {"origin": newest.origin, "size": size, "problem": problem[:300], "at": stamped}
        conn.execute(_STANDS, values | {"behind": newest.head > size, "name": source.name})


class Stamping(Background):
    """A thread of its own. Any number of workers may do it: at worst a checkpoint more is stamped."""

    def __init__(self, conninfo: str, marks: Path) -> None:
        super().__init__(conninfo, "timestamps", pause_s=PERIOD_S)
        self._rounds = StampRounds(marks)

    def follow(self, conn: psycopg.Connection) -> None:
        """A round every few seconds."""
        while not self._stop.is_set():
            self._rounds.round(conn)
            self._stop.wait(PERIOD_S)
