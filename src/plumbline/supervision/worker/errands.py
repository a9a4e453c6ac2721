"""Jobs that pages ordered (页面提出的任务): in processes of their own, so that no decision waits for an export, no list for a volume."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

import psycopg

from plumbline.supervision.config import Platform

_WAITING = "SELECT DISTINCT kind FROM ops.job WHERE state = 'waiting'"
#: What is past its time goes with its file, whether anybody orders anything or not.
_STALE = (
    "SELECT EXISTS (SELECT 1 FROM ops.job WHERE state = 'running' "
    "AND greatest(begun_at, beat_at) < clock_timestamp() - interval '30 minutes') "
    "OR EXISTS (SELECT 1 FROM ops.job WHERE state <> 'running' AND ordered_at < clock_timestamp() - interval '7 days')"
)
_STALE_EVERY_S = 600.0


@dataclass(slots=True)
class Errands:
    """Starts the process that does the jobs of a kind whenever one waits and none of that kind runs."""

    platform: Platform
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _next_stale: float = field(default=0.0, init=False)

    def look(self, conn: psycopg.Connection) -> None:
        """Start a process for each kind that waits; a look costs one query."""
        due = {row[0] for row in conn.execute(_WAITING).fetchall()}
        if time.monotonic() >= self._next_stale:
            self._next_stale = time.monotonic() + _STALE_EVERY_S
            stale = conn.execute(_STALE).fetchone()
            due |= {"list_export"} if stale and stale[0] else set()
        for kind in due:
            running = self.running.get(kind)
            if running is None or running.poll() is not None:
                command = [sys.executable, "-m", "plumbline.supervision.jobs", kind]
                self.running[kind] = subprocess.Popen(command, env=os.environ | self.platform.environment())

    def stop(self) -> None:
        """End the processes that are at work; their jobs are told to have been interrupted, and are ordered anew."""
        at_work = [each for each in self.running.values() if each.poll() is None]
        for each in at_work:
            each.terminate()
        for each in at_work:
            each.wait(10)
