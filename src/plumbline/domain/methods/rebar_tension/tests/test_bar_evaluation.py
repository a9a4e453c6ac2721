from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from plumbline.domain.basics.quantities import MeasuredDecimal
from plumbline.domain.methods.evaluations import MethodInputError
from plumbline.domain.methods.rebar_tension.evaluation import evaluate_raw, weight_deviation
from plumbline.domain.methods.tests.recordings import known_answers, worked_cases

EDITION = "GB 1499.2-2024"
GOOD = {"diameter_mm": "20", "FeL_kN": "138.5", "Fm_kN": "182.0", "Agt_pct": "12.0"}


def raw(grade: str | None = "HRB400E", **changes: object) -> dict[str, object]:
    bar = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return {"specimens": [bar], **({} if grade is None else {"grade": grade})}


@pytest.mark.parametrize("case", worked_cases("rebar_tension"))
def test_worked_bars(case: dict[str, Any]) -> None:
    bar = {"diameter_mm": case["diameter"], "FeL_kN": case["FeL"], "Fm_kN": case["Fm"]}
    if "Agt" in case:
        bar["Agt_pct"] = case["Agt"]
    options = {"rounding": case["rounding"]} if "rounding" in case else {}
    result = evaluate_raw({"specimens": [bar], "grade": case["grade"]}, case["edition"], options)
    for key in ("ReL", "Rm", "ratio_Rm_ReL", "ratio_ReL_k"):
        assert result.values[f"{key}_1"] == case[key], key
    assert result.verdict == case["verdict"]


@pytest.mark.parametrize(
    ("path", "expected"), [("YB/T 081", "expected_5MPa"), ("GB/T 228.1", "expected_1MPa")]
)
def test_known_bars_agree(path: str, expected: str) -> None:
    for case in known_answers("rebar_gbt1499_2"):
        bar = {"diameter_mm": str(case["d"]), "FeL_kN": str(case["FeL_kN"]), "Fm_kN": str(case["Fm_kN"])}
        grade = f"HRB{case['ReL_char']}E"
        values = evaluate_raw({"specimens": [bar], "grade": grade}, EDITION, {"rounding": path}).values
        known = case[expected]
        assert values["ReL_1"] == known["ReL"]
        assert values["Rm_1"] == known["Rm"]
        assert values["ratio_Rm_ReL_1"] == known["ratio_RmReL_rounded"]
        assert values["ratio_ReL_k_1"] == known["ratio_ReL_k"]


def test_one_failing_bar_fails_the_sample_and_is_named() -> None:
    record = {"specimens": [GOOD, {**GOOD, "FeL_kN": "124.0"}], "grade": "HRB400E"}
    result = evaluate_raw(record, EDITION, {})
    assert result.verdict == "FAIL"
    told = [f.sentence for f in result.findings if f.code == "rebar_tension.failed_requirement"]
    assert told == ["第 2 根：下屈服强度 ReL 为 395 MPa，低于 HRB400E 的规定值 400 MPa。"]


@pytest.mark.parametrize(("grade", "code"), [(None, "unknown_grade"), ("HRB335", "unknown_grade")])
def test_a_bar_of_unknown_grade_is_computed_but_not_judged(grade: str | None, code: str) -> None:
    result = evaluate_raw(raw(grade), EDITION, {})
    assert (result.verdict, result.values["ReL_1"]) == ("NOT_JUDGED", "440")
    assert [f.code for f in result.findings] == [f"rebar_tension.{code}"]


def test_an_e_grade_without_agt_is_not_judged_even_with_a() -> None:
    result = evaluate_raw(raw(Agt_pct=None, A_pct="25"), EDITION, {})
    assert result.verdict == "NOT_JUDGED"
    assert [f.code for f in result.findings] == ["rebar_tension.missing_value"]


