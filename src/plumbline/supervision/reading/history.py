"""Change history of a record (修改记录): one group for each entry that changed it, from its versions and corrections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from plumbline.supervision.pages.view_models import Change, History, HistoryEntry
from plumbline.supervision.reading.database import Row, rows
from plumbline.supervision.reading.field_words import field_word, value_word
from plumbline.supervision.reading.people import Names
from plumbline.supervision.reading.proofs import chip
from plumbline.web.formats import local_time

#: Fields of a message that say nothing about the object: never listed as a change.
HEADER = frozenset({"v", "uid", "sender", "occurred_at", "supersedes", "reason", "kind"})
#: Changes of one entry that are written out; a run with many specimens may have hundreds.
MOST_CHANGES = 30
MOST_VERSIONS = 50
_VERSIONS = "SELECT *, after->>'uid' AS uid FROM fact.version WHERE object = ANY(%s::text[]) ORDER BY idx DESC LIMIT %s"


def versions_of(objects: Iterable[str | None]) -> list[Row]:
    """The newest changes of these objects, newest first."""
    wanted = sorted({each for each in objects if each})
    return rows(_VERSIONS, [wanted, MOST_VERSIONS]) if wanted else []


def ids_named(versions: Iterable[Row]) -> set[str]:
    """Every id that stands in a change: the page may know a name for it."""
    found: set[str] = set()
    for each in versions:
        found.add(each["sender"])
        for _, before, after in differences(each["before"] or {}, each["after"] or {}):
            for value in (before, after):
                found |= {
                    part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)
                }
    return {each for each in found if len(each) == _ID}


_ID = 32


def differences(before: Row, after: Row) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    """(path, before, after) of every field that is not alike, deepest first place; the header is left out."""
    for name in dict.fromkeys((*after, *before)):
        if name not in HEADER:
            yield from _differing((name,), before.get(name), after.get(name))


def _differing(
    path: tuple[str | int, ...], before: Any, after: Any
) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*after, *before)):
            yield from _differing((*path, name), before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list) and _are_structures(before, after):
        for place in range(max(len(before), len(after))):
            old, new = (each[place] if place < len(each) else {} for each in (before, after))
            yield from _differing((*path, place), old, new)
    else:
        yield path, before, after


def _are_structures(before: list[Any], after: list[Any]) -> bool:
    return all(isinstance(each, dict) for each in (*before, *after))


def entry_of(version: Row, known: dict[str, str], covered: int, title: str = "") -> HistoryEntry:
    """One version as a group of changes. ``known``: names by id."""
    found = [
        Change(
            field_name=field_word(path),
            before=value_word(_last_name(path), before, known),
            after=value_word(_last_name(path), after, known),
        )
        for path, before, after in differences(version["before"] or {}, version["after"] or {})
    ]
    return HistoryEntry(
        title=title or f"第 {version['version']} 版",
        at=version["logged_at"],
        who=known.get(version["sender"], "没有登记的单位"),
        reason=version["reason"] or "没有写原因",
        changes=tuple(found[:MOST_CHANGES]),
        omitted=max(0, len(found) - MOST_CHANGES),
        proof=chip(version, covered=covered),
    )


def correction_of(found: Row, names: Names, events: dict[str, Row], covered: int) -> HistoryEntry:
    """A value that a person read anew on the curve, which itself stays."""
    body = found["body"]
    change = Change(
        field_name=f"试件 {found['ordinal']} {found['symbol']}", before=body["before"], after=body["after"]
    )
    return HistoryEntry(
        title="人工更正",
        at=found["occurred_at"],
        who=names.name(body["person"]),
        reason=body["because"],
        changes=(change,),
        proof=chip(events.get(found["entry"]), covered=covered),
    )


def _last_name(path: tuple[str | int, ...]) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def history(record: Row, versions: list[Row], known: dict[str, str], covered: int) -> History:
    """The history of one record: its versions, newest first, and when it first came."""
    own = [each for each in versions if each["object"] == record["id"]]
    if not own and record["version"] > 1:
        # The object is open to more readers than its history is.
        told = f"现在是第 {record['version']} 版，{local_time(record['logged_at'])} 入账；以前改了什么，不在您能看到的范围。"
        return History(first=told, is_withheld=True)
    if not own:
        return History(first=_first(record["logged_at"], record["sender"], known))
    earliest = own[-1]["before"] or {}
    whole = len(own) == record["version"] - 1
    return History(
        entries=tuple(entry_of(each, known, covered) for each in own),
        first=f"第 1 版由{known.get(earliest.get('sender', ''), '没有登记的单位')}报送。"
        if whole
        else "更早的修改没有列出。",
    )


def _first(at: Any, sender: str, known: dict[str, str]) -> str:
    return f"只有一版，没有改过。{local_time(at)} 入账，{known.get(sender, '没有登记的单位')}报送。"
