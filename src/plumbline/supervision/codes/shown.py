"""Codes that were issued and lost with the database (原监管码): the institution shows the claims that the platform itself signed.

A report is printed with its code and its QR before it is registered. After a restore the application comes again, and gets the code
that stands on the paper: whoever holds the paper must not be told that it is unknown.
"""

from __future__ import annotations

import hashlib
import itertools
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import DictRow, tuple_row

from plumbline.exchange.claims import CodeClaims, claims_hold
from plumbline.exchange.messages.reports import ReportApplied

#: An institution names the version that was given the code, by its own entry.
_SHOWN = "SELECT claims FROM fact.shown_code WHERE id = ANY(%s) ORDER BY id LIMIT 2"
_ISSUERS = (
    "SELECT algorithm, public_key FROM fact.key WHERE use = 'code' AND revoked_idx IS NULL ORDER BY idx DESC"
)
#: How long after a restore an application waits for its institution to show the code that it may have had.
SHOW_WITHIN = timedelta(days=1)
#: An epoch is opened because something was lost, or because nobody can say whether anything was (`log resume --mark-lost`).
_LAST_LOSS = """
SELECT e.idx FROM fact.epoch e JOIN journal.leaf l ON l.epoch = e.epoch AND l.idx = 0
 WHERE e.epoch > 1 AND l.logged_at > (SELECT last_time FROM journal.head) - %s ORDER BY e.epoch DESC LIMIT 1
"""
#: A request for entries; one for damaged files is another matter.
_FOR_ENTRIES = """(jsonb_array_length(coalesce(t.body->'ranges', '[]')) > 0 OR jsonb_array_length(coalesce(t.body->'entries', '[]')) > 0
                 OR t.body->>'since' IS NOT NULL)"""
_AWAITING = f"""
SELECT a.id FROM fact.application a WHERE a.state IN ('applied', 'released') AND a.idx < %(opened)s
   AND NOT EXISTS (SELECT 1 FROM fact.retransmission t
                    WHERE t.party = a.institution AND t.idx > %(opened)s AND t.stage <> 'asked' AND {_FOR_ENTRIES})
"""
#: Of the requests for entries since the loss: whether another party than the applicant has not sent all that it can send, or none was
#: asked yet, and whether the application was made before the first request; before the opening, while there is none.
_OUTSTANDING = f"""
SELECT coalesce(bool_or(t.stage IN ('asked', 'begun') AND NOT EXISTS (
                        SELECT 1 FROM fact.retransmission w WHERE w.party = t.party AND w.idx > %(opened)s AND w.stage = 'waiting'))
                FILTER (WHERE t.party <> %(party)s), true) AND
       %(occurred)s < coalesce(min(t.logged_at),
                               (SELECT l.logged_at FROM fact.epoch e JOIN journal.leaf l ON l.epoch = e.epoch AND l.idx = 0
                                 WHERE e.idx = %(opened)s)) AS is_so
  FROM fact.retransmission t WHERE t.idx > %(opened)s AND {_FOR_ENTRIES}
"""


def may_still_come(conn: psycopg.Connection[DictRow], message: ReportApplied) -> bool:
    """Whether what an application rests on may be missing only because it was lost: it was made before anybody was asked to send again,
    and not everybody else who was asked has sent what is theirs, or nobody else was asked yet. Who witnessed the sampling, say, is another
    party than who applies.

    False a day after the epoch was opened. One that says that it waits for a decision itself is waited for by nobody.
    """
    opened = recent_loss(conn)
    if opened is None:
        return False
    asked = {"opened": opened, "occurred": message.occurred_at, "party": message.sender}
    row = conn.execute(_OUTSTANDING, asked).fetchone()
    return row is not None and bool(row["is_so"])


def awaiting_codes(conn: psycopg.Connection[DictRow]) -> list[str]:
    """Applications from before a loss that are not decided again yet: their code may stand on paper, and its institution is being asked.

    The wait ends when it answers, or a day after the epoch was opened.
    """
    opened = recent_loss(conn)
    if opened is None:
        return []
    return [row["id"] for row in conn.execute(_AWAITING, {"opened": opened}).fetchall()]


def recent_loss(conn: psycopg.Connection[Any]) -> int | None:
    """The position at which an epoch was opened a short while ago because entries were lost, or may have been; None when nothing was lost
    lately."""
    with conn.cursor(row_factory=tuple_row) as cur:
        row = cur.execute(_LAST_LOSS, [SHOW_WITHIN]).fetchone()
    return row[0] if row else None


def shown_claims(
    conn: psycopg.Connection[DictRow], row: dict[str, Any], message: ReportApplied, data: bytes
) -> str | None:
    """The claims that were shown for this application, when the platform's issuer signed them for these very bytes and nobody has the
    code; else None, and a new code is made."""
    names = [f"{row['institution']}/{row[name]}" for name in ("id", "entry")]
    told = [str(each["claims"]) for each in conn.execute(_SHOWN, [names]).fetchall()]
    keys = conn.execute(_ISSUERS).fetchall() if told else []
    for text, key in itertools.product(told, keys):
        claims = claims_hold(text, key["algorithm"], bytes(key["public_key"]))
        if claims is not None and speaks_of(claims, message, data):
            taken = conn.execute("SELECT 1 FROM fact.code WHERE id = %s", [claims.code]).fetchone()
            return None if taken else text
    return None


def speaks_of(claims: CodeClaims, message: ReportApplied, data: bytes) -> bool:
    """Whether claims were made for this application: its institution, its number, its verdict and its bytes."""
    return (
        claims.institution == bytes.fromhex(message.sender)[:8]
        and claims.report_digest == hashlib.sha256(data).digest()[:16]
        and claims.report_number == message.number
        and claims.verdict == message.conclusion
    )
