from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect as shapes

from plumbline.exchange import decode
from plumbline.exchange.decode import (
    MAX_BODY_BYTES,
    MAX_DEPTH,
    _weighed_fields,
    check_json,
    decode_message,
    decode_submission,
    outer_submission,
    read_message,
)
from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.handbook.examples import example_bytes, examples
from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.header import Message
from plumbline.exchange.problems import Problem

FULL_WIDTH = {ord("0") + n: 0xFF10 + n for n in range(10)}


def one_after_the_other(body: bytes, message: bytes) -> Message:
    check_json(body)
    return decode_message(message)


def told(
    read: Callable[[bytes, bytes], Message], body: bytes, message: bytes
) -> tuple[Message | None, str, str]:
    try:
        return read(body, message), "", ""
    except Problem as problem:
        return None, problem.slug, problem.detail or ""


def door(data: bytes) -> Message:
    """As the gateway reads it, which says the same as both checks one after the other."""
    assert told(read_message, data, data) == told(one_after_the_other, data, data)
    return read_message(data, data)


def run(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(example_bytes("run.recorded"))
    return body | changes


def refusal(body: object) -> Problem:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    with pytest.raises(Problem) as caught:
        door(data)
    problem = caught.value
    assert problem.kind.remedy
    assert problem.detail
    return problem


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"", "malformed-json"),
        (b"{", "malformed-json"),
        (b"{'a': 1}", "malformed-json"),
        (b'{"a": 1,}', "malformed-json"),
        (b'{"a": 1} x', "malformed-json"),
        (b'{"a": NaN}', "malformed-json"),
        (b'{"a": -Infinity}', "malformed-json"),
        (b'{"a": "\xff"}', "malformed-json"),
        (b'\xef\xbb\xbf{"a": 1}', "malformed-json"),
        ('{"a": 1}'.encode("utf-16"), "malformed-json"),
        (b'{"a": 1, "a": 2}', "duplicate-key"),
        (b'{"a": {"b": [{"c": 1, "\\u0063": 2}]}}', "duplicate-key"),
        (b'{"a": 12345678901234567}', "schema"),
    ],
)
def test_what_is_not_sound_json_is_refused_by_its_own_problem(data: bytes, slug: str) -> None:
    assert refusal(data).slug == slug


@pytest.mark.parametrize(("depth", "refused"), [(31, False), (32, False), (33, True)])
def test_nesting_ends_at_32_levels(depth: int, refused: bool) -> None:
    data = b"[" * depth + b"]" * depth
    if refused:
        assert refusal(data).slug == "too-deep"
    else:
        check_json(data)


def test_brackets_inside_texts_are_no_levels() -> None:
    check_json(json.dumps({"a": "[" * 100 + '\\"' + "{" * 100}).encode())


def test_a_million_brackets_are_refused_without_recursion() -> None:
    assert refusal(b"[" * 1_000_000).slug == "too-deep"


@pytest.mark.parametrize(("size", "refused"), [(MAX_BODY_BYTES, False), (MAX_BODY_BYTES + 1, True)])
def test_the_body_ends_at_its_limit(size: int, refused: bool) -> None:
    data = b'"' + b"x" * (size - 2) + b'"'
    if refused:
        assert refusal(data).slug == "too-large"
    else:
        check_json(data)


@pytest.mark.parametrize("value", ["0", "-12.50", "884.2", "999999999999999", "0.123456789"])
def test_a_measured_value_is_kept_as_written(value: str) -> None:
    body = run()
    body["specimens"][0]["readings"][0]["value"] = value
    message: Any = decode_message(json.dumps(body).encode())
    assert message.specimens[0].readings[0].value == value


@pytest.mark.parametrize(
    "value",
    [
        *(
            884.2,
            884,
            "\uff11\uff12",
            "1e5",
            "38.5 ",
            " 38.5",
            "38.5\n",
            "38,5",
            "1 000",
            "1_000",
            "+1",
            "-",
            "",
        ),
        *(
            "007",
            ".5",
            "5.",
            "NaN",
            "Infinity",
            "1e400",
            "0x10",
            "\u0663",
            "1000000000000000",
            "0.1234567890",
        ),
        *(True, None, ["1"]),
    ],
)
def test_a_hostile_number_is_refused_with_its_place(value: object) -> None:
    body = run()
    body["specimens"][0]["readings"][0]["value"] = value
    problem = refusal(body)
    assert problem.slug == "schema"
    assert problem.errors[0].pointer.startswith("/message/specimens")
    assert problem.errors[0].pointer.endswith("/readings/0/value")


