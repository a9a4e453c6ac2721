"""What is kept of a refused message (遮盖留样): never a personal part, never a number of a person in clear."""

from __future__ import annotations

import json

import pytest

from plumbline.exchange.masking import headline, kept_message, kept_name, masked_text

MOBILE = "13912345678"
#: The same number in full-width figures.
WIDE = "".join(chr(ord(figure) + 0xFEE0) for figure in MOBILE)


def body(message: str, personal: str = "[]") -> bytes:
    return f'{{"message":{message},"origin":[],"personal":{personal}}}'.encode()


def test_an_innocent_message_is_kept_byte_for_byte() -> None:
    kept = kept_message(body('{ "kind":"pour.recorded",  "volume_m3": 12.50 }'))
    assert kept is not None and not kept.masked
    assert kept.data == b'{ "kind":"pour.recorded",  "volume_m3": 12.50 }'


@pytest.mark.parametrize(
    "text",
    [
        f'"call {MOBILE}"',
        f'"{MOBILE[:3]}-{MOBILE[3:7]}-{MOBILE[7:]}"',
        '"\\u0031\\u0033912345678"',
        MOBILE,
        f'"{WIDE}"',
    ],
)
def test_a_number_becomes_stars(text: str) -> None:
    kept = kept_message(body(f'{{"a":[{{"part":{text}}}]}}'))
    assert kept is not None and kept.masked
    assert MOBILE not in kept.data.decode() and WIDE not in kept.data.decode() and "＊" in kept.data.decode()


def test_a_name_beside_a_number_becomes_stars_too() -> None:
    for message in (
        f'{{"roles":["张三丰 {MOBILE}"],"code":"A-1"}}',
        f'{{"who":{{"name":"张三丰","phone":"{MOBILE}"}},"code":"A-1"}}',
        f'{{"张三丰":"{MOBILE}","code":"A-1"}}',
    ):
        kept = kept_message(body(message))
        assert kept is not None and "张三丰" not in kept.data.decode() and "A-1" in kept.data.decode()


def test_a_number_as_a_name_of_a_field_becomes_stars_too() -> None:
    kept = kept_message(body(f'{{"{MOBILE}":1}}'))
    assert kept is not None and MOBILE not in kept.data.decode()


def test_a_value_hidden_by_a_second_one_of_the_same_name_is_not_kept() -> None:
    assert kept_message(body(f'{{"a":"{MOBILE}","a":"x"}}')) is None


@pytest.mark.parametrize("message", [f'{{"a":"{MOBILE}","b":NaN}}', f'{{"a":"{MOBILE}"'])
def test_what_cannot_be_read_is_not_kept_with_a_number_in_it(message: str) -> None:
    kept = kept_message(body(message))
    assert kept is None or MOBILE not in kept.data.decode()


def test_personal_parts_and_salts_are_never_kept() -> None:
    kept = kept_message(body('{"a":{"salt":"c2FsdA==","b":1}}', f'[{{"fields":{{"phone":"{MOBILE}"}}}}]'))
    assert kept is not None and b"salt" not in kept.data and MOBILE.encode() not in kept.data


@pytest.mark.parametrize("hostile", [b"", b"\xff\xfe", b"[]", b'{"message":1', b"[" * 5000, b'{"a":1}'])
def test_a_body_of_another_shape_is_not_kept(hostile: bytes) -> None:
    assert kept_message(hostile) is None
    assert headline(hostile).kind == ""


def test_a_large_message_is_not_kept() -> None:
    assert kept_message(body(json.dumps({"a": "x" * 140_000}))) is None


def test_the_head_of_a_message_is_read_where_it_can_be() -> None:
    found = headline(body('{"kind":"pour.recorded","uid":"u","volume_m3":1}'))
    assert (found.kind, found.uid) == ("pour.recorded", "u")
    assert headline(body('{"kind":7}')).kind == ""


def test_masking_leaves_hashes_alone() -> None:
    digest = "9f3c13912345678a10dde4d8b27e0011"
    assert masked_text(digest) == digest


def test_what_grows_too_large_by_masking_is_not_kept() -> None:
    """A star takes three bytes: one row too large would lose all that is written with it."""
    assert kept_message(body(f'{{"a":"{"x" * 100_000} {MOBILE}"}}')) is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("zhang.wei", "zhang.wei"),
        (MOBILE, "＊" * 11),
        (WIDE, "＊" * 11),
        ("139-1234-5678", "＊" * 13),
        ("11010519491231002X", "＊" * 18),
        ("张三", "＊＊"),
        ("x" * 60, "x" * 40),
        ("", ""),
    ],
)
def test_a_number_or_a_name_in_the_login_box_becomes_stars(typed: str, kept: str) -> None:
    assert kept_name(typed) == kept
