"""Windows, order and age of a sample."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

import pytest

from plumbline.domain.basics.findings import Severity
from plumbline.domain.basics.parameters import ParameterSet
from plumbline.domain.custody.timing import (
    AgeFacts,
    Step,
    age_outside_window,
    duration,
    late_registration,
    late_witnessing,
    span_text,
    time_order,
)

PARAMETERS = ParameterSet.load(files("plumbline.domain.custody") / "parameters.toml")
MADE = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
BAOJI, BEIJING = "610302", "110105"
HALF_HOUR = timedelta(minutes=30)
SECOND = timedelta(seconds=1)


@pytest.mark.clause("BJ 7.1.2-b")
@pytest.mark.parametrize(
    ("taken", "late"), [(HALF_HOUR - SECOND, False), (HALF_HOUR, False), (HALF_HOUR + SECOND, True)]
)
def test_the_sampler_has_thirty_minutes_from_making(taken, late):
    findings = late_registration(MADE, MADE + taken, PARAMETERS, BAOJI)
    assert [finding.code for finding in findings] == ["custody.late_registration"] * late


@pytest.mark.clause("BJ 7.1.2-e")
@pytest.mark.parametrize(
    ("taken", "late"), [(HALF_HOUR - SECOND, False), (HALF_HOUR, False), (HALF_HOUR + SECOND, True)]
)
def test_the_witness_has_thirty_minutes_from_the_samplers_entry(taken, late):
    findings = late_witnessing(MADE, MADE + taken, PARAMETERS, BAOJI)
    assert [finding.code for finding in findings] == ["custody.late_witnessing"] * late


def test_a_late_entry_says_how_late_and_the_limit():
    (finding,) = late_registration(MADE, MADE + timedelta(hours=1, seconds=5), PARAMETERS, BAOJI)
    assert finding.sentence == "制样完成后 1 小时 5 秒 才完成取样登记，时限为 30 分钟"
    assert finding.facts["taken_s"] == "3605"
    assert (finding.severity, finding.clause) == (Severity.WARNING, "BJ 7.1.2-b")


@pytest.mark.parametrize("rule", [late_registration, late_witnessing])
def test_what_is_not_done_yet_is_overdue_by_the_given_now_only(rule):
    assert rule(MADE, None, PARAMETERS, BAOJI) == ()
    assert rule(MADE, None, PARAMETERS, BAOJI, now=MADE + HALF_HOUR) == ()
    (finding,) = rule(MADE, None, PARAMETERS, BAOJI, now=MADE + HALF_HOUR + SECOND)
    assert "仍未完成" in finding.sentence


def test_a_place_without_a_window_sets_none():
    assert late_registration(MADE, MADE + timedelta(days=3), PARAMETERS, BEIJING) == ()


def test_steps_in_order_or_at_once_or_unknown_are_no_finding():
    steps = [Step("制样", MADE), Step("见证", None), Step("收样", MADE), Step("试验", MADE + SECOND)]
    assert time_order(steps) == ()


@pytest.mark.clause("CECS-E 4.1.2")
def test_a_step_before_the_one_ahead_of_it_is_named_with_both_moments():
    (finding,) = time_order([Step("收样", MADE, "YP-1"), Step("试验", MADE - SECOND, "YP-1")])
    assert finding.severity is Severity.BLOCK
    assert "试验早于收样 1 秒" in finding.sentence
    assert "2026-03-01 09:00:00 收样" in finding.sentence


def test_one_early_step_does_not_excuse_the_ones_after_it():
    steps = [
        Step("收样", MADE),
        Step("试验", MADE - 2 * HALF_HOUR),
        Step("审核", MADE - HALF_HOUR),
        Step("批准", MADE + SECOND),
    ]
    assert [finding.facts["later_step"] for finding in time_order(steps)] == ["试验", "审核"]


@pytest.mark.parametrize(
    ("seconds", "severity"), [(59, Severity.NOTICE), (60, Severity.NOTICE), (61, Severity.BLOCK)]
)
def test_a_reversal_within_the_tolerance_is_a_notice(seconds, severity):
    steps = [Step("收样", MADE), Step("试验", MADE - timedelta(seconds=seconds))]
    (finding,) = time_order(steps, tolerance=timedelta(seconds=60))
    assert finding.severity is severity


@pytest.mark.parametrize(("microseconds", "found"), [(0, 0), (999_999, 0), (1_000_000, 1), (1_000_001, 1)])
def test_moments_closer_than_their_resolution_are_the_same_moment(microseconds, found):
    steps = [Step("批准", MADE), Step("申请监管码", MADE - timedelta(microseconds=microseconds))]
    assert len(time_order(steps, resolution=SECOND)) == found


def test_a_moment_within_the_resolution_does_not_lower_the_measure():
    steps = [Step("审核", MADE), Step("批准", MADE - SECOND / 2), Step("申请监管码", MADE - SECOND)]
    assert [finding.facts["later_step"] for finding in time_order(steps, resolution=SECOND)] == ["申请监管码"]


def age_codes(required: int, off: timedelta, *, standard_cured: bool = True) -> list[str]:
    tested = MADE + timedelta(days=required) + off
    facts = AgeFacts(
        subject="YP-1",
        made_at=MADE,
        tested_at=tested,
        required_age_d=required,
        standard_cured=standard_cured,
    )
    return [finding.code for finding in age_outside_window(facts, PARAMETERS, BEIJING)]


@pytest.mark.parametrize(
    ("required", "hours"), [(1, 0.5), (3, 2), (7, 6), (28, 20), (56, 24), (60, 24), (84, 48), (180, 48)]
)
def test_the_age_window_is_closed_at_both_ends(required, hours):
    limit = timedelta(hours=hours)
    assert age_codes(required, limit) == age_codes(required, -limit) == []
    assert age_codes(required, limit + SECOND) == ["custody.late_test"]
    assert age_codes(required, -limit - SECOND) == ["custody.early_test"]


def test_the_age_rule_is_unverified_and_says_the_age():
    facts = AgeFacts(
        subject="YP-1",
        made_at=MADE,
        tested_at=MADE + timedelta(days=30),
        required_age_d=28,
        standard_cured=True,
    )
    (finding,) = age_outside_window(facts, PARAMETERS, BAOJI)
    assert finding.unverified
    assert finding.facts["age_h"] == "720.00"
    assert "比要求晚 2 天" in finding.sentence


def test_field_cured_specimens_have_no_window():
    assert age_codes(28, timedelta(days=9), standard_cured=False) == []


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0 秒 "),
        (timedelta(seconds=59), "59 秒 "),
        (timedelta(days=1, minutes=3), "1 天 3 分 "),
        (timedelta(milliseconds=1500), "1 秒余 "),
        (timedelta(milliseconds=350), "350 毫秒 "),
        (timedelta(microseconds=7), "不到 1 毫秒 "),
    ],
)
def test_spans_are_told_in_chinese(span, text):
    assert span_text(span) == text


def test_a_parameter_in_another_unit_is_no_duration():
    on = date(2026, 1, 1)
    with pytest.raises(ValueError, match="not a duration"):
        duration(PARAMETERS.value("video_retention", BAOJI, on))
