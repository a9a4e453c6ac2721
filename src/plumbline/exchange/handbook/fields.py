"""Fields of messages as the handbook shows them (字段表): type, required, meaning, code list; from the
types, texts from `fields.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as shapes

from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.header import Message
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.submission import OriginSignature

_TEXTS = Path(__file__).parent / "fields.toml"
HEADER_FIELDS = Message.__struct_fields__


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row of a field table."""

    name: str
    #: type in Chinese, such as 字符串, 时刻, Picture 的列表
    type_zh: str
    required: bool
    #: meaning in Chinese; empty only when a text is missing, which a test refuses
    meaning: str
    #: the code list, when the field is one
    choices: tuple[str, ...] = ()
    #: name of the structure that the field holds
    structure: str = ""


@cache
def _texts() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(_TEXTS.read_text(encoding="utf-8"))


def meaning(owner: str, name: str) -> str:
    """The meaning of a field of a kind or structure; empty when there is none."""
    texts = _texts()
    return texts.get(owner, {}).get(name) or texts["common"].get(name, "")


def orphans() -> list[str]:
    """Texts that belong to no field: left over after a change of the types."""
    known = {owner: {each.name for each in rows} for owner, rows in all_tables().items()}
    return [
        f"{owner}.{name}"
        for owner, rows in _texts().items()
        for name in rows
        if owner != "common" and name not in known.get(owner, set())
    ]


def fields_of_kind(kind: str) -> list[Field]:
    """Fields of a message kind without the common header; KeyError for an unknown kind."""
    return [row for row in _fields(kind, KINDS[kind].type) if row.name not in HEADER_FIELDS]


def header_fields() -> list[Field]:
    """Fields that every message carries."""
    kind = next(iter(KINDS))
    return [row for row in _fields(kind, KINDS[kind].type) if row.name in HEADER_FIELDS]


def structures() -> dict[str, list[Field]]:
    """Nested structures by name, in order of first use."""
    found: dict[str, type[msgspec.Struct]] = {}
    for row in KINDS.values():
        _collect(row.type, found)
    for outer in (OriginSignature, PersonalRecord):
        found.setdefault(outer.__name__, outer)
        _collect(outer, found)
    return {name: _fields(name, struct) for name, struct in found.items()}


def all_tables() -> dict[str, list[Field]]:
    """Every table of the handbook by kind or structure."""
    return {kind: fields_of_kind(kind) for kind in KINDS} | structures()


def _collect(struct: type[msgspec.Struct], found: dict[str, type[msgspec.Struct]]) -> None:
    for each in _struct(struct).fields:
        for inner in _structs_in(each.type):
            if inner.__name__ not in found:
                found[inner.__name__] = inner
                _collect(inner, found)


def _struct(struct: type[msgspec.Struct]) -> shapes.StructType:
    info = shapes.type_info(struct)
    assert isinstance(info, shapes.StructType)
    return info


def _structs_in(kind: shapes.Type) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, shapes.StructType):
        yield kind.cls
    elif isinstance(kind, shapes.Metadata):
        yield from _structs_in(kind.type)
    elif isinstance(kind, shapes.ListType):
        yield from _structs_in(kind.item_type)
    elif isinstance(kind, shapes.UnionType):
        for each in kind.types:
            yield from _structs_in(each)


def _fields(owner: str, struct: type[msgspec.Struct]) -> list[Field]:
    return [_field(owner, each) for each in _struct(struct).fields]


def _field(owner: str, field: shapes.Field) -> Field:
    return Field(
        name=field.encode_name,
        type_zh=_type_zh(field.type),
        required=field.required,
        meaning=meaning(owner, field.name),
        choices=tuple(_choices(field.type)),
        structure=next((each.__name__ for each in _structs_in(field.type)), ""),
    )


def _choices(kind: shapes.Type) -> Iterator[str]:
    if isinstance(kind, shapes.LiteralType):
        yield from (str(value) for value in kind.values)
    elif isinstance(kind, shapes.Metadata):
        yield from _choices(kind.type)
    elif isinstance(kind, shapes.ListType):
        yield from _choices(kind.item_type)
    elif isinstance(kind, shapes.UnionType):
        for each in kind.types:
            yield from _choices(each)


_PLAIN: Mapping[type, str] = {
    shapes.StrType: "字符串",
    shapes.IntType: "整数",
    shapes.BoolType: "true 或 false",
    shapes.UUIDType: "UUIDv7",
    shapes.DateTimeType: "时刻",
    shapes.LiteralType: "代码",
}
_BY_PATTERN = (
    ("^[0-9a-f]{32}", "32 位十六进制"),
    ("^[0-9a-f]{64}", "SHA-256，64 位十六进制"),
    ("^-?(0|", "测量值"),
    ("^20[0-9]{2}-", "日期 YYYY-MM-DD"),
    ("^[A-Za-z0-9+/]", "base64"),
    ("^[1-9][0-9]{5}", "行政区划代码"),
    ("^[0-9A-HJ-NPQRTUWXY]{18}", "统一社会信用代码"),
    ("^[a-z0-9][a-z0-9.:-]", "密钥编号"),
    ("^[0-9A-Za-z", "编号"),
)


def _type_zh(kind: shapes.Type) -> str:
    if isinstance(kind, shapes.Metadata):
        return _type_zh(kind.type)
    if isinstance(kind, shapes.UnionType):
        return "或".join(_type_zh(each) for each in kind.types if not isinstance(each, shapes.NoneType))
    if isinstance(kind, shapes.ListType):
        return f"列表：{_type_zh(kind.item_type)}"
    if isinstance(kind, shapes.StructType):
        return kind.cls.__name__
    if isinstance(kind, shapes.StrType):
        return _string_zh(kind)
    return _PLAIN.get(type(kind), "")


def _string_zh(kind: shapes.StrType) -> str:
    pattern: Any = kind.pattern
    for start, text in _BY_PATTERN:
        if pattern and pattern.startswith(start):
            return text
    return f"文字，最多 {kind.max_length} 字" if kind.max_length else "字符串"
