"""The patrol of stored files (文件巡检): every file is held against its digest again and again, so that a byte that rots on disk is found
while a backup still has it, and not when somebody doubts the report.

In a thread of its own and at a walk: neither reception nor any decision waits for it. What is damaged is named on the status page and in
the audit trail; once the file is put back from a backup, the next look says so.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.worker.background import Background

#: Every file is looked at once in so long.
CYCLE = timedelta(days=7)
#: A damaged one again after so long: whoever put it back wants to know.
AGAIN = timedelta(minutes=10)
PERIOD_S = 30.0
#: Until it begins, and until it is tried again.
PAUSE_S = 2.0
BATCH = 20
CHUNK = 1 << 20
#: So fast the disk is read at most, bytes a second: a terabyte takes fourteen hours of the week.
MOST_BYTES_A_SECOND = 20 * 1024 * 1024
GONE, CHANGED = "文件不在", "字节与登记的摘要不符"
_log = logging.getLogger("plumbline.worker")

#: What the process itself lacks says nothing of a file.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
#: Looked at in the future: by a clock that was wrong then, so that nobody knows when.
_DUE = """
(SELECT encode(sha256, 'hex') AS sha256, bytes, damage FROM ops.file
  WHERE damage <> '' AND checked_at < now() - %(again)s ORDER BY checked_at LIMIT %(batch)s)
UNION ALL
(SELECT encode(sha256, 'hex'), bytes, damage FROM ops.file
  WHERE state <> 'announced' AND checked_at > now() + %(again)s LIMIT %(batch)s)
UNION ALL
(SELECT encode(sha256, 'hex'), bytes, damage FROM ops.file
  WHERE state <> 'announced' AND damage = '' AND checked_at IS NULL LIMIT %(batch)s)
UNION ALL
(SELECT encode(sha256, 'hex'), bytes, damage FROM ops.file
  WHERE state <> 'announced' AND damage = '' AND checked_at < now() - %(cycle)s ORDER BY checked_at NULLS FIRST LIMIT %(batch)s)
"""
_SAID = "UPDATE ops.file SET checked_at = clock_timestamp(), damage = %s WHERE sha256 = decode(%s, 'hex') AND damage = %s"
_EVENT = """
INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail)
VALUES ('worker', %s, %s, 'done', 'patrol', jsonb_build_object('found', %s::text))
"""
#: Damaged files, those that nobody has looked at yet, and when the one was looked at whose turn is next.
_STANDING = """
SELECT (SELECT count(*) FROM ops.file WHERE damage <> '') AS damaged,
       (SELECT count(*) FROM (SELECT 1 FROM ops.file WHERE state <> 'announced' AND checked_at IS NULL LIMIT 1000) f) AS unseen,
       (SELECT min(checked_at) FROM ops.file WHERE state <> 'announced') AS since
"""


class PatrolSettingsProblem(ValueError):
    """The setting of the patrol cannot be used; the message is one plain sentence."""


def cycle_from_env(env: Mapping[str, str] = os.environ) -> timedelta:
    """PLUMB_PATROL_DAYS: each file is looked at once in so many days, 7 unless set; raises :class:`PatrolSettingsProblem`."""
    told = env.get("PLUMB_PATROL_DAYS", "").strip()
    if not told:
        return CYCLE
    if not (told.isascii() and told.isdigit() and 1 <= int(told) <= 365):
        raise PatrolSettingsProblem(f"PLUMB_PATROL_DAYS 是 {told[:20]}，写 1 到 365 之间的整数（天）")
    return timedelta(days=int(told))


def cycle_or_exit() -> timedelta:
    """The cycle of this process; a setting that cannot be used ends it with one plain sentence."""
    try:
        return cycle_from_env()
    except PatrolSettingsProblem as problem:
        raise SystemExit(f"{problem}。") from None


def damage_of(path: Path, sha256: str, size: int) -> tuple[str, int]:
    """(what is wrong with a stored file, empty for nothing; bytes read). Read from the disk, not from the system's memory of it.
    Raises OSError for what this process lacks, handles or memory."""
    digest, read = hashlib.sha256(), 0
    try:
        with path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                read += len(chunk)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except FileNotFoundError:
        return GONE, 0
    except OSError as error:
        if error.errno in _OURS:
            raise
        return f"文件读不出来（{errno.errorcode.get(error.errno or 0, type(error).__name__)}）", read
    return ("" if digest.hexdigest() == sha256 and read == size else CHANGED), read


class Patrol(Background):
    """Looks at files whose turn it is. Any number of workers may do it: what one of them found is entered once."""

    def __init__(
        self,
        conninfo: str,
        files: FileStore,
        cycle: timedelta = CYCLE,
        *,
        tell: Callable[[dict[str, Any]], None] = lambda told: None,
    ) -> None:
        super().__init__(conninfo, "patrol", pause_s=PAUSE_S, ends_in_s=5.0)
        self._files, self._cycle, self._tell = files, cycle, tell

    def connected(self) -> psycopg.Connection[DictRow]:
        """With rows by name. Nobody waits for what is written: what a crash takes is looked at again."""
        conn = psycopg.connect(self._conninfo, row_factory=dict_row, autocommit=True)
        conn.execute("SET synchronous_commit = off")
        return conn

    def round(self, conn: psycopg.Connection[DictRow]) -> int:
        """Look at a batch, or as much of it as a period lasts: damaged ones come again in time however large others are. Returns how
        many files were looked at."""
        due = {"again": AGAIN, "cycle": self._cycle, "batch": BATCH}
        looked, until = 0, time.monotonic() + PERIOD_S
        for row in conn.execute(_DUE, due).fetchall():
            if self._stop.is_set() or time.monotonic() > until:
                break
            read = self._one(conn, row)
            looked += 1
            self._stop.wait(read / MOST_BYTES_A_SECOND)
        return looked

    def _one(self, conn: psycopg.Connection[DictRow], row: dict[str, Any]) -> int:
        found, read = damage_of(self._files.path(row["sha256"]), row["sha256"], row["bytes"])
        before = row["damage"]
        with conn.transaction():
            changed = conn.execute(_SAID, [found, row["sha256"], before]).rowcount
            if changed and found != before:
                action = "file.damaged" if found else "file.repaired"
                conn.execute(_EVENT, [action, row["sha256"], found or before])
        if changed and found and found != before:
            _log.error("file %s is damaged: %s", row["sha256"], found)
        return read

    def standing(self, conn: psycopg.Connection[DictRow]) -> dict[str, Any]:
        """What the status page says of the patrol."""
        row = conn.execute(_STANDING).fetchone()
        assert row is not None
        since = row["since"].isoformat() if row["since"] else ""
        return {
            "days": self._cycle.days,
            "damaged": row["damaged"],
            "unseen": row["unseen"],
            "since": since,
            # whoever reads it sees whether the patrol still walks: heartbeats are another thread's
            "told_at": datetime.now(UTC).isoformat(),
        }

    def follow(self, conn: psycopg.Connection[DictRow]) -> None:
        """Look at files whose turn it is, and tell how they stand."""
        wait = 0.0
        while not self._stop.wait(wait):
            looked = self.round(conn)
            self._tell(self.standing(conn))
            wait = 0.0 if looked else PERIOD_S