def test_a_json_number_for_a_measured_value_is_answered_with_how_to_write_it() -> None:
    body = run()
    body["specimens"][0]["readings"][0]["value"] = 884.2
    assert '"884.2"' in refusal(body).errors[0].remedy


@pytest.mark.parametrize(
    "instant",
    [
        "2026-12-17T08:10:00",
        "2026-12-17",
        "17/12/2026 08:10",
        "2026-13-17T08:10:00+08:00",
        "1999-12-31T23:59:59+08:00",
        "2101-01-01T00:00:00+08:00",
        1795067400,
        "2026-12-17T08:10:00+08:00 ",
        "0001-01-01T00:00:00Z",
    ],
)
def test_an_instant_without_zone_or_out_of_range_is_refused(instant: object) -> None:
    assert refusal(run(occurred_at=instant)).slug == "schema"


@pytest.mark.parametrize("instant", ["2000-01-01T00:00:00Z", "2100-12-31T23:59:59+08:00"])
def test_the_first_and_last_years_are_taken(instant: str) -> None:
    decode_message(json.dumps(run(occurred_at=instant)).encode())


def test_times_that_run_back_are_a_fact_and_come_in() -> None:
    body = run(started_at="2026-12-17T09:00:00+08:00", finished_at="2026-12-17T08:00:00+08:00")
    assert (
        decode_message(json.dumps(body).encode()).finished_at
        < decode_message(json.dumps(body).encode()).started_at
    )


@pytest.mark.parametrize(
    "text",
    [
        "梁\u202e\u202c",
        "柱\u0000",
        "柱\u0007",
        "柱\u200b",
        "柱\ufeff",
        "e\u0301",
        "柱\ud800",
        "\u2066柱",
        "",
        "柱" * 201,
    ],
)
def test_a_hostile_text_is_refused(text: str) -> None:
    data = json.dumps(json.loads(example_bytes("sampling.recorded")) | {"structural_part": text})
    assert refusal(data.encode()).slug in {"schema", "malformed-json"}


@pytest.mark.parametrize(
    "text",
    [
        "身份证 610302199003072311",
        "电话 13800138000",
        "电话 138 0013 8000",
        "证号" + "610302199003072311".translate(FULL_WIDTH),
    ],
)
def test_personal_numbers_in_free_text_are_refused_with_a_remedy(text: str) -> None:
    body = run(missing_pictures=text)
    problem = refusal(body)
    assert (problem.slug, problem.errors[0].pointer) == ("personal-data", "/message/missing_pictures")
    assert "personal" in problem.errors[0].remedy


@pytest.mark.parametrize("where", ["top", "nested"])
def test_an_unknown_field_is_seen_and_not_lost(where: str) -> None:
    body = run()
    (body if where == "top" else body["specimens"][0])["straange"] = 1
    assert "straange" in refusal(body).errors[0].reason


def test_a_missing_field_is_named() -> None:
    body = run()
    del body["instrument"]
    assert "instrument" in refusal(body).errors[0].reason


@pytest.mark.parametrize("kind", ["run.deleted", "", None, 7, "Run.recorded"])
def test_an_unknown_kind_is_refused(kind: object) -> None:
    assert refusal(run(kind=kind)).slug == "schema"


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"{}"])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    assert refusal(body).slug == "schema"


@pytest.mark.parametrize(
    ("name", "value"), [("v", 2), ("sender", "5E" * 16), ("sender", "x"), ("uid", "1"), ("supersedes", "0")]
)
def test_a_header_out_of_form_is_refused(name: str, value: object) -> None:
    assert refusal(run(**{name: value})).slug == "schema"


def test_a_new_version_without_reason_is_refused() -> None:
    problem = refusal(run(supersedes="0" * 32))
    assert problem.errors[0].pointer == "/message/reason"
    decode_message(json.dumps(run(supersedes="0" * 32, reason="读数抄错")).encode())


