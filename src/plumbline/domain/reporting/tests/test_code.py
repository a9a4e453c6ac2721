"""The supervision code: made, typed, misread, and never silently wrong."""

from __future__ import annotations

import secrets
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.domain.reporting.code import (
    ALPHABET,
    GROUPS,
    LENGTH,
    CodeProblem,
    ParsedCode,
    check_character,
    format_code,
    new_code,
    parse_code,
)

MONTH = date(2026, 11, 20)
CODES = st.builds(
    lambda year, month, issuer, random: new_code(date(year, month, 1), issuer, lambda bits: random),
    st.integers(2000, 2099),
    st.integers(1, 12),
    st.text(alphabet=ALPHABET, min_size=3, max_size=3),
    st.integers(0, 2**65 - 1),
)
FIXED = new_code(MONTH, "HCA", lambda bits: 0x1_2345_6789_ABCD_EF01)


@pytest.mark.clause("CECS 4.1.2-a")
def test_a_code_has_month_issuer_random_and_check():
    asked: list[int] = []
    code = new_code(MONTH, "HCA", lambda bits: asked.append(bits) or 2**65 - 1)
    assert asked == [65]
    assert code[:20] == "2611HCA" + "Z" * 13
    assert len(code) == LENGTH
    assert sum(GROUPS) == LENGTH


def test_the_check_is_the_weighted_sum_over_gf_32():
    # By hand: one 1 in place i weighs g^(i+1); g, g^2, g^3, g^4 = 2, 4, 8, 16 and g^5 = 5 (x^5 = x^2 + 1).
    for place, weight in enumerate([2, 4, 8, 16, 5, 10, 20, 13]):
        body = "0" * place + "1" + "0" * (19 - place)
        assert check_character(body) == ALPHABET[weight]


@pytest.mark.clause("CECS 4.1.2-a")
def test_a_thousand_codes_of_the_system_source_differ_and_read_back():
    codes = {new_code(MONTH, "HCA", secrets.randbits) for _ in range(1000)}
    assert len(codes) == 1000
    assert all(parse_code(code) == ParsedCode(code) for code in codes)


@given(CODES)
def test_what_was_made_is_read_with_its_month_and_issuer(code):
    parsed = parse_code(format_code(code))
    assert isinstance(parsed, ParsedCode)
    assert (parsed.text, parsed.issuer) == (code, code[4:7])
    assert f"{parsed.year % 100:02}{parsed.month:02}" == code[:4]


@settings(max_examples=20, deadline=None)
@given(CODES)
def test_every_single_wrong_character_is_detected(code):
    for place in range(LENGTH):
        for character in ALPHABET:
            changed = code[:place] + character + code[place + 1 :]
            assert isinstance(parse_code(changed), ParsedCode) == (changed == code)


@settings(max_examples=50, deadline=None)
@given(CODES)
def test_every_swap_of_neighbours_is_detected(code):
    for place in range(LENGTH - 1):
        swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
        assert isinstance(parse_code(swapped), ParsedCode) == (swapped == code)


@given(CODES, st.sampled_from(ALPHABET))
def test_every_twin_error_is_detected(code, character):
    for place in range(LENGTH - 1):
        if code[place] == code[place + 1]:
            changed = code[:place] + character * 2 + code[place + 2 :]
            assert isinstance(parse_code(changed), ParsedCode) == (changed == code)


@pytest.mark.parametrize(
    "typed",
    [
        format_code(FIXED),
        format_code(FIXED).lower(),
        " ".join(FIXED),
        format_code(FIXED).replace("-", " — "),
        format_code(FIXED).replace("-", "\uff0d"),
        "".join(chr(ord(c) + 0xFEE0) for c in FIXED),
        FIXED.replace("0", "O").replace("1", "I"),
        FIXED.replace("0", "o").replace("1", "l"),
        f"\n{FIXED}\t",
    ],
)
def test_a_code_is_read_however_people_type_it(typed):
    assert parse_code(typed) == ParsedCode(FIXED)


def test_a_code_is_shown_in_groups():
    assert format_code(FIXED).startswith("2611-HCA-")
    assert [len(group) for group in format_code(FIXED).split("-")] == list(GROUPS)


def grouped(number: int, text: str) -> str:
    groups = format_code(FIXED).split("-")
    groups[number - 1] = text
    return "-".join(groups)


@pytest.mark.parametrize(
    ("typed", "groups", "words"),
    [
        (grouped(3, "AU2B"), (3,), "是否应为 V"),
        (grouped(2, "中文A"), (2,), "不该出现"),
        (grouped(4, "ABC"), (4,), "漏抄"),
        (grouped(1, "2613"), (1,), "月份"),
        (grouped(1, "2600"), (1,), "月份"),
        (grouped(1, "A611"), (1,), "月份"),
        (FIXED[:-1], (), "现为 20 位"),
        (FIXED + "0", (), "现为 22 位"),
        ("", (), "现为 0 位"),
        ("A" * 10_000, (), "位"),
    ],
)
def test_a_problem_names_the_group_that_looks_wrong(typed, groups, words):
    problem = parse_code(typed)
    assert isinstance(problem, CodeProblem)
    assert problem.groups == groups
    assert words in str(problem)


def test_a_look_alike_slip_points_to_its_group():
    code = new_code(MONTH, "HCA", lambda bits: 8 << 60)
    problem = parse_code(code[:7] + "B" + code[8:])
    assert isinstance(problem, CodeProblem)
    assert 3 in problem.groups
    assert "校验不符" in problem.reason


@given(st.text())
def test_any_text_gets_an_answer(text):
    assert isinstance(parse_code(text), ParsedCode | CodeProblem)


@pytest.mark.parametrize("issuer", ["", "HC", "HCAB", "hca", "HIA", "HUA", "H A"])
def test_an_issuer_that_cannot_be_is_a_bug(issuer):
    with pytest.raises(ValueError, match="issuer"):
        new_code(MONTH, issuer, secrets.randbits)


@pytest.mark.parametrize("random", [-1, 2**65])
def test_a_source_out_of_range_is_a_bug(random):
    with pytest.raises(ValueError, match="out of range"):
        new_code(MONTH, "HCA", lambda bits: random)


@pytest.mark.parametrize("year", [1999, 2100])
def test_a_year_beyond_two_digits_is_a_bug(year):
    with pytest.raises(ValueError, match="two digits"):
        new_code(date(year, 1, 1), "HCA", secrets.randbits)
