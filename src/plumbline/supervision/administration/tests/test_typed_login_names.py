"""What people type into the login box (登录框里的字): a number or a name of a person is not written down."""

from __future__ import annotations

import pytest

from plumbline.web.accounts.adapter import counted_name, kept_name


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("zhang.wei", "zhang.wei"),
        ("13912345678", "＊" * 11),
        ("139-1234-5678", "＊" * 13),
        ("11010519491231002X", "＊" * 18),
        ("张三", "＊＊"),
        ("x" * 60, "x" * 40),
        ("", ""),
    ],
)
def test_a_number_or_a_name_becomes_stars(typed: str, kept: str) -> None:
    assert kept_name(typed) == kept


def test_failures_are_counted_under_what_is_kept() -> None:
    assert counted_name(None, {"username": " ＡＤＭＩＮ "}) == "admin"
    assert "139" not in counted_name(None, {"username": "１３９１２３４５６７８"})
