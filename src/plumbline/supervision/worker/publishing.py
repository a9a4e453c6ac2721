"""Publishing the log (日志发布): once a second the newest checkpoint is stored and full tiles are written to files (PROTOCOL §2.6)."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import psycopg

from plumbline.supervision.journal.clock_doubt import ClockDoubt
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped
from plumbline.supervision.journal.lookup import publish_checkpoint
from plumbline.supervision.journal.tiles import TileStore

PERIOD_S = 1.0
STOPPED_WAIT_S = 30.0
_log = logging.getLogger("plumbline.worker")


class Publisher:
    """A thread of its own, so that long work holds no checkpoint up. Any number may run: what they write is the same."""

    def __init__(self, conninfo: str, signer: CheckpointSigner, tiles: Path) -> None:
        self._conninfo = conninfo
        self._signer = signer
        self._tiles = tiles
        self._store: dict[int, TileStore] = {}
        self._doubt = ClockDoubt()
        self._is_in_doubt = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is at work."""
        self._stop.set()
        self._thread.join(5)

    def is_held(self, conn: psycopg.Connection) -> bool:
        """Whether the clock is in doubt, as the journal asks of it. What is published then would be attested by others at a time that
        nobody knows to be right; nothing is entered meanwhile, so that nothing waits."""
        problem = self._doubt.told(conn)
        if problem and not self._is_in_doubt:
            _log.error("nothing is published, the clock is in doubt: %s", problem)
        self._is_in_doubt = bool(problem)
        return self._is_in_doubt

    def publish(self, conn: psycopg.Connection) -> int:
        """Store the newest checkpoint and write the tiles that it covers; returns how many tiles were written."""
        head, _ = publish_checkpoint(conn, self._signer)
        store = self._store.setdefault(head.epoch, TileStore(self._tiles, head.epoch))
        return store.publish(conn, head.size)

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            wait = PERIOD_S
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as conn:
                    while not self._stop.wait(PERIOD_S):
                        if not self.is_held(conn):
                            self.publish(conn)
            except SigningStopped as stopped:
                _log.error("nothing is published, signing stopped: %s", stopped)
                wait = STOPPED_WAIT_S
            except (psycopg.Error, OSError, LookupError) as error:
                _log.warning("publishing is tried again: %s %s", type(error).__name__, error)
            except (
                Exception
            ):  # whatever it is: a thread that ends would leave the log unpublished, and nobody told
                _log.exception("publishing failed in a way nobody foresaw, and is tried again")
