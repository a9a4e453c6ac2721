"""What a message touches (消息涉及的对象): rows to load beforehand, and the keys that a failing entry parks.

One key space for all that can be parked. An object that its entry created goes by that entry's id alone, whatever
table it is in, because whoever names it knows only the id. Objects with a name of their own go by kind and name:
``code:``, ``tag:``, ``key:``, ``person:`` and the like. A party goes by its id, which no entry has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
_CHANGES_PARTY = (PartyRegistered, PartySuspended, PartyReinstated)
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
    if (further := _FURTHER.get(type(message))) is not None:
        found += further(message)
    found += [("mention", key) for table, key in found if table in _MENTIONED]
    return found + _named_objects(message)


def _named_objects(message: Message) -> list[tuple[str, str]]:
    """(table, name) of the objects with a name of their own that the message creates or changes."""
    named = _OF_A_NAME.get(type(message))
    return named(message) if named is not None else []


def _instrument(m: Any) -> list[tuple[str, str]]:
    return [("instrument", f"{m.institution}/{m.instrument}")]


def _code(m: Any) -> list[tuple[str, str]]:
    return [("code", m.code)]


def _key(m: Any) -> list[tuple[str, str]]:
    return [("key", m.key_id)]


def _role_holder(m: Any) -> list[tuple[str, str]]:
    return [("role_holder", m.person)]


def _party(m: Any) -> list[tuple[str, str]]:
    return [("party", m.party)]


#: By kind of message, what it needs beside the rows that it names. Looked up by type: a chain of questions cost more than the answers.
_FURTHER: dict[type[Message], Callable[[Any], list[tuple[str, str]]]] = {
    SamplingRecorded: lambda m: [("custodians", m.project)],
    WitnessingRecorded: lambda m: [("person", m.witness)],
    RunRecorded: lambda m: [("instrument", f"{m.sender}/{m.instrument}")],
    **dict.fromkeys(_CHANGES_PARTY, _party),
    ReportApplied: lambda m: [("run", run) for parameter in m.parameters for run in parameter.runs],
    BlobStored: lambda m: [("blob", m.sha256)],
    EvaluationComputed: lambda m: [("evaluation", m.run)],
}
#: By kind of message, the objects with a name of their own that it creates or changes.
_OF_A_NAME: dict[type[Message], Callable[[Any], list[tuple[str, str]]]] = {
    SamplingRecorded: lambda m: [("tag", specimen.tag) for specimen in m.specimens],
    TagIssued: lambda m: [("tag", tag) for tag in m.tags],
    CodeReserved: _code,
    ReportRegistered: _code,
    ReportApplied: lambda m: [("code", m.replaces_code)] if m.replaces_code else [],
    KeyEnrolled: _key,
    KeyRevoked: _key,
    LogOpened: lambda m: [("key", key.key_id) for key in m.keys],
    PersonRegistered: lambda m: [("person", m.person)],
    RoleGranted: _role_holder,
    RoleEnded: _role_holder,
    CustodiansConfirmed: lambda m: [("custodians", m.project)],
    InstrumentRegistered: _instrument,
}


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
    return [("mention", entry), ("reminder", entry), *[("key", each) for each in keys], *references(message)]