@pytest.mark.parametrize("given", [{"A_pct": "16"}, {"Agt_pct": "7.5"}])
def test_one_elongation_is_enough_for_other_grades(given: dict[str, str]) -> None:
    assert evaluate_raw(raw("HRB400", **{"Agt_pct": None, **given}), EDITION, {}).verdict == "PASS"


def test_elongations_come_from_lengths_where_they_are_given() -> None:
    lengths = {"gauge_length_mm": "100", "final_length_mm": "121.7"}
    marks = {"uniform_gauge_mm": "100", "uniform_final_mm": "111.0"}
    values = evaluate_raw(raw(Agt_pct=None, **lengths, **marks), EDITION, {}).values
    # 11.0 % between the marks and 579.25 MPa / 2000 = 0.29 % of elastic stretch.
    assert (values["A_1"], values["Agt_1"]) == ("22", "11.3")


def test_a_verdict_that_hangs_on_the_rounding_path_is_told() -> None:
    bar = {"diameter_mm": "20", "FeL_kN": "125.0", "Fm_kN": "182.0", "Agt_pct": "12.0"}
    result = evaluate_raw({"specimens": [bar], "grade": "HRB400E"}, EDITION, {})
    # 397.8 MPa is 400 in steps of 5 and 398 in steps of 1.
    assert result.verdict == "PASS"
    assert [f.code for f in result.findings] == ["rebar_tension.rounding-dependent_verdict"]
    assert (
        evaluate_raw({"specimens": [bar], "grade": "HRB400E"}, EDITION, {"rounding": "GB/T 228.1"}).verdict
        == "FAIL"
    )


def test_upper_yield_is_reported_beside_the_lower() -> None:
    values = evaluate_raw(raw(FeH_kN="142.0"), EDITION, {}).values
    assert (values["ReH_1"], values["ReL_1"]) == ("450", "440")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"diameter_mm": "21"}, "diameter_mm"),
        ({"diameter_mm": None}, "specimens[0].diameter_mm"),
        ({"FeL_kN": "182.1"}, "specimens[0].FeL_kN"),
        ({"FeL_kN": None}, "specimens[0].FeL_kN"),
        ({"Fm_kN": "NaN"}, "specimens[0].Fm_kN"),
        ({"gauge_length_mm": "100"}, "specimens[0].final_length_mm"),
        ({"Agt_pct": "-1"}, "specimens[0].Agt_pct"),
    ],
)
def test_a_malformed_bar_names_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(MethodInputError) as refused:
        evaluate_raw({**raw(), "specimens": [{**GOOD, **change}]}, EDITION, {})
    assert refused.value.field == field


@pytest.mark.parametrize(("edition", "options"), [("GB 1499.2-1999", {}), (EDITION, {"rounding": "任意"})])
def test_unknown_edition_or_path_is_refused(edition: str, options: dict[str, str]) -> None:
    with pytest.raises(MethodInputError):
        evaluate_raw(raw(), edition, options)


@pytest.mark.parametrize(
    ("edition", "mass_g", "told"),
    [
        ("GB/T 1499.2-2018", "2342", False),
        ("GB/T 1499.2-2018", "2341", True),
        ("GB 1499.2-2024", "2355", False),
        ("GB 1499.2-2024", "2353", True),
    ],
)
def test_weight_beyond_the_editions_limit_is_told(edition: str, mass_g: str, told: bool) -> None:
    # Nominal: 314.2 mm² · 0.00785 · 1000 mm = 2466.47 g; deviations −5.05, −5.09, −4.52, −4.60 %.
    total, length, diameter = (MeasuredDecimal(x) for x in (mass_g, "1000", "20"))
    deviation, found = weight_deviation(total, length, diameter, edition)
    assert bool(found) is told
    assert deviation < Decimal(-4)


def test_a_weight_beyond_the_limit_fails_the_sample() -> None:
    record = {**raw(), "weight": {"total_mass_g": "2300", "total_length_mm": "1000"}}
    result = evaluate_raw(record, EDITION, {})
    assert (result.verdict, result.values["weight_deviation_pct"]) == ("FAIL", "-6.7")
