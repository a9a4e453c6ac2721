"""What the audit will ask of a correction, asked before it is entered (更正前的核对): an entry cannot be taken back."""

from __future__ import annotations

import time

import psycopg

from plumbline.evidence.leaf import entry_id
from plumbline.evidence.position import place_of, position_of
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.exchange.messages.registry import LogOpened
from plumbline.exchange.submission import decode_envelope
from plumbline.supervision.journal.audit_origins import Origins
from plumbline.supervision.journal.heads import HeadRow
from plumbline.supervision.journal.model import Pending

#: Where the log says which keys are the platform's and what these persons are: its first entry first.
_PLACES = """
SELECT idx FROM fact.key WHERE party = %(party)s AND use = 'web'
UNION SELECT revoked_idx FROM fact.key WHERE party = %(party)s AND use = 'web' AND revoked_idx IS NOT NULL
UNION SELECT idx FROM fact.role_grant WHERE person = ANY (%(people)s) AND party = %(party)s AND ended_idx IS NULL ORDER BY idx
"""
_ENTRY = """
SELECT e.uid, e.sender_id, e.envelope, e.message
  FROM journal.leaf l JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id WHERE l.epoch = %s AND l.idx = %s
"""


#: How long a command waits for the projector.
PROJECTED_WITHIN_S = 10.0


class NotProjected(RuntimeError):
    """The tables do not tell the whole log yet; the message is one plain sentence."""


def require_projected(conn: psycopg.Connection, head: HeadRow, *, wait_s: float = 0.0) -> None:
    """Raise :class:`NotProjected` while the tables are behind the log: what they do not tell yet may be a role that ended, a key that
    was revoked, or an earlier correction. `conn` is in autocommit where it is to wait."""
    until, end = time.monotonic() + wait_s, position_of(head.epoch, head.size)
    while True:
        row = conn.execute("SELECT pos FROM fact.position WHERE id = 'projector'").fetchone()
        if row is not None and row[0] >= end:
            return
        if time.monotonic() >= until:
            done = row[0] if row else 0
            missing = f"还差 {end - done} 条" if place_of(done)[0] == head.epoch else "还差以前各期的"
            raise NotProjected(
                f"日志里的入账还没有全部处理（{missing}），其中可能有停用的角色或密钥：请启动平台，等运行状态页写着还差 0 条再执行"
            )
        time.sleep(0.1)


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
