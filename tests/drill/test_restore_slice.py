"""A slice of `plumbline drill restore` in its own code: base backup, archived WAL, recovery, resending; and a bug (恢复演练的一段)."""

from __future__ import annotations

import random

import pytest

from plumbline.drill.restoring.bugs import BUGS, put_in
from plumbline.drill.restoring.story import Story, open_stage

pytestmark = [pytest.mark.service, pytest.mark.slow]
SCENE = "两次报送之间"
BUG = next(each for each in BUGS if each.title == "对账漏掉最后一条")


def test_what_a_recovery_loses_is_listed_and_sent_again_and_a_list_that_is_one_short_is_found() -> None:
    """Both on one stage, the bug in the epoch after the first recovery: what takes long is making a platform."""
    with open_stage() as stage:
        story = Story(stage, 16, random.Random(1), scene=SCENE)
        story.play(SCENE)
        assert story.broken == []
        assert story.counts[f"{SCENE} 缺少（报送方的）"] == story.counts[f"{SCENE} 补传"] == 7  # and a file
        assert len(stage.acknowledged()) == 14
        spoilt = Story(stage, 8, random.Random(2), scene=BUG.title, is_spoilt=True)
        with put_in(BUG):
            spoilt.play(SCENE)
    assert any("回执对账列出的：漏了" in each for each in spoilt.broken), spoilt.broken
