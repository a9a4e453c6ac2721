"""Verdict words and the states of a report."""

from __future__ import annotations

import pytest

from plumbline.domain.reporting.verdicts import TRANSITIONS, ReportState, Verdict, may_follow

ALLOWED = {
    ("applied", "withheld"),
    ("applied", "reserved"),
    ("withheld", "reserved"),
    ("withheld", "applied"),
    ("reserved", "registered"),
    ("reserved", "expired"),
    ("registered", "withdrawn"),
    ("registered", "superseded"),
}


@pytest.mark.parametrize("current", ReportState)
@pytest.mark.parametrize("following", ReportState)
def test_only_the_listed_transitions_are_allowed(current, following):
    assert may_follow(current, following) is ((current.value, following.value) in ALLOWED)


def test_every_state_has_transitions_and_a_word_of_its_own():
    assert set(TRANSITIONS) == set(ReportState)
    assert len({state.label for state in ReportState}) == len(ReportState)


def test_a_code_is_valid_only_while_registered():
    assert [state for state in ReportState if state.has_valid_code] == [ReportState.REGISTERED]


def test_verdicts_carry_the_words_of_the_report():
    assert [verdict.label for verdict in Verdict] == ["合格", "不合格", "不作判定", "无效"]
