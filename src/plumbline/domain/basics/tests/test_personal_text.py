"""Identity and mobile numbers are found in free text, look-alikes are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.domain.basics.personal_text import PersonalKind, personal_spans

RESIDENT = "11010519491231002X"
FULL_WIDTH = str.maketrans(
    "0123456789X", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff38"
)


def kinds(text: str) -> list[str]:
    return [span.kind.value for span in personal_spans(text)]


@pytest.mark.parametrize(
    "number",
    [
        RESIDENT,
        RESIDENT.lower(),
        RESIDENT.translate(FULL_WIDTH),
        "110105 19491231 002X",
        "110105-19491231-002X",
    ],
)
def test_a_resident_number_is_found_however_it_is_written(number):
    text = f"送样人证件{number}，已核对"
    (span,) = personal_spans(text)
    assert span.kind is PersonalKind.RESIDENT_ID
    assert text[span.start : span.end] == number


@pytest.mark.parametrize(
    "number",
    [
        "13812345678",
        "138 1234 5678",
        "138-1234-5678",
        "\uff11\uff13\uff18\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "+8613812345678",
        "86 138 1234 5678",
    ],
)
def test_a_mobile_number_is_found_however_it_is_written(number):
    text = f"联系{number}。"
    (span,) = personal_spans(text)
    assert span.kind is PersonalKind.MOBILE
    assert text[span.start : span.end] == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "报告 HC-TYJ-2026-004187",
        "证件 110105194912310021",
        "12812345678",
        "1381234567",
        "138123456789",
        "金额 13812345678.50 元",
        "系数 0.13812345678",
        "摘要 9f13812345678aabbccddeeff00112233",
        "029-88888888",
        "C30 混凝土 150×150×150",
    ],
)
def test_other_numbers_are_left_alone(text):
    assert kinds(text) == []


def test_a_sentence_with_both_gives_both_in_order():
    assert kinds(f"张三 13812345678 {RESIDENT}") == ["mobile", "resident_id"]
    assert kinds(f"tel13812345678，{RESIDENT}") == ["mobile", "resident_id"]


def test_a_full_stop_after_the_number_hides_nothing():
    assert kinds("请打 13812345678.") == ["mobile"]


@given(st.text())
def test_spans_lie_inside_the_text_and_nothing_is_raised(text):
    for span in personal_spans(text):
        assert 0 <= span.start < span.end <= len(text)


@given(st.text(alphabet=st.characters(blacklist_categories=["Nd", "Cs"]), max_size=20))
def test_a_number_is_found_after_any_words(words):
    assert "resident_id" in kinds(f"{words} {RESIDENT}")
