"""Codes of organisations, persons and divisions: what is right, and which part is wrong."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.domain.basics.identifiers import (
    division_prefix,
    division_problem,
    division_range,
    is_resident_id,
    is_uscc,
    party_id,
    resident_id_problems,
    uscc_check_character,
    uscc_problem,
)

# The published example of GB 32100's check and one invented body with its computed check.
USCC = "91350100M000100Y43"
# Invented person: the body is made up, the check is computed.
BODY = "11010519491231002"
RESIDENT = BODY + "X"
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def test_a_known_uscc_is_right():
    assert is_uscc(USCC)
    assert uscc_check_character(USCC[:17]) == USCC[17]


@pytest.mark.parametrize(
    ("text", "part", "hint"),
    [
        (USCC[:17], "长度", "17 位"),
        (USCC + "0", "长度", "19 位"),
        ("9I350100M000100Y43", "字符", "数字 1"),
        ("9O350100M000100Y43", "字符", "数字 0"),
        ("91350100m000100Y43", "字符", "大写"),
        ("\uff191350100M000100Y43", "字符", "半角"),
        ("91A50100M000100Y43", "行政区划", "第 3 至 8 位"),
        ("91350100M000100Y44", "校验码", "第 18 位"),
    ],
)
def test_a_wrong_uscc_says_why(text, part, hint):
    problem = uscc_problem(text)
    assert problem is not None
    assert problem.part == part
    assert hint in str(problem)


@given(st.integers(0, 17), st.sampled_from(ALPHABET))
def test_every_single_wrong_character_of_a_uscc_is_seen(place, character):
    changed = USCC[:place] + character + USCC[place + 1 :]
    assert is_uscc(changed) == (changed == USCC)


def test_a_party_is_named_by_the_hash_of_its_code():
    expected = hashlib.sha256(b"plumb-party\x00" + USCC.encode()).digest()[:16]
    assert party_id(USCC) == expected


def test_a_wrong_code_names_no_party():
    with pytest.raises(ValueError, match="校验码"):
        party_id(USCC[:17] + "4")


def test_a_valid_resident_number_has_no_problem():
    assert is_resident_id(RESIDENT)
    assert is_resident_id(RESIDENT, on=date(1949, 12, 31))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (RESIDENT[:-1], ["长度"]),
        ("110105491231002", ["长度"]),
        (BODY + "x", ["字符"]),
        (BODY + "\uff11", ["字符"]),
        (BODY + "1", ["校验码"]),
        ("00010519491231002" + "X", ["行政区划", "校验码"]),
        ("11010519490230002" + "X", ["出生日期", "校验码"]),
        ("11010518991231002" + "X", ["出生日期", "校验码"]),
    ],
)
def test_each_wrong_part_of_a_resident_number_is_named(text, parts):
    assert [problem.part for problem in resident_id_problems(text)] == parts


def test_a_birth_after_the_day_of_judgement_is_wrong():
    problems = resident_id_problems(RESIDENT, on=date(1949, 12, 30))
    assert [problem.part for problem in problems] == ["出生日期"]


def test_no_problem_repeats_the_number():
    for problem in resident_id_problems(BODY + "1"):
        assert BODY[:6] not in str(problem)
        assert BODY[6:14] not in str(problem)


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("610300", None),
        ("810000", None),
        ("61030", "长度"),
        ("\uff1610300", "长度"),
        ("990000", "省级代码"),
        ("610003", "市级代码"),
    ],
)
def test_division_codes_have_six_digits_and_a_province(code, part):
    problem = division_problem(code)
    assert (problem.part if problem else None) == part


@pytest.mark.parametrize(
    ("code", "prefix", "scope"),
    [
        ("610000", "61", ("610000", "620000")),
        ("610300", "6103", ("610300", "610400")),
        ("610302", "610302", ("610302", "610303")),
        ("659900", "6599", ("659900", "660000")),
    ],
)
def test_a_division_is_a_range_of_codes(code, prefix, scope):
    assert division_prefix(code) == prefix
    assert division_range(code) == scope
