"""The audit event of a change to a list of outsiders (外部名单的操作记录), and the `trust.txt` that follows from it."""

from __future__ import annotations

import psycopg

from plumbline.supervision.boot import write_trust_roots
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.keys import PlatformKeys


def note_change(platform: Platform, by: str, action: str, subject: str) -> None:
    """Write `trust.txt` anew and keep who changed what."""
    write_trust_roots(platform, PlatformKeys.load(platform.folder("keys")))
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute(
            "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) VALUES (%s, %s, %s, 'done', 'cli')",
            [by, action, subject],
        )
