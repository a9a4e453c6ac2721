"""Every field of every message has a type of our own (自有数据类型): no bare number, text or time reaches the journal."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect as shapes

from plumbline.domain.basics.words import text_problem
from plumbline.exchange.decode import decode_message
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.reports import ComplaintFiled
from plumbline.exchange.personal import PersonalFields
from plumbline.exchange.problems import Problem
from plumbline.exchange.submission import Submission

_BARE = (
    shapes.FloatType,
    shapes.DecimalType,
    shapes.AnyType,
    shapes.DateType,
    shapes.TimeType,
    shapes.TimeDeltaType,
)


def _loose(kind: shapes.Type, where: str, seen: set[type]) -> list[str]:
    """Fields below a type that would take what nobody bounded."""
    if isinstance(kind, shapes.Metadata):
        return _loose(kind.type, where, seen)
    if isinstance(kind, shapes.UnionType):
        return [each for part in kind.types for each in _loose(part, where, seen)]
    if isinstance(kind, shapes.ListType | shapes.VarTupleType | shapes.SetType):
        return _loose(kind.item_type, f"{where}[]", seen)
    if isinstance(kind, shapes.DictType):
        return _loose(kind.key_type, f"{where}.key", seen) + _loose(kind.value_type, f"{where}.value", seen)
    if isinstance(kind, shapes.StructType):
        if kind.cls in seen:
            return []
        seen.add(kind.cls)
        closed = [] if kind.forbid_unknown_fields else [f"{where} takes unknown fields"]
        return closed + [
            each for field in kind.fields for each in _loose(field.type, f"{where}.{field.name}", seen)
        ]
    if isinstance(kind, shapes.StrType):
        return [] if kind.pattern or kind.max_length else [f"{where}: a bare text"]
    if isinstance(kind, shapes.IntType):
        is_bounded = None not in (
            kind.ge if kind.ge is not None else kind.gt,
            kind.le if kind.le is not None else kind.lt,
        )
        return [] if is_bounded else [f"{where}: a bare whole number"]
    if isinstance(kind, shapes.DateTimeType):
        return [] if kind.tz else [f"{where}: an instant without time zone"]
    return [f"{where}: {type(kind).__name__}"] if isinstance(kind, _BARE) else []


@pytest.mark.parametrize(
    "kind", [row.type for row in KINDS.values()] + [PersonalFields], ids=lambda kind: kind.__name__
)
def test_no_field_of_a_message_is_of_a_bare_type(kind: type[msgspec.Struct]) -> None:
    assert _loose(shapes.type_info(kind), kind.__name__, set()) == []
