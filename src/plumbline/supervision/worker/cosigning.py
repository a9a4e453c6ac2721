"""Keeping the cosigners up to date (送联署): once a second each is sent what is new (PROTOCOL §2.6)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg

from plumbline.supervision.fetch import Fetcher, FetchFailed, FetchRefused
from plumbline.supervision.journal.cosigners import (
    Configured,
    CosignersProblem,
    known_cosigners,
    remember_cosigners,
)
from plumbline.supervision.journal.cosigning import (
    NotCosigned,
    Published,
    cosign,
    in_use,
    last_cosigned,
    newest_published,
)

PERIOD_S = 1.0
#: How long the first round may hold up a worker that starts.
FIRST_ROUND_S = 6.0
#: A cosigner that did not answer is asked again after so long, in seconds: twice as long each time, up to the last.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 5.0
_log = logging.getLogger("plumbline.worker")

#: Since when something waits is never later than now: a clock that was wrong and put right must not hide it.
_SEEN = """
UPDATE ops.cosigner SET looked_at = clock_timestamp()
 WHERE name = %s AND looked_at NOT BETWEEN clock_timestamp() - interval '5 seconds' AND clock_timestamp()
"""
_WAITS = """
UPDATE ops.cosigner SET looked_at = clock_timestamp(), behind_since = LEAST(behind_since, clock_timestamp()), problem = %s
 WHERE name = %s
"""
#: Who is on the list and retired in the log is not asked, and counts as behind like anybody who did not sign.
_RETIRED = "公钥在日志里已经停用，不再送检查点：请在这台主机上也执行 cosigners remove 或 add"
_DONE = """
UPDATE ops.cosigner SET looked_at = clock_timestamp(), origin = %(origin)s, size = %(size)s, problem = %(problem)s,
       cosigned_at = COALESCE(%(at)s, cosigned_at),
       behind_since = CASE WHEN (SELECT size FROM journal.head) > %(size)s
                           THEN LEAST(COALESCE(%(since)s, behind_since), clock_timestamp()) END
 WHERE name = %(name)s
"""
_KNOWN = """
INSERT INTO ops.cosigner (name, trust_domain, is_external, list_problem) VALUES (%s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE SET trust_domain = EXCLUDED.trust_domain, is_external = EXCLUDED.is_external,
       list_problem = EXCLUDED.list_problem, looked_at = clock_timestamp()
"""


class Follower:
    """What is sent to one cosigner, over a database connection of its own."""

    def __init__(self, conninfo: str, cosigner: Configured, http: Fetcher) -> None:
        self.cosigner = cosigner
        self._conninfo, self._http = conninfo, http
        self._conn: psycopg.Connection | None = None

    def round(self) -> bool:
        """Send what is new, if anything; False when it has to be tried again. Raises psycopg.Error."""
        conn = self._connected()
        began = conn.execute("SELECT clock_timestamp()").fetchone()
        point = newest_published(conn)
        assert began is not None
        if point is None:
            conn.execute(_WAITS, ["这一期日志还没有发布检查点", self.cosigner.name])
            return True
        cosigner = in_use(conn, self.cosigner)
        if cosigner is None:
            conn.execute(_WAITS, [_RETIRED, self.cosigner.name])
            return True
        if last_cosigned(conn, point.origin, cosigner) >= point.size:
            self._done(conn, point, None, None)
            return True
        try:
            given = cosign(conn, self._http, cosigner, point)
        except (NotCosigned, FetchFailed, LookupError) as error:
            is_told = isinstance(error, NotCosigned | FetchRefused)
            told = (
                str(error)
                if is_told
                else f"没有答复（{error if isinstance(error, FetchFailed) else type(error).__name__}）"
            )
            _log.warning("cosigner %s: %s", self.cosigner.name, told)
            conn.execute(_WAITS, [told[:300], self.cosigner.name])
            return False
        if given.missing:
            _log.warning("cosigner %s: %s", self.cosigner.name, given.missing)
        self._done(conn, point, given.at, began[0], given.missing)
        return not given.missing

    def _done(
        self,
        conn: psycopg.Connection,
        point: Published,
        at: datetime | None,
        since: datetime | None,
        problem: str = "",
    ) -> None:
        """The cosigner has signed `point`, if not with every key; what came after it has waited since this round began at most."""
        if at is None and point.head <= point.size:
            row = conn.execute(
                "SELECT 1 FROM ops.cosigner WHERE name = %s AND behind_since IS NULL AND size = %s AND origin = %s AND problem = ''",
                [self.cosigner.name, point.size, point.origin],
            ).fetchone()
            if row is not None:
                conn.execute(_SEEN, [self.cosigner.name])
                return
        values = {
            "name": self.cosigner.name,
            "origin": point.origin,
            "size": point.size,
            "at": at,
            "since": since,
            "problem": problem[:300],
        }
        conn.execute(_DONE, values)

    def _connected(self) -> psycopg.Connection:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg.connect(self._conninfo, autocommit=True)
        return self._conn

    def close(self) -> None:
        """Drop the connection."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None
        self._http.close()


class _Thread:
    """One cosigner's rounds; a slow one holds up nobody else."""

    def __init__(self, follower: Follower, wait: Callable[[float], bool]) -> None:
        self._follower, self._ended, self._wait = follower, threading.Event(), wait
        #: The first round is over, well or not.
        self.looked = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"cosign {follower.cosigner.name}", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        pause = 0.0
        while not self._wait(pause) and not self._ended.is_set():
            pause = max(pause, PERIOD_S)
            try:
                pause = (
                    PERIOD_S
                    if self._follower.round()
                    else min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, pause * 2))
                )
            except psycopg.Error as error:
                _log.warning("cosigning is tried again: %s %s", type(error).__name__, error)
                self._follower.close()
            except Exception:  # whatever one cosigner answered, it is asked again
                _log.exception("cosigning is tried again")
                self._follower.close()
            self.looked.set()
        self._follower.close()


