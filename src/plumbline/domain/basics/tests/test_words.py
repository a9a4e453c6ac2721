"""Texts are brought to one form; characters that nobody sees are refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.domain.basics.words import TextProblem, cleaned, normalised, text_problem


def test_a_text_comes_back_in_normal_form_without_blanks_at_the_ends():
    assert cleaned("  e\u0301cole ") == "école"


@pytest.mark.parametrize(
    ("character", "reason"),
    [
        ("\0", "NUL"),
        ("\x07", "控制字符"),
        ("\n", "控制字符"),
        ("\x85", "控制字符"),
        ("\u202e", "书写方向"),
        ("\u2066", "书写方向"),
        ("\u200b", "格式字符"),
        ("\ufeff", "格式字符"),
        ("\u00ad", "格式字符"),
        ("\U000e0041", "格式字符"),
        ("\u2028", "行分隔符"),
        ("\ud800", "代理码位"),
        ("\uffff", "未定义"),
        ("\u0378", "未定义"),
        ("\U0002ffff", "未定义"),
        ("\u3164", "看不见"),
    ],
)
def test_a_character_that_hides_is_refused_with_its_place(character, reason):
    problem = cleaned(f"张{character}三")
    assert isinstance(problem, TextProblem)
    assert problem.position == 1
    assert problem.code_point == f"U+{ord(character):04X}"
    assert reason in problem.reason


@pytest.mark.parametrize(
    "text",
    ["张三", "𠮷野家", "买买提·艾力", "C30（P6）", "\ue000", "䶮", "\U0002a700", "\U0002ebf0", "\U00031350"],
)
def test_names_and_grades_pass(text):
    assert cleaned(text) == text


def test_lines_and_tabs_pass_only_where_several_lines_are_allowed():
    assert text_problem("一\n二\t三", multiline=True) is None
    assert text_problem("一\r\n二", multiline=True) is not None


@given(st.text())
def test_a_clean_text_stays_as_it_is(text):
    answer = cleaned(text)
    if isinstance(answer, str):
        assert cleaned(answer) == answer == normalised(answer)
        assert unicodedata.is_normalized("NFC", answer)
