"""Jobs that pages ordered (页面提出的任务): done in a process of their own, so that no decision waits for a large export."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from plumbline.supervision.config import Platform

_WAITING = "SELECT 1 FROM ops.job WHERE state = ANY(%s) LIMIT 1"
#: How often the process is started also for a job that runs already: its own may have been killed.
RESCUE_EVERY_S = 20.0
#: How long it is left alone when it ended in trouble (a full disk): its start costs seconds of a processor.
AFTER_TROUBLE_S = 10.0


@dataclass(slots=True)
class Errands:
    """Starts the process that does jobs whenever one waits and none runs; now and then also where one was left half done."""

    platform: Platform
    running: subprocess.Popen[bytes] | None = None
    clock: Callable[[], float] = time.monotonic
    _rescued: float = float("-inf")
    _not_before: float = float("-inf")

    def look(self, conn: psycopg.Connection) -> None:
        """Start the process when something waits; a look costs one query."""
        if self.running is not None and self.running.poll() is None:
            return
        if self.running is not None and self.running.returncode != 0:
            self._not_before = self.clock() + AFTER_TROUBLE_S
        self.running = None
        if self.clock() < self._not_before:
            return
        states = ["waiting"]
        if self.clock() - self._rescued >= RESCUE_EVERY_S:
            states.append("running")
        if conn.execute(_WAITING, [states]).fetchone() is not None:
            self._rescued = self.clock()
            command = [sys.executable, "-m", "plumbline.supervision.jobs"]
            self.running = subprocess.Popen(command, env=os.environ | self.platform.environment())

    def stop(self) -> None:
        """End the process that is at work; its job is done again by the next."""
        if self.running is not None and self.running.poll() is None:
            self.running.terminate()
            self.running.wait(10)
