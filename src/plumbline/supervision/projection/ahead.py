"""Reading ahead (预读): while the server writes one set, the next one is opened; it was asked for when the first began, on a connection
of its own.

Journal rows never change and come in the order of the log, so that what was read a moment earlier is what would be read now.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg

from plumbline.supervision.projection.entries import Entry, ask_next, connect
from plumbline.supervision.projection.sending import Pump

_log = logging.getLogger("plumbline.projector")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The entries of an epoch from index `start` on, below `end`, at most so many."""

    epoch: int
    start: int
    end: int
    most: int


class Ahead:
    """At most one set is read ahead. Not safe between threads: it belongs to one projector."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._conn: psycopg.Connection | None = None
        #: Of the set that was asked for: the pipeline that its answer comes by, and the answer.
        self._asked = ExitStack()
        self._answer: psycopg.Cursor[Any] | None = None
        self._wanted: Wanted | None = None
        self._found: list[Entry] = []

    def begin(self, wanted: Wanted) -> None:
        """Ask for this set now; does nothing while another one has not been taken, or where there is no connection to be had: then it is
        read when it is due."""
        if self._wanted is not None:
            return
        try:
            if self._conn is None or self._conn.closed:
                self._conn = connect(self._conninfo)
            self._asked.enter_context(self._conn.pipeline())
            self._answer = ask_next(self._conn, wanted.epoch, wanted.start, wanted.end, wanted.most)
        except psycopg.Error as error:
            self._give_up(error)
        else:
            self._wanted = wanted

    def bring_on(self) -> None:
        """Take what has arrived off the line, which holds a seventh of a set: the server goes on with the rest."""
        if self._answer is not None and self._conn is not None:
            try:
                self._conn.pgconn.consume_input()
            except psycopg.Error as error:
                self._give_up(error)

    def open(self, pump: Pump) -> None:
        """Open what was asked for; never fails. `pump` is called between the entries."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        try:
            rows = answer.fetchall()
            self._asked.close()
            pump()
            for row in rows:
                self._found.append(Entry.of(row))
                pump()
        except Exception as error:  # whoever asks for the set reads it again, and is told
            self._give_up(error)

    def take(self, epoch: int, start: int, end: int) -> list[Entry]:
        """What was read from there on; empty when it is not there, and forgotten when it is of another place."""
        wanted = self._wanted
        is_wanted = wanted is not None and (wanted.epoch, wanted.start, wanted.end) == (epoch, start, end)
        if is_wanted:
            self.open(_nothing)
        found = self._found if is_wanted else []
        self._forget()
        return found

    def close(self) -> None:
        """Forget what was read and drop the connection."""
        self._forget()
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _give_up(self, error: Exception) -> None:
        _log.warning("nothing is read ahead: %s", type(error).__name__)
        self._forget()
        # What its line still holds is of no use: the next question goes by another.
        if self._conn is not None:
            self._conn.close()

    def _forget(self) -> None:
        self._wanted, self._answer, self._found = None, None, []
        try:
            self._asked.close()
        except psycopg.Error as error:
            _log.warning("what was read ahead is lost: %s", type(error).__name__)


def _nothing() -> None:
    """Nobody is writing."""
