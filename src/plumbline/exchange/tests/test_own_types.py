"""Every field of every message has a type of our own (自有数据类型): no bare number, text or time reaches the journal."""

from __future__ import annotations

import unicodedata
import uuid
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect as shapes

from plumbline.domain.basics.words import text_problem
from plumbline.exchange.decode import decode_message
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.reports import ComplaintFiled
from plumbline.exchange.personal import PersonalFields, make_record, text_problem_of
from plumbline.exchange.problems import Problem

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
        if not is_bounded:
            return [f"{where}: a bare whole number"]
        largest = max(abs(each) for each in (kind.ge, kind.gt, kind.le, kind.lt) if each is not None)
        return [] if largest <= 2**53 else [f"{where}: a number beyond 53 bits"]
    if isinstance(kind, shapes.DateTimeType):
        return [] if kind.tz else [f"{where}: an instant without time zone"]
    return [f"{where}: {type(kind).__name__}"] if isinstance(kind, _BARE) else []


@pytest.mark.parametrize(
    "kind", [row.type for row in KINDS.values()] + [PersonalFields], ids=lambda kind: kind.__name__
)
def test_no_field_of_a_message_is_of_a_bare_type(kind: type[msgspec.Struct]) -> None:
    assert _loose(shapes.type_info(kind), kind.__name__, set()) == []


_ODD = ["\0", "\x07", "\x7f", "\x85", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\u3164", "\uffff"]
_SPOILT = st.tuples(st.text(max_size=8), st.sampled_from(_ODD), st.text(max_size=8)).map("".join)


def _complaint(note: str) -> bytes:
    return encode_message(
        ComplaintFiled(
            v=1,
            uid=uuid.UUID("019a0000-0000-7000-8000-000000000001"),
            sender="ab" * 16,
            occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
            code="2611HC0AAAAAAAAAAAAAA",
            differs=["other"],
            note=note,
        )
    )


@settings(deadline=None)
@given(_SPOILT)
def test_a_text_with_a_character_that_nobody_sees_is_refused_with_field_reason_and_remedy(note: str) -> None:
    with pytest.raises(Problem) as refused:
        decode_message(_complaint(note))
    (error,) = refused.value.errors
    assert error.pointer == "/message/note"
    assert error.reason
    assert error.remedy


@settings(deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_what_passes_is_visible_and_in_normal_form(note: str) -> None:
    try:
        decode_message(_complaint(note))
    except Problem:
        return
    assert text_problem(note, multiline=True) is None
    assert unicodedata.is_normalized("NFC", note)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "张\u202e三"}, "/personal/fields/name"),
        ({"name": "张\0三"}, "/personal/fields/name"),
        ({"name": " 张三"}, "/personal/fields/name"),
        ({"name": "e\u0301"}, "/personal/fields/name"),
        ({"name": "张三", "phone": "138\u200b0000"}, "/personal/fields/phone"),
        ({"name": "张三", "resident_id": "6103\t"}, "/personal/fields/resident_id"),
        ({"name": "张三·买买提", "phone": "+86 138"}, None),
    ],
)
def test_names_of_people_are_visible_and_in_normal_form_and_a_refusal_repeats_nothing(
    fields: dict[str, str], pointer: str | None
) -> None:
    found = text_problem_of(make_record("ab" * 16, PersonalFields(**fields)))
    assert (found.pointer if found else None) == pointer
    if found:
        assert "张" not in found.reason + found.remedy
        assert found.remedy
