"""真伪, 结果 and 过程 stay apart: a failing report is genuine, a withheld one says why, findings never change either."""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.verdicts import (
    authenticity_answer,
    process_answer,
    reported,
    result_answer,
    result_chip,
    result_text,
)

SOUND = {
    "examined": True,
    "accepted": True,
    "root_kind": "licensed",
    "examination": [],
    "withdrawn_because": None,
}


def cube(percent: str, *, age: int | None = 28, value: str = "39.3") -> Any:
    values = [
        {"symbol": "value", "name": "抗压强度代表值", "value": value, "unit": "MPa"},
        {"symbol": "percent_of_grade", "name": "百分率", "value": percent, "unit": "pct"},
    ]
    body = {"conclusion": "NOT_JUDGED", "conclusion_text": "…", "parameters": [{"values": values}]}
    return reported("concrete_cube", body, {"grade": "C35", "required_age_d": age})


@pytest.mark.parametrize(
    ("percent", "tone", "word"),
    [("99.9", Tone.BAD, "未达设计"), ("100", Tone.OK, "达到设计"), ("100.1", Tone.OK, "达到设计")],
)
def test_a_cube_reaches_its_grade_from_one_hundred_per_cent(percent: str, tone: Tone, word: str) -> None:
    chip = result_chip(cube(percent), "registered")
    assert (chip.tone, chip.text) == (tone, word)
    assert result_answer(cube(percent), "").tone is tone


def test_an_early_strength_is_not_held_against_the_grade() -> None:
    assert result_chip(cube("82", age=7), "registered").text == "不作判定"
    assert "7 天龄期" in result_answer(cube("82", age=7), "").detail


def test_the_result_in_a_list_is_value_and_per_cent() -> None:
    assert result_text(cube("112.3")) == "39.3 MPa 112.3 %"


def test_bars_show_yield_and_tensile_strength() -> None:
    names = (("ReH", "上屈服强度 ReH", "455"), ("ReL", "下屈服强度 ReL", "447"), ("Rm", "抗拉强度 Rm", "611"))
    values = [{"symbol": s, "name": n, "value": v, "unit": "MPa", "ordinal": 1} for s, n, v in names]
    body = {"conclusion": "FAIL", "conclusion_text": "不合格", "parameters": [{"values": values}]}
    said = reported("rebar_tension", body, None)
    assert result_text(said) == "ReL 447，Rm 611 MPa"
    assert result_answer(said, "").headline == "不合格"


def test_a_registered_and_examined_report_is_genuine_whatever_its_result() -> None:
    answer = authenticity_answer({"state": "registered"}, SOUND, "甲机构", [])
    assert (answer.tone, answer.headline) == (Tone.OK, "报告真实")


def test_a_demo_certificate_is_said_in_the_headline() -> None:
    answer = authenticity_answer({"state": "registered"}, SOUND | {"root_kind": "demo"}, "甲机构", [])
    assert "演示证书" in answer.headline


@pytest.mark.parametrize(
    ("registration", "tone"),
    [
        ({"examined": False}, Tone.TODO),
        ({"examined": True, "accepted": False, "examination": None}, Tone.BAD),
    ],
)
def test_a_report_that_was_not_examined_or_not_sound_is_never_genuine(
    registration: dict[str, Any], tone: Tone
) -> None:
    assert authenticity_answer({"state": "registered"}, SOUND | registration, "甲机构", []).tone is tone


@pytest.mark.parametrize(
    "state", ["applied", "released", "withheld", "reserved", "expired", "withdrawn", "superseded"]
)
def test_no_other_state_is_genuine(state: str) -> None:
    reasons = [{"sentence": "缺曲线"}]
    answer = authenticity_answer(
        {"state": state}, SOUND if state in ("withdrawn", "superseded") else None, "甲机构", reasons
    )
    assert answer.tone is not Tone.OK


def test_a_withheld_code_gives_its_first_reason() -> None:
    answer = authenticity_answer(
        {"state": "withheld"}, None, "甲机构", [{"sentence": "缺力值曲线"}, {"sentence": "缺见证"}]
    )
    assert "2 条原因：缺力值曲线" in answer.detail


def test_reminders_do_not_touch_authenticity_and_are_hidden_from_parties() -> None:
    assert process_answer(["warning", "notice"], is_visible=True).headline == "1 项提醒，不影响真伪"
    hidden = process_answer(["severe"], is_visible=False)
    assert hidden.tone is Tone.OFF
    assert "严重" not in hidden.headline
