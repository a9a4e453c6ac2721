"""Sealing the audit trail (审计记录封存): once a minute what is new in it is bound to the log, see :mod:`..journal.trail`."""

from __future__ import annotations

import logging
from typing import Any

import psycopg

from plumbline.exchange.problems import Problem
from plumbline.supervision.journal import trail
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.worker.background import Background

#: So long an event may stand in the trail before the log holds it.
PERIOD_S = 60.0
#: Until it begins, and until it is tried again.
PAUSE_S = 5.0
#: Of the advisory lock under which one worker seals.
_LOCK = 0x7472_6169
_log = logging.getLogger("plumbline.worker")


class Sealing(Background):
    """Any number of workers may do it: an event belongs to one seal, a seal to one entry."""

    def __init__(self, conninfo: str, sender: PlatformSender, operator: str) -> None:
        super().__init__(conninfo, "sealing", pause_s=PAUSE_S, ends_in_s=5.0)
        self._sender, self._operator = sender, operator

    def round(self, conn: psycopg.Connection[Any]) -> int:
        """Enter what an earlier round could not, then seal what is new, by one worker at a time. Returns how many seals were entered;
        :class:`Problem` where the log takes none at the moment."""
        if not _one(conn, "SELECT pg_try_advisory_lock(%s)", [_LOCK]):
            return 0
        try:
            done = self._enter(conn)
            at = _one(conn, "SELECT clock_timestamp()", [])
            occurred_at = self._sender.present() or at
            made = trail.seal_new(conn, at, occurred_at, even_nothing=trail.is_quiet(conn, at))
            while made is not None:  # each is in the log before the next one is made
                done += self._enter(conn)
                is_full = made.events == trail.MOST_EVENTS
                made = trail.seal_new(conn, at, occurred_at) if is_full else None
            return done
        finally:
            _one(conn, "SELECT pg_advisory_unlock(%s)", [_LOCK])

    def _enter(self, conn: psycopg.Connection[Any]) -> int:
        now, done, sender = _one(conn, "SELECT clock_timestamp()", []), 0, bytes.fromhex(self._operator)
        trail.note_entered(conn, sender)  # a worker that died behind its entry has not
        for seal in trail.to_enter(conn, sender):
            if fault := trail.fault_of(conn, seal, now):
                _log.error("seal %s of the audit trail is made anew: %s", seal.number, fault)
                trail.drop(conn, seal, sender)
                continue
            self._sender.submit(seal.message(self._operator))
            done += 1
        trail.note_entered(conn, sender)
        return done

    def follow(self, conn: psycopg.Connection[Any]) -> None:
        """A round a minute."""
        while True:
            try:
                self.round(conn)
            except Problem as problem:  # signing stopped, or the database is not to be had: sealed later
                _log.warning("the audit trail is not sealed yet: %s", problem.slug)
            if self._stop.wait(PERIOD_S):
                return


def _one(conn: psycopg.Connection[Any], query: str, values: list[object]) -> Any:
    row = conn.execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]
