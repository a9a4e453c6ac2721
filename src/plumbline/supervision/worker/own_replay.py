"""Entering the platform's own lost acts again (平台决定的补入): each as soon as what it names is there, since it was decided about that."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg

from plumbline.supervision.codes.shown import recent_loss
from plumbline.supervision.journal.own_acts import OwnActs, Replayed, replay_own
from plumbline.supervision.journal.retransmission import is_ready, lost_ranges
from plumbline.supervision.journal.submit import PlatformSender

#: How often it is looked whether something became ready, seconds.
LOOK_S = 1.0
_log = logging.getLogger("plumbline.worker")


@dataclass(slots=True)
class OwnReplay:
    """The worker's part after a restore: what `plumbline log resume` could not enter yet."""

    book: OwnActs
    sender: PlatformSender
    done: set[str] = field(default_factory=set)
    _looked: float = 0.0

    def look(self, conn: psycopg.Connection[Any]) -> Replayed | None:
        """Enter what is ready; nothing is read but one row where nothing was lost lately."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return None
        self._looked = now
        if recent_loss(conn) is None:
            return None
        found = replay_own(
            self.book,
            self.sender,
            lost_ranges(conn),
            done=self.done,
            ready=lambda message: is_ready(conn, message),
        )
        if found.entered:
            _log.info("%s of the platform's own acts entered again", found.entered)
        return found
