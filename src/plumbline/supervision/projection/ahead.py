"""Reading ahead (预读): while one set is projected and written, the next one is fetched and opened on a connection of its own.

Journal rows never change and come in the order of the log, so that what was read a moment earlier is what would be read now.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import psycopg

from plumbline.supervision.projection.entries import Entry, connect, next_entries

_log = logging.getLogger("plumbline.projector")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The entries of an epoch from index `start` on, below `end`, at most so many."""

    epoch: int
    start: int
    end: int
    most: int


class _Reading(threading.Thread):
    """One set on its way."""

    def __init__(self, conn: psycopg.Connection, wanted: Wanted) -> None:
        super().__init__(name="read-ahead", daemon=True)
        self.wanted = wanted
        self.found: list[Entry] = []
        self._conn = conn

    def run(self) -> None:
        wanted = self.wanted
        try:
            self.found = next_entries(self._conn, wanted.epoch, wanted.start, wanted.end, wanted.most)
        except Exception as error:  # whoever asks for the set reads it again, and is told
            _log.warning("reading ahead failed: %s", type(error).__name__)


class Ahead:
    """At most one set is read ahead. Not safe between threads: it belongs to one projector."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._conn: psycopg.Connection | None = None
        self._reading: _Reading | None = None

    def begin(self, wanted: Wanted) -> None:
        """Read this set now; does nothing while another one is on its way or has not been taken, or where there is no connection or
        thread to be had: then it is read when it is due."""
        if self._reading is not None:
            return
        try:
            if self._conn is None or self._conn.closed:
                self._conn = connect(self._conninfo)
            reading = _Reading(self._conn, wanted)
            reading.start()
        except (psycopg.Error, RuntimeError) as error:
            _log.warning("nothing is read ahead: %s", type(error).__name__)
        else:
            self._reading = reading

    def take(self, epoch: int, start: int, end: int) -> list[Entry]:
        """What was read from there on, waiting for it; empty when it is not there, and forgotten when it is of another place."""
        reading, self._reading = self._reading, None
        if reading is None:
            return []
        reading.join()
        wanted = reading.wanted
        return reading.found if (wanted.epoch, wanted.start, wanted.end) == (epoch, start, end) else []

    def close(self) -> None:
        """Forget what was read and drop the connection."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.join()
        if self._conn is not None:
            self._conn.close()
            self._conn = None
