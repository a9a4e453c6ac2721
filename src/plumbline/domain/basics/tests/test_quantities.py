"""A measured value is kept exactly as written."""

from __future__ import annotations

import copy
import pickle
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.domain.basics.quantities import PATTERN, MeasuredDecimal, QuantityError

WRITTEN = st.from_regex(re.compile(PATTERN, re.ASCII), fullmatch=True)


@given(WRITTEN)
def test_whatever_the_pattern_allows_comes_back_as_written(text):
    measured = MeasuredDecimal.parse(text)
    assert str(measured) == measured.text == text
    assert measured.value == Decimal(text)
    assert measured.places == len(text.partition(".")[2])


@given(st.text())
def test_any_other_text_gives_a_reason_and_never_another_error(text):
    if not re.match(PATTERN, text, re.ASCII):
        with pytest.raises(QuantityError) as refused:
            MeasuredDecimal.parse(text)
        assert refused.value.reason
        assert refused.value.remedy


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "为空"),
        ("12.5\n", "空白或换行"),
        ("\uff11\uff12", "全角"),
        ("٣", "全角或非 ASCII"),
        ("+1", "正号"),
        ("1e3", "科学计数法"),
        ("1_000", "分隔符"),
        ("1,000", "分隔符"),
        ("NaN", "不是有限的数"),
        ("-Infinity", "不是有限的数"),
        ("007", "前导零"),
        (".5", "缺少整数部分"),
        ("5.", "小数点后没有数字"),
        ("1" * 16, "超过 15 位"),
        ("0." + "1" * 10, "超过 9 位"),
        ("12 MPa", "分隔符"),
        ("--1", "不是十进制数"),
    ],
)
def test_the_reason_names_what_is_wrong(text, reason):
    with pytest.raises(QuantityError, match=reason):
        MeasuredDecimal.parse(text)


@pytest.mark.parametrize("text", ["1" * 15, "0." + "1" * 9, "-0", "0", "-0.0", "1" * 15 + "." + "9" * 9])
def test_the_longest_and_smallest_forms_pass(text):
    assert MeasuredDecimal.parse(text).text == text


@pytest.mark.parametrize("value", [12, 12.5, None, Decimal(1), True])
def test_a_number_instead_of_a_text_is_refused(value):
    with pytest.raises(QuantityError, match="字符串"):
        MeasuredDecimal.parse(value)


def test_equality_goes_by_text_and_order_by_value():
    short, long, more = map(MeasuredDecimal, ("12.5", "12.50", "12.51"))
    assert short != long
    assert not short < long
    assert short <= long <= short
    assert max(short, more) == more
    assert len({short, long, MeasuredDecimal("12.5")}) == 2


def test_it_never_changes_and_survives_copying():
    measured = MeasuredDecimal("1.20")
    with pytest.raises(AttributeError):
        measured.text = "2"
    assert copy.deepcopy(measured) == pickle.loads(pickle.dumps(measured)) == measured


def test_a_number_is_no_measured_value():
    assert MeasuredDecimal("1") != Decimal(1)
    with pytest.raises(TypeError):
        _ = MeasuredDecimal("1") < 2