class Cosigning:
    """Follows `cosigners.toml`: who is added is asked at once, who is removed is forgotten. Any number of workers may do it."""

    def __init__(self, conninfo: str, marks: Path) -> None:
        self._conninfo, self._marks = conninfo, marks
        self._threads: dict[Configured, _Thread] = {}
        self._stop = threading.Event()
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="cosigners", daemon=True)

    def start(self) -> None:
        """One round with every cosigner, so that no code is withheld for the time that the platform was off; then go on by itself."""
        self.look(first=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def look(self, *, first: bool = False) -> None:
        """Read the list and act on what changed; a list that cannot be read leaves things as they are."""
        wanted, told = known_cosigners(self._marks)
        if set(wanted) == set(self._threads) and told == self._problem and not first:
            return
        try:
            if not told:
                remember_cosigners(self._marks)
            self._register(wanted, told)
        except (CosignersProblem, psycopg.Error, OSError) as problem:
            _log.error("cosigners: %s", problem)
            return
        if told:
            _log.error("cosigners: %s", told)
        self._problem = told
        for gone in set(self._threads) - set(wanted):
            self._threads.pop(gone).end()
        for each in wanted:
            if each not in self._threads:
                self._threads[each] = _Thread(
                    Follower(self._conninfo, each, Fetcher([each.url])), self._stop.wait
                )
        until = time.monotonic() + FIRST_ROUND_S
        for thread in self._threads.values() if first else ():
            thread.looked.wait(max(0.0, until - time.monotonic()))

    def _register(self, wanted: tuple[Configured, ...], list_problem: str = "") -> None:
        with psycopg.connect(self._conninfo) as conn:
            if wanted or not list_problem:
                conn.execute(
                    "DELETE FROM ops.cosigner WHERE name <> ALL(%s)", [[each.name for each in wanted]]
                )
            else:  # a list that nobody can read takes no cosigner away, and with it the limit on how far behind it may be
                conn.execute("UPDATE ops.cosigner SET list_problem = %s", [list_problem[:300]])
            for each in wanted:
                conn.execute(_KNOWN, [each.name, each.trust_domain, each.external, list_problem[:300]])

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self.look()
