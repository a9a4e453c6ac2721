"""Jobs that pages ordered (页面提出的任务): done in a process of their own, so that no decision waits for a large export."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import psycopg

from plumbline.supervision.config import Platform

_WAITING = "SELECT 1 FROM ops.job WHERE state = 'waiting' LIMIT 1"


@dataclass(slots=True)
class Errands:
    """Starts the process that does jobs whenever one waits and none runs."""

    platform: Platform
    running: subprocess.Popen[bytes] | None = None

    def look(self, conn: psycopg.Connection) -> None:
        """Start the process when something waits; a look costs one query."""
        if self.running is not None and self.running.poll() is None:
            return
        self.running = None
        if conn.execute(_WAITING).fetchone() is not None:
            command = [sys.executable, "-m", "plumbline.supervision.jobs"]
            self.running = subprocess.Popen(command, env=os.environ | self.platform.environment())

    def stop(self) -> None:
        """End the process that is at work; its job is told to have been interrupted, and is ordered anew."""
        if self.running is not None and self.running.poll() is None:
            self.running.terminate()
            self.running.wait(10)
