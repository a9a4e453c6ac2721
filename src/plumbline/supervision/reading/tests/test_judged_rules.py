"""The findings column: every condition of the gate has its line, a broken rule is no kept one, words of time and clause."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from plumbline.domain.reporting import gate
from plumbline.supervision.pages.wording import ProofState
from plumbline.supervision.reading.curve_panels import agreement_of
from plumbline.supervision.reading.judged import CURVE_RULES, GATE_RULES, SAMPLING_RULES, panel
from plumbline.supervision.reading.proofs import proof_state, source_text
from plumbline.supervision.reading.words import after, clause_text, span


def finding(code: str, severity: str = "warning", sentence: str = "用了 34 分钟") -> dict[str, Any]:
    return {
        "code": code,
        "severity": severity,
        "sentence": sentence,
        "clause": "BJ 7.1.2-b",
        "remedy": "说明原因",
    }


def test_every_condition_of_the_gate_has_one_line() -> None:
    assert len(GATE_RULES) == len(gate.CONDITIONS)


def test_a_broken_rule_becomes_a_card_and_leaves_the_kept_ones() -> None:
    shown = panel([finding("custody.late_registration")], SAMPLING_RULES)
    assert [card.title for card in shown.cards] == ["取样登记晚了"]
    assert shown.cards[0].standing == "疑点，尚未认定。"
    assert (shown.judged, len(shown.satisfied)) == (3, 2)


def test_a_finding_of_no_listed_rule_counts_as_judged() -> None:
    shown = panel([finding("methods.invalid_group", "notice")], SAMPLING_RULES)
    assert (shown.judged, len(shown.satisfied), len(shown.cards)) == (4, 3, 1)


def test_the_same_finding_twice_is_one_card_and_the_heaviest_comes_first() -> None:
    shown = panel([finding("a.b", "notice"), finding("a.b", "notice"), finding("c.d", "severe")], [])
    assert [card.code for card in shown.cards] == ["c.d", "a.b"]


def test_any_finding_about_the_curve_breaks_the_curve_rule() -> None:
    assert panel([finding("curve.smoothed_curve")], CURVE_RULES).satisfied == ()
    assert len(panel([finding("custody.late_test")], CURVE_RULES).satisfied) == 1


@pytest.mark.parametrize(
    ("reported", "computed", "answer"),
    [
        ({"strength": "36.50"}, {"strength": "36.5"}, "agree"),
        ({"strength": "36.4"}, {"strength": "36.5"}, "differ"),
        ({"strength": "36.5"}, {}, "not_compared"),
    ],
)
def test_values_agree_as_numbers_not_as_text(
    reported: dict[str, str], computed: dict[str, str], answer: str
) -> None:
    assert agreement_of("concrete_cube", reported, computed)[0] == answer


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "3 秒"),
        (59, "59 秒"),
        (60, "1 分钟"),
        (2040, "34 分钟"),
        (106_080, "29 小时 28 分"),
        (172_800, "2 天"),
    ],
)
def test_a_length_of_time_has_one_or_two_units(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


def test_an_order_the_wrong_way_round_is_said() -> None:
    assert after("取样", timedelta(minutes=-5)) == "比取样早 5 分钟"


@pytest.mark.parametrize(
    ("clause", "text"),
    [
        ("BJ 7.1.2-b", "DB6103 7.1.2"),
        ("CECS-E 4.1.2", "T/CECS 条文说明 4.1.2"),
        ("GX 十五", "广西 十五"),
        ("", ""),
    ],
)
def test_a_clause_is_written_as_people_cite_it(clause: str, text: str) -> None:
    assert clause_text(clause) == text


@pytest.mark.parametrize(("idx", "state"), [(9, ProofState.LOGGED), (10, ProofState.AWAITING_CHECKPOINT)])
def test_a_checkpoint_covers_the_entries_below_its_size(idx: int, state: ProofState) -> None:
    assert proof_state("origin", idx, 10) is state
    assert proof_state("hmac", idx, 10) is ProofState.SYMMETRIC
    assert proof_state("origin", idx, 10, is_keyed=True) is ProofState.UNSIGNED


def test_what_the_platform_signed_for_somebody_says_so() -> None:
    assert source_text("session", ["owner"]) == "网页 · 平台代录"
    assert source_text("origin", ["institution"], is_machine=True) == "采集程序 · 源头签名"
