"""What a change history says of two versions: every difference, in words, and nothing of the header."""

from __future__ import annotations

from datetime import UTC, datetime

from plumbline.supervision.reading.field_words import field_word, value_word
from plumbline.supervision.reading.history import differences, entry_of, history

BEFORE = {
    "uid": "1",
    "grade": "C30",
    "tags": ["A1", "A2"],
    "remarks": "旧",
    "specimens": [{"ordinal": 1, "tag": "A1"}, {"ordinal": 2, "tag": "A2"}],
    "made_at": "2026-11-01T02:00:00Z",
}
AFTER = {
    "uid": "2",
    "supersedes": "x",
    "grade": "C35",
    "tags": ["A1", "A3"],
    "specimens": [{"ordinal": 1, "tag": "A1"}, {"ordinal": 2, "tag": "A3"}, {"ordinal": 3, "tag": "A4"}],
    "made_at": "2026-11-01T02:00:00Z",
    "sampler": "a" * 32,
}


def test_every_difference_is_found_where_it_is_and_the_header_is_left_out() -> None:
    found = {path: (before, after) for path, before, after in differences(BEFORE, AFTER)}
    assert found == {
        ("grade",): ("C30", "C35"),
        ("tags",): (["A1", "A2"], ["A1", "A3"]),
        ("specimens", 1, "tag"): ("A2", "A3"),
        ("specimens", 2, "ordinal"): (None, 3),
        ("specimens", 2, "tag"): (None, "A4"),
        ("sampler",): (None, "a" * 32),
        ("remarks",): ("旧", None),
    }


def test_an_entry_names_who_and_why_and_says_values_in_words() -> None:
    version = {
        "version": 2, "before": BEFORE, "after": AFTER, "logged_at": None, "sender": "s", "reason": None, "uid": "2", "idx": 5,
        "attestation": "origin", "key_id": "k",
    }  # fmt: skip
    entry = entry_of(version, {"s": "示例公司", "a" * 32: "王海涛"}, covered=9)
    assert (entry.title, entry.who, entry.reason) == ("第 2 版", "示例公司", "没有写原因")
    said = {change.field_name: (change.before, change.after) for change in entry.changes}
    assert said["设计等级"] == ("C30", "C35")
    assert said["标识"] == ("A1、A2", "A1、A3")
    assert said["试件 2 标识"] == ("A2", "A3")
    assert said["取样人"] == ("", "王海涛")
    assert said["备注"] == ("旧", "")


def test_values_are_written_for_readers() -> None:
    assert value_word("occurred_at", "2026-11-01T02:00:00Z", {}) == "2026-11-01 10:00:00"
    assert value_word("discarded", True, {}) == "是"
    assert value_word("conclusion", "FAIL", {}) == "不合格"
    assert value_word("personal", "ab" * 32, {}) == "abab abab … abab abab"
    assert value_word("roles", ["sampler", "witness"], {}) == "取样员、见证员"
    assert len(value_word("reason", "长" * 500, {})) == 80
    assert field_word(("specimens", 0, "readings", 1, "value")) == "试件 1 读数 2 数值"


def test_only_what_was_never_changed_is_said_to_be_unchanged() -> None:
    record = {"id": "a", "version": 1, "logged_at": datetime(2026, 11, 1, 2, tzinfo=UTC), "sender": "s"}
    assert "没有改过" in history(record, [], {"s": "示例公司"}, covered=9).first
    withheld = history(record | {"version": 3}, [], {"s": "示例公司"}, covered=9)
    assert withheld.is_withheld and "第 3 版" in withheld.first
    assert "没有改过" not in withheld.first
