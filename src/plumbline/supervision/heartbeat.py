"""Heartbeats (进程登记与心跳): each process registers itself in PostgreSQL, so that all are listed and discovered there."""

from __future__ import annotations

import os
import socket
import threading
from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb

from plumbline.embedded.processes import is_alive

PERIOD_S = 5.0


class Heartbeat:
    """Writes `ops.process` every five seconds from a thread of its own; a lost database is tried again."""

    def __init__(self, conninfo: str, kind: str) -> None:
        self._conninfo = conninfo
        self._kind = kind
        self._name = f"{kind}@{socket.gethostname()}:{os.getpid()}"
        self._started = datetime.now(UTC)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.detail: dict[str, object] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End and take the row away."""
        self._stop.set()
        self._thread.join(3)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as conn:
                    self._forget_the_dead(conn)
                    while True:
                        self._beat(conn)
                        if self._stop.wait(PERIOD_S):
                            conn.execute("DELETE FROM ops.process WHERE name = %s", [self._name])
                            return
            except psycopg.Error:
                self._stop.wait(1)

    def _forget_the_dead(self, conn: psycopg.Connection) -> None:
        """Take away rows of our kind whose process on this host is gone: killed, it could not do so itself."""
        asked = "SELECT name, pid FROM ops.process WHERE kind = %s AND host = %s"
        for name, pid in conn.execute(asked, [self._kind, socket.gethostname()]).fetchall():
            if not is_alive(pid):
                conn.execute("DELETE FROM ops.process WHERE name = %s", [name])

    def _beat(self, conn: psycopg.Connection) -> None:
        conn.execute(
            "INSERT INTO ops.process (name, kind, host, pid, started_at, beat_at, detail) VALUES (%s, %s, %s, %s, %s, now(), %s) "
            "ON CONFLICT (name) DO UPDATE SET beat_at = now(), detail = excluded.detail",
            [self._name, self._kind, socket.gethostname(), os.getpid(), self._started, Jsonb(self.detail)],
        )
        conn.execute("DELETE FROM ops.process WHERE beat_at < now() - interval '1 hour'")
