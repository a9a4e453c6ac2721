"""A refused message beside the last one that worked (与上次成功的对比): field by field, what is personal hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

HIDDEN = "（与个人信息有关，不显示）"
#: Names of fields whose values are personal, or digests that a salt protects.
_PERSONAL = frozenset({"personal", "salt", "face_sha256", "resident_id", "phone"})
#: Fields that no two messages share: they explain no refusal by differing.
_ALWAYS_OTHER = frozenset({"/uid", "/occurred_at"})
_LONGEST, _MOST = 160, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that differs; an empty side has no such field."""

    pointer: str
    before: str
    now: str
    #: added, removed, type, value, usual
    sort: str

    @property
    def word(self) -> str:
        """How the field differs, in words."""
        return {
            "added": "上次没有",
            "removed": "这次没有",
            "type": "写法不同",
            "value": "值不同",
            "usual": "每次都不同",
        }[self.sort]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that differs, the telling things first; `same` fields are equal."""

    changes: tuple[Change, ...]
    same: int
    is_cut: bool = False


def difference(before: bytes, now: bytes) -> Difference | None:
    """What `now` has other than `before`; None when one of them is no JSON object."""
    try:
        old, new = json.loads(before), json.loads(now)
        if not isinstance(old, dict) or not isinstance(new, dict):
            return None
        left, right = dict(_fields(old, "", False)), dict(_fields(new, "", False))
    except (ValueError, RecursionError):
        return None
    found, same = [], 0
    for pointer in sorted(left.keys() | right.keys(), key=_place):
        if pointer in left and pointer in right and left[pointer] == right[pointer]:
            same += 1
        else:
            found.append(_change(pointer, left.get(pointer), right.get(pointer)))
    order = ["removed", "added", "type", "value", "usual"]
    found.sort(key=lambda change: order.index(change.sort))
    return Difference(changes=tuple(found[:_MOST]), same=same, is_cut=len(found) > _MOST)


def _place(pointer: str) -> list[tuple[int, str]]:
    """Pointers in the order of a document: numbers by their size."""
    return [
        (int(part), "") if part.isdigit() and len(part) < 9 else (-1, part) for part in pointer.split("/")
    ]


def _fields(value: object, pointer: str, hidden: bool) -> Iterator[tuple[str, tuple[str, str]]]:
    """(pointer, (type, as shown)) of every value that holds no others."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _fields(each, f"{pointer}/{name}", hidden or name in _PERSONAL)
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _fields(each, f"{pointer}/{index}", hidden)
    else:
        yield pointer, (_type(value), HIDDEN if hidden else _shown(value))


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…（共 {len(text)} 字符）"


def _change(pointer: str, old: tuple[str, str] | None, new: tuple[str, str] | None) -> Change:
    before, now = old[1] if old else "", new[1] if new else ""
    if pointer in _ALWAYS_OTHER and old and new and old[0] == new[0]:
        sort = "usual"
    elif old is None or new is None:
        sort = "added" if old is None else "removed"
    else:
        sort = "type" if old[0] != new[0] else "value"
    return Change(pointer=pointer, before=before, now=now, sort=sort)
