"""Jobs that pages ordered (页面提出的任务): in processes of their own, so that no decision waits for an export, no list for a volume."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from plumbline.supervision.config import Platform

_DUE = "SELECT DISTINCT kind FROM ops.job WHERE state = ANY(%s)"
#: What is past its time goes with its file, whether anybody orders anything or not.
_PAST = "SELECT 1 FROM ops.job WHERE state <> 'running' AND ordered_at < clock_timestamp() - interval '7 days' LIMIT 1"
#: How often the process is started also for a job that runs already: its own may have been killed.
RESCUE_EVERY_S = 20.0
SWEEP_EVERY_S = 600.0
#: How long a kind is left alone when its process ended in trouble (a full disk): its start costs seconds of a processor.
AFTER_TROUBLE_S = 10.0
#: Whose process sweeps when nothing else is to be done.
_SWEEPING = "list_export"


@dataclass(slots=True)
class Errands:
    """Starts the process that does the jobs of a kind whenever one waits and none of that kind runs; now and then also where one was
    left half done, or is past its time."""

    platform: Platform
    clock: Callable[[], float] = time.monotonic
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _rescued: float = field(default=float("-inf"), init=False)
    _swept: float = field(default=float("-inf"), init=False)
    _not_before: dict[str, float] = field(default_factory=dict, init=False)

    def look(self, conn: psycopg.Connection) -> None:
        """Start a process for each kind that is due; a look costs one query."""
        now, states = self.clock(), ["waiting"]
        if now - self._rescued >= RESCUE_EVERY_S:
            self._rescued = now
            states.append("running")
        due = {row[0] for row in conn.execute(_DUE, [states]).fetchall()}
        if now - self._swept >= SWEEP_EVERY_S:
            self._swept = now
            due |= {_SWEEPING} if conn.execute(_PAST).fetchone() else set()
        for kind in sorted(due):
            if self._may_start(kind, now):
                command = [sys.executable, "-m", "plumbline.supervision.jobs", kind]
                self.running[kind] = subprocess.Popen(command, env=os.environ | self.platform.environment())

    def _may_start(self, kind: str, now: float) -> bool:
        last = self.running.get(kind)
        if last is not None and last.poll() is None:
            return False
        if last is not None and last.returncode != 0:
            self._not_before[kind] = now + AFTER_TROUBLE_S
        self.running.pop(kind, None)
        return now >= self._not_before.get(kind, now)

    def stop(self) -> None:
        """End the processes that are at work; their jobs are done again by the next."""
        at_work = [each for each in self.running.values() if each.poll() is None]
        for each in at_work:
            each.terminate()
        for each in at_work:
            each.wait(10)
