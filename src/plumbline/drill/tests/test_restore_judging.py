"""The comparisons of the drill of recovery (恢复演练的判据): each kind of breach is named, and nothing else is."""

from __future__ import annotations

import pytest

from plumbline.drill.restoring.bugs import BUGS
from plumbline.drill.restoring.judging import in_order, present_once, resent_anew, set_breaches

WANTED = {("s", "1"): b"one", ("s", "2"): b"two"}


@pytest.mark.parametrize(
    ("found", "told"),
    [("ab", ()), ("a", ("漏了 1 条，如 b",)), ("abc", ("多了 1 条，如 c",)), ("abb", ("说了两次",))],
)
def test_a_list_must_name_the_lost_and_only_them(found: str, told: tuple[str, ...]) -> None:
    breaches = set_breaches("缺的", "ab", found)
    assert len(breaches) == len(told)
    assert all(word in each for word, each in zip(told, breaches, strict=True))


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ([("s", "1", b"one"), ("s", "2", b"two"), ("t", "9", b"nine")], ""),
        ([("s", "1", b"one")], "不在"),
        ([("s", "1", b"one"), ("s", "1", b"one"), ("s", "2", b"two")], "有 2 条"),
        ([("s", "1", b"one"), ("s", "2", b"two"), ("s", "3", b"two")], "有 2 条"),
        ([("s", "1", b"one"), ("s", "2", b"other")], "内容不同"),
    ],
)
def test_each_acknowledged_message_is_there_once_as_it_was(
    stored: list[tuple[str, str, bytes]], told: str
) -> None:
    breaches = present_once(WANTED, stored)
    assert [told in each for each in breaches] == ([True] if told else [])


def test_many_breaches_are_counted_and_not_all_told() -> None:
    breaches = present_once({("s", str(number)): b"" for number in range(9)}, [])
    assert len(breaches) == 6
    assert "共 9 处" in breaches[-1]


def test_a_message_that_nobody_sent_is_told() -> None:
    assert resent_anew(["a"], ["a"]) == []
    assert "1 条报送方没有报过的，如 b" in resent_anew(["a"], ["a", "b"])[0]


def test_what_names_stands_after_what_is_named() -> None:
    places = {"a": 1, "b": 2}
    assert in_order(places, [("a", "b"), ("a", "gone")]) == []
    assert "a 引用的 b 补在它后面" in in_order(places, [("b", "a")])[0]


def test_every_bug_changes_something_that_is_there() -> None:
    assert all(hasattr(bug.place, bug.name) for bug in BUGS)
    assert all(bug.change(getattr(bug.place, bug.name)) is not getattr(bug.place, bug.name) for bug in BUGS)
