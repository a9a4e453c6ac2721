from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.domain.basics.quantities import MeasuredDecimal
from plumbline.domain.methods.concrete_cube.evaluation import (
    CubeSpecimen,
    GroupResult,
    age_findings,
    evaluate_group,
    evaluate_raw,
    machine_range_findings,
    rate_band,
)
from plumbline.domain.methods.evaluations import MethodInputError
from plumbline.domain.methods.tests.recordings import concrete_curves, known_answers, recorded, worked_cases

EDITION = "GB/T 50081-2019"


def group(loads: Sequence[str], edge: str = "150", grade: str | None = None) -> GroupResult:
    specimens = [CubeSpecimen(load_kN=MeasuredDecimal(x), edge_mm=MeasuredDecimal(edge)) for x in loads]
    return evaluate_group(specimens, grade, EDITION)


@pytest.mark.parametrize("case", worked_cases("concrete_cube"))
def test_worked_groups(case: dict[str, Any]) -> None:
    result = group(case["loads"], case["edge"], case.get("grade"))
    assert [str(x) for x in result.strengths] == case["strengths"]
    assert result.case == case["case"]
    assert (None if result.value is None else str(result.value)) == case.get("value")
    percent = result.percent_of_grade
    assert (None if percent is None else str(percent)) == case.get("percent")
    assert result.verdict == ("VOID" if case["case"] == "void" else "NOT_JUDGED")


def test_known_groups_agree() -> None:
    for case in known_answers("concrete_cube_gbt50081"):
        result = group([str(x) for x in case["loads_kN"]], str(case["edge_mm"]))
        expected = case["expected"]
        assert [str(x) for x in result.strengths] == expected["fi"], case["name"]
        assert (result.value and str(result.value)) == expected["value"], case["name"]
        assert (result.case == "void") is (not expected["valid"])


def test_the_sixteen_recorded_groups_get_their_strengths() -> None:
    groups: dict[str, list[str]] = {}
    for name, series in concrete_curves("Druckfestigkeit_BAM"):
        age = "28" if "28Tage" in name else "7"
        key = f"{name.split('__')[1]}|{age}"
        groups.setdefault(key, []).append(f"{series.value.max():.3f}")
    known = json.loads((recorded("bam_lebedigital_concrete") / "groups.json").read_text())
    assert len(groups) == 16
    for key, loads in groups.items():
        strengths = sorted(group(loads).strengths)
        assert [abs(float(a) - b) <= 0.051 for a, b in zip(strengths, sorted(known[key]), strict=True)]
    genuine_outlier = group(groups["20240306_7188_M11|7"])
    assert (genuine_outlier.case, str(genuine_outlier.value)) == ("middle", "43.1")


@given(st.lists(st.integers(1_000, 2_000_000), min_size=3, max_size=3))
def test_the_order_of_specimens_does_not_matter(thousandths: list[int]) -> None:
    loads = [format(Decimal(n) / 1000, "f") for n in thousandths]
    values = {(group(order).value, group(order).case) for order in permutations(loads)}
    assert len(values) == 1


def test_a_group_is_judged_only_where_the_jurisdiction_judges_groups() -> None:
    specimens = [CubeSpecimen(load_kN=MeasuredDecimal("675"), edge_mm=MeasuredDecimal("150"))] * 3
    verdicts = [
        evaluate_group(specimens, "C30", EDITION, group_judged_at_percent=limit).verdict
        for limit in (None, Decimal("99.9"), Decimal(100), Decimal("100.1"))
    ]
    assert verdicts == ["NOT_JUDGED", "PASS", "PASS", "FAIL"]


