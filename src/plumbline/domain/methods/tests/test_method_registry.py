from __future__ import annotations

from datetime import date
from importlib.resources import files

import pytest

from plumbline.domain.methods.editions import Editions
from plumbline.domain.methods.registry import (
    METHODS,
    MethodInputError,
    RecordedTest,
    differences,
    evaluate,
    method_named,
)

CUBES = {"specimens": [{"load_kN": x, "edge_mm": "150"} for x in ("786.7", "826.5", "853.6")], "grade": "C30"}
BARS = {
    "specimens": [{"diameter_mm": "20", "FeL_kN": "138.5", "Fm_kN": "182.0", "Agt_pct": "12.0"}],
    "grade": "HRB400E",
}


def test_a_group_of_cubes_is_computed_through_the_one_door() -> None:
    result = evaluate("concrete_cube", "GB/T 50081-2019", CUBES)
    assert {key: result.values[key] for key in ("strength_1", "value", "case", "percent_of_grade")} == {
        "strength_1": "35.0",
        "value": "36.5",
        "case": "mean",
        "percent_of_grade": "121.7",
    }
    assert (result.verdict, result.method, result.version) == ("NOT_JUDGED", "concrete_cube", "1")


def test_a_jurisdiction_parameter_reaches_the_method() -> None:
    judged = evaluate("concrete_cube", "GB/T 50081-2019", CUBES, options={"group_judged_at_percent": "100"})
    assert judged.verdict == "PASS"


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_folder_is_complete(method: str) -> None:
    folder = files(f"plumbline.domain.methods.{method}")
    for name in ("README.md", "limits.toml", "cases.toml", "evaluation.py"):
        assert (folder / name).is_file(), name
    assert METHODS[method].title_zh
    assert isinstance(METHODS[method].editions, Editions)


@pytest.mark.parametrize(
    ("day", "edition"),
    [
        (date(2018, 11, 1), "GB/T 1499.2-2018"),
        (date(2024, 9, 24), "GB/T 1499.2-2018"),
        (date(2024, 9, 25), "GB 1499.2-2024"),
        (date(2030, 1, 1), "GB 1499.2-2024"),
    ],
)
def test_the_edition_in_force_on_the_day_is_used(day: date, edition: str) -> None:
    assert METHODS["rebar_tension"].edition_on(day) == edition
    assert METHODS["rebar_tension"].evaluate(RecordedTest(raw=BARS, tested_on=day)).edition == edition


def test_a_day_before_every_edition_is_refused() -> None:
    with pytest.raises(MethodInputError) as refused:
        METHODS["rebar_tension"].edition_on(date(2018, 10, 31))
    assert refused.value.field == "tested_on"


def test_an_outdated_edition_is_computed_and_pointed_out() -> None:
    test = RecordedTest(raw=BARS, tested_on=date(2025, 1, 5), edition="GB/T 1499.2-2018")
    result = METHODS["rebar_tension"].evaluate(test)
    assert (result.edition, result.verdict) == ("GB/T 1499.2-2018", "PASS")
    assert [finding.code for finding in result.findings] == ["methods.outdated_edition"]


def test_spaces_in_a_cited_edition_do_not_matter() -> None:
    assert evaluate("rebar_tension", "gb1499.2-2024", BARS).edition == "GB 1499.2-2024"


@pytest.mark.parametrize(
    ("method", "edition", "raw", "field"),
    [
        ("slump", "GB/T 50080-2016", CUBES, "method"),
        ("concrete_cube", "GB/T 50081-2002", CUBES, "edition"),
        ("concrete_cube", "GB/T 50081-2019", {}, "specimens"),
        ("concrete_cube", "GB/T 50081-2019", {"specimens": [1, 2, 3]}, "specimens[0]"),
        ("rebar_tension", "GB 1499.2-2024", {"specimens": None}, "specimens"),
        ("rebar_tension", "GB 1499.2-2024", {**BARS, "weight": "7"}, "weight"),
        ("concrete_acceptance", "GB/T 50107-2010", {"strengths_MPa": "36", "grade": "C30"}, "strengths_MPa"),
    ],
)
def test_malformed_records_are_refused_with_field_and_reason(
    method: str, edition: str, raw: dict[str, object], field: str
) -> None:
    with pytest.raises(MethodInputError) as refused:
        evaluate(method, edition, raw)
    assert refused.value.field == field
    assert refused.value.reason


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ({"value": "36.5"}, []),
        ({"value": "36.50"}, []),
        ({"value": "36.6"}, ["methods.different_value"]),
        ({"value": "NaN"}, ["methods.different_value"]),
        ({"case": "middle"}, ["methods.different_value"]),
        ({"verdict": "不作判定"}, []),
        ({"verdict": "合格"}, ["methods.different_value"]),
        ({"density": "2400"}, ["methods.uncomputed_value"]),
        ({"rounding_path": "按标准"}, []),
        ({}, []),
    ],
)
def test_a_difference_is_a_finding(theirs: dict[str, str], told: list[str]) -> None:
    ours = evaluate("concrete_cube", "GB/T 50081-2019", CUBES)
    found = differences(theirs, ours.values, verdict=ours.verdict)
    assert [finding.code for finding in found] == told


def test_a_difference_names_both_values() -> None:
    (finding,) = differences({"value": "36.6"}, {"value": "36.5"})
    assert finding.sentence == "value：机构值 36.6，平台复算值 36.5，不一致。"


def test_an_unknown_method_lists_those_known() -> None:
    with pytest.raises(MethodInputError, match="concrete_cube"):
        method_named("slump")
