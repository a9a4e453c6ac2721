"""Scanning stored files for viruses (查毒): in a thread of its own, so that neither reception nor any decision waits for the scanner.

What is not scanned yet says so in its row; an outage leaves rows as they are, and afterwards they are caught up with.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.scanner import Policy, Scanned, Scanner, ScannerProblem, ScanSettings
from plumbline.supervision.worker.background import Background

PERIOD_S = 1.0
#: A scanner that is out of reach is asked again after so long.
PAUSE_S = 5.0
BATCH = 50
#: A scanner that is gone so many times while it has the same file in hand dies of that file; one that waits behind it is not held up.
MOST_DEATHS = 3
_log = logging.getLogger("plumbline.worker")

#: What waits, oldest first; then what the scanner could not say an hour ago.
_WAITING = """
(SELECT encode(sha256, 'hex') AS sha256, encode(uploaded_by, 'hex') AS holder FROM ops.file
  WHERE scan IS NULL AND state <> 'announced' ORDER BY changed_at LIMIT %s)
UNION ALL
(SELECT encode(sha256, 'hex'), encode(uploaded_by, 'hex') FROM ops.file
  WHERE scan = 'failed' AND scanned_at < now() - interval '1 hour' ORDER BY scanned_at LIMIT %s)
"""
_SAID = """
UPDATE ops.file SET scan = %s, scan_found = %s, scanned_at = clock_timestamp()
 WHERE sha256 = decode(%s, 'hex') AND scan IS DISTINCT FROM 'clean' AND scan IS DISTINCT FROM 'infected'
"""
_EVENT = """
INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail)
VALUES ('worker', 'file.quarantined', %s, 'done', 'scan', %s::jsonb)
"""


class Scanning(Background):
    """Asks the scanner about every stored file once. Any number of workers may do it: the first verdict stands, with one event."""

    def __init__(
        self,
        conninfo: str,
        files: FileStore,
        settings: ScanSettings,
        *,
        tell: Callable[[dict[str, str]], None] = lambda told: None,
    ) -> None:
        super().__init__(conninfo, "scan", pause_s=PAUSE_S, first_s=0.0, ends_in_s=5.0)
        self._files, self._settings, self._tell = files, settings, tell
        self._scanner = Scanner(settings.address)
        self._deaths: Counter[str] = Counter()

    def start(self) -> None:
        """Begin, unless the policy asks nobody; what the status page says of the scanner is told in any case."""
        self._tell({"policy": self._settings.policy.value, "version": "", "problem": ""})
        if self._settings.policy is not Policy.OFF:
            super().start()

    def connected(self) -> psycopg.Connection[DictRow]:
        """With rows by name."""
        return psycopg.connect(self._conninfo, row_factory=dict_row, autocommit=True)

    def round(self, conn: psycopg.Connection[DictRow]) -> int:
        """Scan what waits; returns how many files got a verdict. Raises :class:`ScannerProblem` and psycopg.Error."""
        done = 0
        for row in conn.execute(_WAITING, [BATCH, BATCH]).fetchall():
            if self._stop.is_set():
                break
            done += self._one(conn, row)
        return done

    def _one(self, conn: psycopg.Connection[DictRow], row: dict[str, Any]) -> int:
        try:
            said = self._scanner.scan(self._files.path(row["sha256"]))
            self._deaths.pop(row["sha256"], None)
        except ScannerProblem as silent:
            self._require_fault_of_the_file(row["sha256"])
            said = Scanned(outcome="failed", found=str(silent))
        except OSError as error:  # its row says stored, the disk says no: the audit of files finds that
            said = Scanned(outcome="failed", found=f"文件读不出来（{type(error).__name__}）")
        with conn.transaction():
            # two workers may have scanned it at the same time: one of them enters it
            changed = conn.execute(_SAID, [said.outcome, said.found, row["sha256"]]).rowcount
            if changed and said.outcome == "infected":
                detail = {"found": said.found, "by_party": row["holder"]}
                conn.execute(_EVENT, [row["sha256"], json.dumps(detail, ensure_ascii=False)])
        if changed and said.outcome == "infected":
            _log.error("file %s is quarantined: %s", row["sha256"], said.found)
        return changed

    def _require_fault_of_the_file(self, digest: str) -> None:
        """Raise :class:`ScannerProblem` when the scanner is gone for everybody: it may choke on this file alone, or die of it."""
        self._deaths[digest] += 1
        if self._deaths[digest] < MOST_DEATHS:
            self._scanner.version()
        del self._deaths[digest]

    def follow(self, conn: psycopg.Connection[DictRow]) -> None:
        """Scan what comes until the end, and tell how the scanner is."""
        wait = 0.0
        while not self._stop.wait(wait):
            wait, told = PERIOD_S, {"policy": self._settings.policy.value, "version": "", "problem": ""}
            try:
                told["version"] = self._scanner.version()[:120]
                while self.round(conn) and not self._stop.is_set():
                    pass
            except ScannerProblem as silent:
                told["problem"], wait = str(silent)[:200], PAUSE_S
                _log.warning("scanning is tried again: %s", silent)
            self._tell(told)
