"""Entering the platform's own lost acts again (平台决定的补入): each as soon as what it names is there, since it was decided about that."""

from __future__ import annotations

import logging
import sqlite3
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psycopg

from plumbline.supervision.codes.shown import recent_loss
from plumbline.supervision.journal.own_acts import OwnActs, Replayed, replay_own
from plumbline.supervision.journal.retransmission import is_ready, lost_ranges
from plumbline.supervision.journal.submit import PlatformSender

#: How often it is looked whether something was lost lately and, if so, became ready, seconds.
LOOK_S = 1.0
#: How often the latter when the loss is long ago: a revocation still waits for a key that is sent again late.
LATE_LOOK_S = 60.0
_log = logging.getLogger("plumbline.worker")


@dataclass(slots=True)
class OwnReplay:
    """The worker's part after a restore: what `plumbline log resume` could not enter yet."""

    book: OwnActs
    sender: PlatformSender
    done: set[str] = field(default_factory=set)
    _next: float = 0.0
    #: Until when (monotonic) nothing is read where nothing was lost lately.
    _late: float = 0.0

    def look(self, conn: psycopg.Connection[Any]) -> Replayed | None:
        """Enter what is ready; nothing is read but one row where nothing was lost lately."""
        now = time.monotonic()
        if now < self._next:
            return None
        self._next = now + LOOK_S
        # Asked each time: an epoch that is opened beside a running worker must not wait until the next late look.
        if recent_loss(conn) is None:
            if now < self._late:
                return None
            self._late = now + LATE_LOOK_S
        lost = lost_ranges(conn)
        if not lost:
            return None
        try:
            found = replay_own(
                self.book, self.sender, lost, done=self.done, ready=lambda message: is_ready(conn, message)
            )
        except (
            sqlite3.Error,
            msgspec.MsgspecError,
            ValueError,
        ) as error:  # the file is damaged: everything else goes on
            _log.error("the platform's own acts cannot be read: %s", error)
            self._next = self._late = now + LATE_LOOK_S
            return None
        if found.entered:
            _log.info("%s of the platform's own acts entered again", found.entered)
        return found
