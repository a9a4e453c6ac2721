"""What a worker does beside its rounds (后台线程): each in a thread and with a connection of its own, tried again whatever fails."""

from __future__ import annotations

import logging
import threading
from typing import Any

import psycopg

_log = logging.getLogger("plumbline.worker")


class Background:
    """A thread that follows something in the database until it is stopped. What it does stands in :meth:`follow`."""

    def __init__(
        self,
        conninfo: str,
        name: str,
        *,
        pause_s: float,
        first_s: float | None = None,
        ends_in_s: float = 1.0,
    ) -> None:
        """`pause_s`: before it is tried again, and before it begins unless `first_s` says otherwise; `ends_in_s`: how long the end of
        what is under way is waited for."""
        self._conninfo, self._name, self._pause_s, self._ends_in_s = conninfo, name, pause_s, ends_in_s
        self._first_s = pause_s if first_s is None else first_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way, or cut it off when that takes too long; a thread that never began is none."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._ends_in_s)

    def connected(self) -> psycopg.Connection[Any]:
        """The connection that it works with."""
        return psycopg.connect(self._conninfo, autocommit=True)

    def follow(self, conn: psycopg.Connection[Any]) -> None:
        """Work until `_stop` is set; raises whatever fails."""
        raise NotImplementedError

    def _run(self) -> None:
        wait = self._first_s
        while not self._stop.wait(wait):
            wait = self._pause_s
            try:
                with self.connected() as conn:
                    self.follow(conn)
            except psycopg.Error as error:
                # not what the database says: it may repeat values
                _log.warning("%s: tried again: %s", self._name, type(error).__name__)
            except Exception:  # whatever it is: a thread that ends would be missed by nobody
                _log.exception("%s: tried again", self._name)
