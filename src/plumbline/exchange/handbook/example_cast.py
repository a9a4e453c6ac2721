"""Who and what stands in the handbook's examples (示例中的单位与编号): invented, valid, the same in every
example."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta, timezone
from uuid import UUID

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.domain.reporting.code import new_code
from plumbline.evidence.leaf import entry_id
from plumbline.exchange.uids import derived_uid

#: China has one zone and no summer time, so that the examples need no zone database.
CHINA = timezone(timedelta(hours=8))
DIVISION = "610300"
SITE = "S1"
START = datetime(2026, 11, 19, 8, 0, tzinfo=CHINA)


def _uscc(body: str) -> str:
    return body + uscc_check_character(body)


USCC = {
    "platform": _uscc("11610300013009999"),
    "station": _uscc("12610300435300001"),
    "institution": _uscc("91610300MA6X00011"),
    "owner": _uscc("91610300MA6X00022"),
    "contractor": _uscc("91610300MA6X00033"),
    "resident_engineer_firm": _uscc("91610300MA6X00044"),
}


def _party(role: str) -> str:
    identifier = party_id(USCC[role])
    return identifier.hex() if isinstance(identifier, bytes) else str(identifier)


PARTY = {role: _party(role) for role in USCC}


def person(name: str) -> str:
    """Person id of an invented person, 32 hex."""
    return hashlib.sha256(f"example person {name}".encode()).hexdigest()[:32]


def digest(name: str) -> str:
    """A SHA-256 that stands for an invented file."""
    return hashlib.sha256(f"example file {name}".encode()).hexdigest()


def at(minutes: int = 0, *, days: int = 0) -> datetime:
    """An instant of the examples, counted from their first morning."""
    return START + timedelta(days=days, minutes=minutes)


def uid(kind: str, instant: datetime) -> UUID:
    """The uid of an example; made from its kind, so that the handbook is the same every time."""
    return derived_uid(kind, "handbook", "example", instant)


def entry(sender: str, identifier: UUID) -> str:
    """Entry id of an example, 32 hex."""
    return entry_id(bytes.fromhex(sender), identifier).hex()


SUPERVISION_CODE = new_code(date(2026, 12, 17), "HC1", lambda bits: 0x1357_9BDF_0246_8ACE & ((1 << bits) - 1))