def test_a_submission_keeps_the_message_bytes_as_they_came() -> None:
    message = b'{ "kind" :"x",\t"b":1.50 }'
    submission = decode_submission(b'{"message":' + message + b', "origin": []}')
    assert bytes(submission.message).strip() == message


@pytest.mark.parametrize("body", [b"{}", b'{"message":{},"extra":1}', b'{"message":{},"origin":{}}', b"[]"])
def test_a_submission_out_of_form_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        decode_submission(body)
    assert caught.value.slug == "schema"


@pytest.mark.parametrize("kind", KINDS)
def test_encoding_leaves_absent_fields_out_and_loses_nothing(kind: str) -> None:
    data = encode_message(examples()[kind])
    assert b":null" not in data
    assert encode_message(decode_message(data)) == data
    assert bytes(decode_submission(encode_submission(data)).message) == data


def test_every_problem_of_the_door_has_a_status_and_a_remedy() -> None:
    problem = refusal(run(v=2))
    body = problem.body("E-1")
    assert (body["status"], body["instance"]) == (422, "E-1")
    assert body["errors"]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_get_anything_but_a_message_or_a_problem(data: bytes) -> None:
    with pytest.raises(Problem):
        door(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def outcome(data: bytes) -> str:
    try:
        door(data)
    except Problem as problem:
        return problem.slug
    return ""


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_no_value_in_any_field_breaks_the_door(kind: str, data: st.DataObject) -> None:
    body = json.loads(example_bytes(kind))
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(_JSON)
    raw = msgspec.json.encode(body) if "\ud800" not in repr(body) else b"{}"
    assert outcome(raw) in {"", "schema", "personal-data", "malformed-json", "curve-too-long"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(_JSON, st.booleans())
def test_what_stands_outside_of_texts_is_the_same_with_and_without_escapes(
    value: object, ascii_only: bool
) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    escaped = json.dumps([value, "\\"], ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert b"[" + decode._outside_texts(data) + b", ]" == decode._outside_texts(escaped)


@pytest.mark.parametrize(
    "body", [b'{"a": "[[[', b'{"a": "' + b"[" * 100, b'"', b'{"a": "b}', b'"' + b'\\"' * 32_767, b'"\\']
)
def test_a_text_that_never_ends_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as told:
        check_json(body)
    assert told.value.slug == "malformed-json"


_COMPACT = {kind: encode_message(example) for kind, example in examples().items()}
_ODD_PIECES = [
    b"",
    b" ",
    b"\\u0041",
    b"\x01",
    b"\x7f",
    b"\xff",
    b"12345678901234567",
    b"-0",
    b"1e3",
    b"[[",
    b"}",
    b'"v":1,',
]
_ODD_PIECES += [
    "\u202e".encode(),
    "e\u0301".encode(),
    "13812345678".translate(FULL_WIDTH).encode(),
    "甲".encode(),
    b"NaN",
    b"null",
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(_COMPACT)), st.floats(0, 1), st.integers(0, 8), st.sampled_from(_ODD_PIECES))
def test_a_message_that_was_tampered_with_anywhere_is_told_the_same(
    kind: str, where: float, cut: int, piece: bytes
) -> None:
    data = _COMPACT[kind]
    at = round(where * len(data))
    outcome(data[:at] + piece + data[at + cut :])


_ORIGIN = b'{"key_id":"a:bc","algorithm":"sm2","signature":"","batch":null}'


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(_COMPACT)), st.floats(0, 1), st.integers(0, 8), st.sampled_from(_ODD_PIECES))
def test_a_body_that_was_tampered_with_around_its_message_is_told_the_same(
    kind: str, where: float, cut: int, piece: bytes
) -> None:
    body = b'{"origin":[' + _ORIGIN + b'],"message":' + _COMPACT[kind] + b',"personal":[]}'
    at = round(where * len(body))
    body = body[:at] + piece + body[at + cut :]
    try:
        message = bytes(outer_submission(body).message)
    except Problem:
        return
    assert told(read_message, body, message) == told(one_after_the_other, body, message)


