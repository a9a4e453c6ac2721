"""What is told of a refusal (问题详情): a message was not taken; what was only looked up is looked up again."""

from __future__ import annotations

import pytest

from plumbline.exchange.problems import KINDS, Problem


@pytest.mark.parametrize("slug", ["clock-off", "unavailable", "rate-limited", "queue-full", "internal"])
def test_a_look_up_that_cannot_be_answered_now_speaks_of_no_message(slug: str) -> None:
    sent, asked = Problem(slug=slug, retry_after_s=30), Problem(slug=slug, retry_after_s=30, is_lookup=True)
    assert "没有收下" in str(sent.body()["title"]) and "uid" in str(sent.body()["remedy"])
    told = " ".join(str(asked.body()[name]) for name in ("title", "detail", "remedy"))
    assert "没有收下" not in told and "uid" not in told
    assert told.endswith("请稍后再查：30 秒以后")
    assert asked.body()["type"] == sent.body()["type"]


def test_every_refusal_of_now_has_words_for_a_look_up() -> None:
    assert {each.slug for each in KINDS.values() if each.lookup_title} == {
        each.slug for each in KINDS.values() if each.status in (429, 500, 503)
    }
