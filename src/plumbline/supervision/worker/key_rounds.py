"""What is due about keys (密钥到期工作): a rotated key ends when its overlap is over, and contacts of applicants are forgotten."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.rows import dict_row

from plumbline.exchange.messages.registry import KeyRevoked
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import derived_uid
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault

#: A contact is kept this long after the decision, or after the application when nobody decides.
KEEP_DECIDED, KEEP_WAITING = timedelta(days=90), timedelta(days=180)
#: Without the new key's id: sixteen hex figures may read like a telephone number, which no reason may hold.
_BECAUSE = "轮换：并用期满，由新密钥接替"
_log = logging.getLogger("plumbline.worker")
_DUE = (
    "SELECT old_key, ends_at FROM ops.key_rotation WHERE NOT done AND ends_at <= %s ORDER BY ends_at LIMIT 50"
)
_FORGOTTEN = (
    "SELECT id FROM ops.key_application WHERE contact_digest IS NOT NULL AND "
    "CASE WHEN state IN ('production', 'refused') THEN decided_at < %s ELSE at < %s END LIMIT 50"
)


@dataclass(slots=True, kw_only=True)
class KeyRounds:
    """The rounds of one worker."""

    conninfo: str
    sender: PlatformSender
    operator: str
    vault: Vault

    def round(self, now: datetime | None = None) -> int:
        """End rotated keys and forget contacts; returns how many of both."""
        now = now or datetime.now(UTC)
        with psycopg.connect(self.conninfo, row_factory=dict_row, autocommit=True) as conn:
            ended, forgotten = self._end_rotated(conn, now), self._forget(conn, now)
        return ended + forgotten

    def _end_rotated(self, conn: psycopg.Connection[dict[str, object]], now: datetime) -> int:
        due, ended = conn.execute(_DUE, [now]).fetchall(), 0
        for each in due:
            old, ends = str(each["old_key"]), each["ends_at"]
            assert isinstance(ends, datetime)
            message = KeyRevoked(
                v=1,
                # the same entry, whichever worker makes it and however often
                uid=derived_uid("key.revoked", "key.rotated", old, ends),
                sender=self.operator,
                occurred_at=ends,
                key_id=old,
                because=_BECAUSE,
            )
            try:
                self.sender.submit(message)
            except Problem as problem:
                if problem.slug == "unavailable":
                    raise
                # the others must not wait for it
                _log.error("rotated key %s cannot be ended: %s", old, problem.slug)
                continue
            ended += 1
            conn.execute("UPDATE ops.key_rotation SET done = true WHERE old_key = %s", [old])
            _log.info("rotated key %s has ended", old)
        return ended

    def _forget(self, conn: psycopg.Connection[dict[str, object]], now: datetime) -> int:
        found = conn.execute(_FORGOTTEN, [now - KEEP_DECIDED, now - KEEP_WAITING]).fetchall()
        for each in found:
            self.vault.destroy(str(each["id"]))
            conn.execute(
                "UPDATE ops.key_application SET contact_digest = NULL, contact_nonce = NULL, contact_ciphertext = NULL WHERE id = %s",
                [each["id"]],
            )
        return len(found)
