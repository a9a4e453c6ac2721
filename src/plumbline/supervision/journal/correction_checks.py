"""What the audit will ask of a correction, asked before it is entered (更正前的核对): an entry cannot be taken back."""

from __future__ import annotations

import psycopg

from plumbline.evidence.leaf import entry_id
from plumbline.evidence.position import place_of
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.exchange.messages.registry import LogOpened
from plumbline.exchange.submission import decode_envelope
from plumbline.supervision.journal.audit_origins import Origins
from plumbline.supervision.journal.model import Pending

#: Where the log says which keys are the platform's and what these persons are: its first entry first.
_PLACES = """
SELECT idx FROM fact.key WHERE party = %(party)s AND use = 'web'
UNION SELECT idx FROM fact.role_grant WHERE person = ANY (%(people)s) AND party = %(party)s AND ended_idx IS NULL ORDER BY idx
"""
_ENTRY = """
SELECT e.uid, e.sender_id, e.envelope, e.message
  FROM journal.leaf l JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id WHERE l.epoch = %s AND l.idx = %s
"""


def objections(conn: psycopg.Connection, told: ClockCorrected, pending: Pending) -> list[str]:
    """Why nobody who may correct the time would have sent this. `conn` acts as plumb_owner."""
    asked = {"party": told.sender, "people": [told.first_person, told.second_person]}
    places = [row[0] for row in conn.execute(_PLACES, asked).fetchall()]
    origins = Origins()
    for position in (0, *places):
        row = conn.execute(_ENTRY, place_of(position)).fetchone()
        if row is None:
            continue
        uid, sender, envelope, data = row[0], *(bytes(each) for each in row[1:])
        message = parse_message(data)
        if position == 0 and isinstance(message, LogOpened):
            origins.found(message)
        origins.decide(message, entry_id(sender, uid), sender, decode_envelope(envelope), data)
    return origins.objections(told, pending.sender_id, decode_envelope(pending.envelope), pending.message)
