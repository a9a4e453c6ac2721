"""Reads the inventory and holds it against what there is (字段定级): what has no class, and what is classed and gone."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from plumbline.exchange.handbook.fields import all_tables, header_fields
from plumbline.supervision.projection.table import PROVENANCE

_FOLDER = Path(__file__).parent
#: Class → what a reader is told of it. Only `personal` is about a person.
CLASSES: Mapping[str, str] = {
    "public": "公开",
    "internal": "内部",
    "personal": "个人信息",
    "evidence": "证据",
    "free_text": "自由文字",
}
#: Every column of every table that is ours to answer for; partitions are their parent.
CATALOGUE = """
SELECT n.nspname || '.' || c.relname, a.attname
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition AND c.relkind IN ('r', 'p', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
 ORDER BY 1, a.attnum
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One table or one kind of file: why it is kept, how long, how it is masked, and the class of each field."""

    name: str
    purpose: str
    retention: str
    mask: str
    classes: Mapping[str, str]


@cache
def tables() -> Mapping[str, Store]:
    """Every table by its full name."""
    return {name: _store(name, told) for name, told in _read("tables").items() if name != "provenance"}


@cache
def files() -> Mapping[str, Store]:
    """Every kind of file by its media type or its place in the data folder."""
    return {
        name: _store(name, told, {"": told["class"]}) for name, told in _read("messages")["files"].items()
    }


def message_classes() -> dict[tuple[str, str], str]:
    """(kind or structure, field) → class, of every field that there is; raises KeyError for one without a class."""
    return {
        (owner, name): _class_of(owner, name) or _missing(owner, name) for owner, name in _message_fields()
    }


def unclassified(catalogue: Iterable[tuple[str, str]]) -> list[str]:
    """Columns of the real catalogue, and fields of messages, that nobody has classed."""
    found = [
        f"{table}.{column}"
        for table, column in catalogue
        if table not in tables() or column not in tables()[table].classes
    ]
    return found + [f"{owner}.{name}" for owner, name in _message_fields() if not _class_of(owner, name)]


def vanished(catalogue: Iterable[tuple[str, str]]) -> list[str]:
    """What is classed and is nowhere any more."""
    real = set(catalogue)
    found = [
        f"{table}.{column}"
        for table, store in tables().items()
        for column in store.classes
        if (table, column) not in real
    ]
    names = {name for _, name in _message_fields()}
    owned = set(_message_fields())
    for owner, by_class in _read("messages").items():
        if owner == "files":
            continue
        for name in _by_field(by_class):
            if name not in names if owner == "fields" else (owner, name) not in owned:
                found.append(f"{owner}.{name}")
    return found


def flaws() -> list[str]:
    """Entries that say too little: no purpose, no time, no mask where it is about a person, or a class twice."""
    found = []
    for store in (*tables().values(), *files().values()):
        if not store.purpose or not store.retention:
            found.append(f"{store.name}：没有写用途或保存期限")
        if "personal" in store.classes.values() and not store.mask:
            found.append(f"{store.name}：有个人信息而没有写怎样遮盖")
    for source in ("tables", "messages"):
        for owner, told in _read(source).items():
            listed = [
                name for each in CLASSES for name in told.get(each, []) if isinstance(told.get(each), list)
            ]
            found += [f"{owner}.{name}：定了两个级别" for name in {n for n in listed if listed.count(n) > 1}]
    return found


def _message_fields() -> Iterator[tuple[str, str]]:
    yield from (("header", row.name) for row in header_fields())
    yield from ((owner, row.name) for owner, rows in all_tables().items() for row in rows)


def _class_of(owner: str, name: str) -> str:
    read = _read("messages")
    return _by_field(read.get(owner, {})).get(name) or _by_field(read["fields"]).get(name, "")


def _missing(owner: str, name: str) -> str:
    raise KeyError(f"{owner}.{name}")


def _store(name: str, told: Mapping[str, Any], classes: Mapping[str, str] | None = None) -> Store:
    found = dict(_by_field(told)) if classes is None else dict(classes)
    if told.get("provenance"):
        found |= dict.fromkeys(PROVENANCE, "evidence")
    return Store(
        name=name,
        purpose=told.get("purpose", ""),
        retention=told.get("retention", ""),
        mask=told.get("mask", ""),
        classes=found,
    )


def _by_field(told: Mapping[str, Any]) -> dict[str, str]:
    return {name: each for each in CLASSES for name in told.get(each, [])}


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