@pytest.mark.parametrize("kind", sorted(_COMPACT))
def test_a_name_that_stands_twice_anywhere_is_seen(kind: str) -> None:
    data = _COMPACT[kind]
    again = data.replace(b'{"', b'{"v":1,"', 1)
    assert again.count(b'"v":') == 2
    assert refusal(again).slug == "duplicate-key"
    for body in (
        b'{"message":' + data + b',"origin":[],"origin":[]}',
        b'{"message":'
        + data
        + b',"origin":[{"key_id":"a:bc","key_id":"a:bd","algorithm":"sm2","signature":""}]}',
    ):
        message = bytes(outer_submission(body).message)
        assert told(read_message, body, message)[1] == "duplicate-key"


def _levels(kind: shapes.Type) -> int:
    """How deep JSON of a type may nest."""
    if isinstance(kind, shapes.Metadata):
        return _levels(kind.type)
    if isinstance(kind, shapes.UnionType):
        return max(map(_levels, kind.types))
    if isinstance(kind, shapes.ListType):
        return 1 + _levels(kind.item_type)
    if isinstance(kind, shapes.StructType):
        return 1 + max((_levels(field.type) for field in kind.fields), default=0)
    assert not isinstance(kind, shapes.RawType | shapes.AnyType | shapes.DictType), kind
    return 0


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_type_nests_deeper_than_a_message_may(kind: str) -> None:
    # `read_message` looks for depth only where the types did not take a message.
    assert _levels(shapes.type_info(KINDS[kind].type)) < MAX_DEPTH - 1


@pytest.mark.parametrize("name", ["dzv", "times_dzv"])
@pytest.mark.parametrize("text", ["甲AAA", "é" * 5000, "\u202e" * 5000, "AAA", "AA=A", "!!!!", "AAAA\n"])
def test_points_that_are_no_base64_are_refused_as_such(name: str, text: str) -> None:
    body = run()
    channel = body["specimens"][0]["curve"]["channels"][0]
    for other in ("values", "period_us", "times_us"):
        channel.pop(other, None)
    channel |= {"count": 1, "dzv": "Ag==", "times_dzv": "Ag=="} | {name: text}
    problem = refusal(body)
    assert problem.slug == "schema"
    assert name in (problem.detail or "")


def _weighed_by_type(struct: type[msgspec.Struct], path: str = "") -> set[str]:
    """Where an instant or a free text can stand, told by the types alone."""
    found: set[str] = set()

    def look(kind: shapes.Type, at: str) -> None:
        if isinstance(kind, shapes.Metadata):
            if (kind.extra or {}).get("free_text"):
                found.add(at)
            look(kind.type, at)
        elif isinstance(kind, shapes.UnionType):
            for each in kind.types:
                look(each, at)
        elif isinstance(kind, shapes.ListType):
            look(kind.item_type, f"{at}[]")
        elif isinstance(kind, shapes.DateTimeType):
            found.add(at)
        elif isinstance(kind, shapes.StructType):
            found.update(_weighed_by_type(kind.cls, at))

    info = shapes.type_info(struct)
    assert isinstance(info, shapes.StructType)
    for each in info.fields:
        look(each.type, f"{path}/{each.encode_name}")
    return found


def _weighed_by_plan(struct: type[msgspec.Struct], path: str = "") -> set[str]:
    """Where `_is_fine` looks."""
    plan, info = _weighed_fields(struct), shapes.type_info(struct)
    assert isinstance(info, shapes.StructType)
    types = {each.encode_name: each.type for each in info.fields}
    found = {f"{path}/{name}" for name in (*plan.instants, *plan.texts)}
    found |= {f"{path}/{name}[]" for name in plan.lists_of_texts}
    for name, mark in [*((n, "") for n in plan.parts), *((n, "[]") for n in plan.lists_of_parts)]:
        (part,) = _structs(types[name])
        found |= _weighed_by_plan(part, f"{path}/{name}{mark}")
    return found


def _structs(kind: shapes.Type) -> set[type[msgspec.Struct]]:
    if isinstance(kind, shapes.Metadata):
        return _structs(kind.type)
    if isinstance(kind, shapes.UnionType):
        return set().union(*map(_structs, kind.types))
    if isinstance(kind, shapes.ListType):
        return _structs(kind.item_type)
    return {kind.cls} if isinstance(kind, shapes.StructType) else set()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_quick_look_sees_every_instant_and_free_text_that_the_types_have(kind: str) -> None:
    found = _weighed_by_plan(KINDS[kind].type)
    assert found == _weighed_by_type(KINDS[kind].type)
    assert "/occurred_at" in found