@pytest.mark.parametrize(("side", "strength"), [("151", "44.4"), ("151.1", "43.8"), ("149", "44.4")])
def test_sides_within_one_millimetre_count_as_nominal(side: str, strength: str) -> None:
    measured = CubeSpecimen(
        load_kN=MeasuredDecimal("1000"), width_mm=MeasuredDecimal(side), height_mm=MeasuredDecimal(side)
    )
    assert str(evaluate_group([measured] * 3, None, EDITION).value) == strength


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specimens": []}, "specimens"),
        ({"specimens": "x"}, "specimens"),
        ({"specimens": [{"load_kN": 884.2, "edge_mm": "150"}] * 3}, "specimens[0].load_kN"),
        ({"specimens": [{"load_kN": "0", "edge_mm": "150"}] * 3}, "specimens[0].load_kN"),
        ({"specimens": [{"load_kN": "-5", "edge_mm": "150"}] * 3}, "specimens[0].load_kN"),
        ({"specimens": [{"load_kN": "1e3", "edge_mm": "150"}] * 3}, "specimens[0].load_kN"),
        ({"specimens": [{"load_kN": "884.2"}] * 3}, "specimens[0].edge_mm"),
        ({"specimens": [{"load_kN": "884.2", "edge_mm": "120"}] * 3}, "edge_mm"),
        ({"specimens": [{"load_kN": "884.2", "width_mm": "150"}] * 3}, "specimens[0].height_mm"),
        ({"grade": "c35"}, "grade"),
        ({"grade": 35}, "grade"),
    ],
)
def test_a_malformed_record_is_refused_with_its_field(change: dict[str, object], field: str) -> None:
    raw: dict[str, object] = {"specimens": [{"load_kN": "884.2", "edge_mm": "150"}] * 3, "grade": "C35"}
    with pytest.raises(MethodInputError) as refused:
        evaluate_raw({**raw, **change}, EDITION, {})
    assert refused.value.field == field
    assert refused.value.reason


def test_cubes_of_two_sizes_are_no_group() -> None:
    rows = [{"load_kN": "884.2", "edge_mm": edge} for edge in ("150", "150", "100")]
    with pytest.raises(MethodInputError, match="不一致"):
        evaluate_raw({"specimens": rows}, EDITION, {})


@pytest.mark.parametrize(
    ("by", "band"),
    [
        ("C25", ("0.3", "0.5")),
        (Decimal("29.9"), ("0.3", "0.5")),
        ("C30", ("0.5", "0.8")),
        (Decimal("59.9"), ("0.5", "0.8")),
        ("C60", ("0.8", "1.0")),
    ],
)
def test_the_rate_band_follows_the_strength(by: str | Decimal, band: tuple[str, str]) -> None:
    found = rate_band(by, EDITION)
    assert (str(found.low), str(found.high)) == band


@pytest.mark.parametrize(
    ("load", "told"), [("399.9", True), ("400", False), ("1600", False), ("1600.1", True)]
)
def test_loads_outside_the_machine_range_are_told(load: str, told: bool) -> None:
    found = machine_range_findings(MeasuredDecimal(load), MeasuredDecimal("2000"), EDITION)
    assert bool(found) is told


@pytest.mark.parametrize(
    ("age", "off_minutes", "told"),
    [
        (28, 1200, False),
        (28, 1201, True),
        (28, -1200, False),
        (28, -1201, True),
        (7, 360, False),
        (7, 361, True),
        (3, 120, False),
        (3, 121, True),
        (1, 30, False),
        (1, 31, True),
        (60, 1440, False),
        (90, 2880, False),
        (90, 2881, True),
    ],
)
def test_ages_outside_their_window_are_told(age: int, off_minutes: int, told: bool) -> None:
    made = datetime(2025, 3, 1, 8, tzinfo=UTC)
    tested = made + timedelta(days=age, minutes=off_minutes)
    assert bool(age_findings(made, tested, age, EDITION)) is told


def test_a_strong_small_cube_asks_for_a_tried_factor() -> None:
    codes = {finding.code for finding in group(["640", "650", "660"], "100").findings}
    assert codes == {"concrete_cube.untried_size_factor"}


def test_the_result_tells_its_rounding_path() -> None:
    assert group(["335", "352", "318"], "100").rounding_path == (
        "单块强度修约到 0.1 MPa；按修约值与中间值之差是否超过 15% 判别，取平均值；"
        "乘尺寸换算系数 0.95 后一次修约到 0.1 MPa"
    )


def test_findings_say_that_limits_are_not_verified() -> None:
    (finding,) = group(["700", "900", "1060"]).findings
    assert finding.unverified
    assert "31.1、40.0、47.1 MPa" in finding.sentence
