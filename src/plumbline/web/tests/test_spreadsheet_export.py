"""No cell of an export is a formula (导出无公式), however it is written and wherever a spreadsheet splits; numbers stay numbers."""

from __future__ import annotations

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plumbline.web.spreadsheet import MARK, csv_lines, safe_cell

_NUMBER = re.compile(r"\s*-?\d{1,15}(\.\d{1,15})?\s*")
_PIECES = st.sampled_from(
    ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\u207b", "\t", "\r", "\n", "\0", " ", "\u3000", "\ufeff",
     "\u202e", "\u200b", ";", "；", ",", '"', "'", "|", "38.5", "-2", "cmd|' /C calc'!A0", "HYPERLINK(A1)", "甲"]
)  # fmt: skip
_CELLS = st.lists(_PIECES | st.text(max_size=3), max_size=8).map("".join)


def _is_formula(cell: str) -> bool:
    seen = cell.lstrip()
    first = unicodedata.normalize("NFKC", seen[:1])[:1]
    return bool(first) and first in "=+-@\u2212" and not _NUMBER.fullmatch(cell)


@settings(deadline=None)
@example([["甲", 'x;"=1+1'], ["甲", 'x;" "" =1']])
@example([["-2", "5+cmd|' /C calc'!A0"], ["甲;-2", "5"], ["甲", "乙,丙;-2"]])
@example([["甲;-2；丙", "；-2;5"], ["甲；-2;", "5"], ["甲", "乙,;"], ["-2"], ["5"]])
@given(st.lists(st.lists(_CELLS, min_size=1, max_size=4), max_size=4))
def test_no_cell_of_an_export_begins_a_formula_wherever_it_is_split(rows):
    text = "".join(csv_lines(rows)).removeprefix(MARK)
    for delimiter in (",", ";", "\t"):
        read = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        assert [cell for row in read for cell in row if _is_formula(cell)] == []
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert [len(row) for row in lines] == [len(row) for row in rows]  # one line is one row


def test_a_negative_number_stays_one_unless_it_runs_on_into_the_next_cell():
    assert list(csv_lines([["甲", "-2", "5"], ["-2"], ["-2", "5"]]))[1:] == [
        "甲,-2,5\r\n",
        "-2\r\n",
        "'-2,5\r\n",
    ]


@pytest.mark.parametrize("cell", ["38.5", "-2", "-0.125", "0", "2026-11-22", "甲=乙", "", "C35；28 d", "a-b"])
def test_numbers_and_plain_words_stay_as_they_are(cell):
    assert safe_cell(cell) == cell


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+8613800000000", "'+8613800000000"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1", "'\uff1d1"),
        ("\t=1", "' =1"),
        ("\ufeff=1", "'=1"),
        ("甲;=1", "甲;'=1"),
        ("甲; -3.5", "甲; -3.5"),
        ('甲;"=1', "甲;'\"=1"),
        ("甲\n乙\0", "甲 乙 "),
    ],
)
def test_what_begins_like_a_formula_is_marked_as_text(cell, safe):
    assert safe_cell(cell) == safe
