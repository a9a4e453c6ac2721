"""What a message touches (消息涉及的对象): rows to load beforehand, and the keys that a failing entry parks.

One key space for all that can be parked. An object that its entry created goes by that entry's id alone, whatever
table it is in, because whoever names it knows only the id. Objects with a name of their own go by kind and name:
``code:``, ``tag:``, ``key:``, ``person:`` and the like. A party goes by its id, which no entry has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, get_args, get_type_hints

from msgspec import Struct

from plumbline.exchange.messages.custody import SamplingRecorded, WitnessingRecorded
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import BlobStored, EvaluationComputed
from plumbline.exchange.messages.project import CustodiansConfirmed, TagIssued
from plumbline.exchange.messages.registry import (
    InstrumentRegistered,
    KeyEnrolled,
    KeyRevoked,
    LogOpened,
    PartyRegistered,
    PartyReinstated,
    PartySuspended,
    PersonRegistered,
    RoleEnded,
    RoleGranted,
)
from plumbline.exchange.messages.reports import CodeReserved, ReportApplied, ReportRegistered
from plumbline.exchange.messages.testing import RunRecorded
from plumbline.exchange.wire import EntryRef

#: Field of a message → table of the row that it names.
_REFERENCES = {
    "project": "project",
    "contract": "contract",
    "commission": "commission",
    "sample": "sample",
    "samples": "sample",
    "run": "run",
    "number_entry": "number",
    "application": "application",
    "registration": "registration",
    "grant": "role_grant",
    "charge": "charge",
    "acceptance": "cosigner",
    "former": "cosigner",
}
#: References that no entry changes by naming them and that very many share: a failing entry does not park them.
_WIDE = frozenset({"project", "contract"})
_CHANGES_PARTY = PartyRegistered | PartySuspended | PartyReinstated
#: Tables whose rows have a name of their own instead of the id of the entry that created them.
_NAMED = frozenset(
    {"code", "tag", "key", "person", "custodians", "instrument", "site", "role_holder", "mention", "reminder"}
)
#: Tables about whose rows a finding may be that reminds of a report.
_MENTIONED = frozenset({"sample", "run", "commission"})


def parking_key(table: str, key: str) -> str:
    """The key under which an object is parked."""
    return f"{table}:{key}" if table in _NAMED else key


@cache
def _reference_fields(kind: type[Message]) -> tuple[tuple[str, str], ...]:
    """(field, table of the rows that it names) of a kind of message."""
    return tuple((name, _REFERENCES[name]) for name in kind.__struct_fields__ if name in _REFERENCES)


def references(message: Message) -> list[tuple[str, str]]:
    """(table, key) of the rows to load for a message; what is left out is fetched when it is asked for."""
    found = [("party", message.sender)]
    for name, table in _reference_fields(type(message)):
        value = getattr(message, name)
        if isinstance(value, str):
            found.append((table, value))
        elif isinstance(value, list):
            found += [(table, each) for each in value]
    if message.supersedes:
        found.append(("event", message.supersedes))
    if isinstance(message, SamplingRecorded):
        found.append(("custodians", message.project))
    elif isinstance(message, WitnessingRecorded):
        found.append(("person", message.witness))
    elif isinstance(message, RunRecorded):
        found.append(("instrument", f"{message.sender}/{message.instrument}"))
    elif isinstance(message, _CHANGES_PARTY):
        found.append(("party", message.party))
    elif isinstance(message, ReportApplied):
        found += [("run", run) for parameter in message.parameters for run in parameter.runs]
    elif isinstance(message, BlobStored):
        found.append(("blob", message.sha256))
    elif isinstance(message, EvaluationComputed):
        found.append(("evaluation", message.run))
    found += [("mention", key) for table, key in found if table in _MENTIONED]
    return found + _named_objects(message)


def _named_objects(message: Message) -> list[tuple[str, str]]:
    """(table, name) of the objects with a name of their own that the message creates or changes."""
    found: list[tuple[str, str]] = []
    if isinstance(message, SamplingRecorded):
        found = [("tag", specimen.tag) for specimen in message.specimens]
    elif isinstance(message, TagIssued):
        found = [("tag", tag) for tag in message.tags]
    elif isinstance(message, CodeReserved | ReportRegistered):
        found = [("code", message.code)]
    elif isinstance(message, ReportApplied) and message.replaces_code:
        found = [("code", message.replaces_code)]
    elif isinstance(message, KeyEnrolled | KeyRevoked):
        found = [("key", message.key_id)]
    elif isinstance(message, LogOpened):
        found = [("key", key.key_id) for key in message.keys]
    elif isinstance(message, PersonRegistered):
        found = [("person", message.person)]
    elif isinstance(message, RoleGranted | RoleEnded):
        found = [("role_holder", message.person)]
    elif isinstance(message, CustodiansConfirmed):
        found = [("custodians", message.project)]
    elif isinstance(message, InstrumentRegistered):
        found = [("instrument", f"{message.institution}/{message.instrument}")]
    return found


@cache
def _entry_fields(kind: type[Struct]) -> tuple[tuple[str, type[Struct] | None], ...]:
    """(field, structure inside it) of every field that names entries, or holds structures that do; None: it names them itself."""
    found: list[tuple[str, type[Struct] | None]] = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        parts = _parts_of(hint)
        if EntryRef in parts:
            found.append((name, None))
        for part in parts:
            if isinstance(part, type) and issubclass(part, Struct) and _entry_fields(part):
                found.append((name, part))
    return tuple(found)


def _parts_of(hint: Any) -> list[Any]:
    """A type and what its lists and alternatives are made of."""
    inside = [] if hint == EntryRef else [p for each in get_args(hint) for p in _parts_of(each)]
    return [hint, *inside]


def _entries_named(part: Struct) -> Iterator[tuple[str, str]]:
    """(field, entry id) of every entry that a message names, wherever it stands."""
    for name, inner in _entry_fields(type(part)):
        value = getattr(part, name)
        for each in value if isinstance(value, list) else [value]:
            if inner is None and isinstance(each, str):
                yield name, each
            elif inner is not None and isinstance(each, inner):
                yield from _entries_named(each)


def parking_keys(entry: str, message: Message) -> list[str]:
    """Keys that a failing entry parks: what it creates and what it names.

    Left out are the project, contract and party that it only names: they would stop everybody. What it *creates*
    is parked whatever it is.
    """
    keys = {entry: None}
    keys |= {key: None for name, key in _entries_named(message) if name not in _WIDE}
    keys |= {parking_key(table, key): None for table, key in _named_objects(message)}
    if isinstance(message, _CHANGES_PARTY):
        keys[message.party] = None
    return list(keys)


def reads(entry: str, keys: Iterable[str], message: Message) -> list[tuple[str, str | None]]:
    """Rows to load before the set is projected: about the entry itself, the keys that signed it, and what it names."""
    return [("mention", entry), ("reminder", entry), *(("key", each) for each in keys), *references(message)]
