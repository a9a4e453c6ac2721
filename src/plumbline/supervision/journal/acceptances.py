"""What the log says of cosigners' keys (联署方公钥的入账): which was accepted from where on, which is accepted no longer.

The operator's list (`cosigners.toml`) says whom the worker asks; only an entry says whom the platform had accepted at the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import psycopg

from plumbline.evidence.checkpoint import parse_cosigner
from plumbline.evidence.cosignature import Ed25519CosignatureVerifier, Sm2CosignatureVerifier
from plumbline.evidence.leaf import entry_id
from plumbline.evidence.note import NoteError
from plumbline.evidence.position import place_of, place_text, position_of
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import CosignerAccepted, CosignerRetired, LogOpened
from plumbline.exchange.problems import Problem

_KNOWN = """
SELECT id, name, key, trust_domain, is_external, idx, logged_at, retired_at, retired_idx FROM fact.cosigner ORDER BY idx
"""
_POSITION = "SELECT epoch, pos FROM fact.position"
#: What is not projected yet; a kind is told by its bytes, so that little is sent and decoded.
_NEWER = """
SELECT l.epoch, l.idx, l.logged_at, e.uid, e.sender_id, e.message
  FROM journal.leaf l JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id
 WHERE (l.epoch, l.idx) >= (%s, %s) AND position('"kind":"cosigner.'::bytea IN e.message) > 0
 ORDER BY l.epoch, l.idx
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """One entry that accepted a key."""

    #: Entry id, hex.
    entry: str
    position: int
    logged_at: datetime
    name: str
    key: str
    trust_domain: str
    external: bool
    #: When it ended; None while it stands.
    retired_at: datetime | None = None
    #: Where the entry stands that ended it.
    retired_position: int | None = None

    @property
    def verifier(self) -> Ed25519CosignatureVerifier | Sm2CosignatureVerifier:
        """Checks what the key signed."""
        return parse_cosigner(self.key)

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"第 {place_text(self.position)} 条"

    def says(self, name: str, trust_domain: str, external: bool) -> bool:
        """Whether it speaks of such a cosigner."""
        return (self.name, self.trust_domain, self.external) == (name, trust_domain, external)


class Acceptances:
    """Every acceptance of a log, in its order; entries are learnt as they are walked."""

    def __init__(self, known: Iterable[Acceptance] = (), operator: str = "") -> None:
        self._by_entry = {each.entry: each for each in known}
        self._operator = operator

    def __iter__(self) -> Iterator[Acceptance]:
        return iter(self._by_entry.values())

    def standing(self) -> list[Acceptance]:
        """Those that have not ended."""
        return [each for each in self if each.retired_at is None]

    def learn(self, message: Message, *, entry: str, position: int, logged_at: datetime) -> None:
        """Take an entry; only the operator, whom entry 0 names, accepts. What the projector refuses counts for nothing here either."""
        if isinstance(message, LogOpened):
            self._operator = self._operator or message.sender
        elif message.sender != self._operator or message.supersedes is not None:
            return
        elif isinstance(message, CosignerAccepted) and _is_key_of(message.key, message.name):
            former = message.former
            if former is not None and not self._end(former, message.name, logged_at, position):
                return
            self._by_entry[entry] = Acceptance(
                entry=entry,
                position=position,
                logged_at=logged_at,
                name=message.name,
                key=message.key,
                trust_domain=message.trust_domain,
                external=message.external,
            )
        elif isinstance(message, CosignerRetired):
            self._end(message.acceptance, message.name, logged_at, position, message.key)

    def _end(self, entry: str, name: str, at: datetime, position: int, key: str | None = None) -> bool:
        known = self._by_entry.get(entry)
        if (
            known is None
            or known.name != name
            or known.retired_at is not None
            or key not in (None, known.key)
        ):
            return False
        self._by_entry[entry] = replace(known, retired_at=at, retired_position=position)
        return True


def _is_key_of(key: str, name: str) -> bool:
    try:
        return parse_cosigner(key).name == name
    except NoteError:
        return False


def acceptances_of(conn: psycopg.Connection, operator: str) -> Acceptances:
    """What the tables say, and after it what is logged and not projected yet. `conn` has no row factory."""
    # The place first: what is projected between the two questions is then in both answers, not in none.
    place = conn.execute(_POSITION).fetchone()
    rows = conn.execute(_KNOWN).fetchall()
    known = [
        Acceptance(
            entry=row[0],
            name=row[1],
            key=row[2],
            trust_domain=row[3],
            external=row[4],
            position=row[5],
            logged_at=row[6],
            retired_at=row[7],
            retired_position=row[8],
        )
        for row in rows
    ]
    found = Acceptances(known, operator)
    after = (place[0], place_of(place[1])[1]) if place else (1, 0)
    for epoch, idx, logged_at, uid, sender, data in conn.execute(_NEWER, after).fetchall():
        try:
            message = parse_message(bytes(data))
        except (msgspec.MsgspecError, ValueError, Problem):
            continue
        found.learn(
            message,
            entry=entry_id(bytes(sender), uid).hex(),
            position=position_of(epoch, idx),
            logged_at=logged_at,
        )
    return found
