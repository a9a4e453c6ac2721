"""What a message names (所引用的): entries and files, wherever in it they stand; read off the wire types, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_type_hints

from msgspec import Struct

from plumbline.exchange.wire import Digest, EntryRef


def named_entries(part: Struct) -> Iterator[str]:
    """Ids of the entries that a message names."""
    return _named(part, "entries")


def named_files(part: Struct) -> Iterator[str]:
    """Every SHA-256 that a message names: files among them, and digests of other things."""
    return _named(part, "digests")


_WIRE = {"entries": EntryRef, "digests": Digest}


def _named(part: Struct, what: str) -> Iterator[str]:
    for name, inner in _fields(type(part), what):
        value = getattr(part, name)
        for each in value if isinstance(value, list) else [value]:
            if inner is None and isinstance(each, str):
                yield each
            elif inner is not None and isinstance(each, inner):
                yield from _named(each, what)


@cache
def _fields(kind: type[Struct], what: str) -> tuple[tuple[str, type[Struct] | None], ...]:
    """(field, structure inside it) of every field that names such a thing, or holds structures that do; None: itself."""
    found: list[tuple[str, type[Struct] | None]] = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        parts = list(_parts_of(hint))
        if _WIRE[what] in parts:
            found.append((name, None))
        for each in parts:
            if isinstance(each, type) and issubclass(each, Struct) and _fields(each, what):
                found.append((name, each))
    return tuple(found)


def _parts_of(hint: Any) -> Iterator[Any]:
    yield hint
    if hint not in (EntryRef, Digest):
        for each in get_args(hint):
            yield from _parts_of(each)
