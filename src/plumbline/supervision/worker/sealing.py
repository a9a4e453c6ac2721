"""Sealing the audit trail (审计记录封存): once a minute what is new in it is bound to the log, see :mod:`..journal.trail`."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import psycopg
from psycopg import errors

from plumbline.exchange.problems import Problem
from plumbline.supervision.journal import trail
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.worker.background import Background

#: So long an event may stand in the trail before the log holds it.
PERIOD_S = 60.0
#: Until it begins, and until it is tried again.
PAUSE_S = 5.0
_log = logging.getLogger("plumbline.worker")


class Sealing(Background):
    """Any number of workers may do it: an event belongs to one seal, a seal to one entry."""

    def __init__(self, conninfo: str, sender: PlatformSender, operator: str) -> None:
        super().__init__(conninfo, "sealing", pause_s=PAUSE_S, ends_in_s=5.0)
        self._sender, self._operator = sender, operator

    def round(self, conn: psycopg.Connection[Any]) -> int:
        """Enter what an earlier round could not, then seal what is new. Returns how many seals were entered; :class:`Problem` where the
        log takes none at the moment."""
        done = self._enter(conn)
        row = conn.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        try:
            made = trail.seal_new(conn, row[0], self._occurred_at(row[0]))
        except errors.UniqueViolation:  # another worker was first
            return done
        return done + (self._enter(conn) if made else 0)

    def _occurred_at(self, at: datetime) -> datetime:
        present = self._sender.present()
        return at if present is None else present

    def _enter(self, conn: psycopg.Connection[Any]) -> int:
        waiting = trail.to_enter(conn, bytes.fromhex(self._operator))
        for seal in waiting:
            self._sender.submit(seal.message(self._operator))
        return len(waiting)

    def follow(self, conn: psycopg.Connection[Any]) -> None:
        """A round a minute."""
        while True:
            try:
                self.round(conn)
            except Problem as problem:  # signing stopped, or the database is not to be had: sealed later
                _log.warning("the audit trail is not sealed yet: %s", problem.slug)
            if self._stop.wait(PERIOD_S):
                return
