from __future__ import annotations

from typing import Any

import pytest

from plumbline.domain.basics.quantities import MeasuredDecimal
from plumbline.domain.methods.concrete_acceptance.evaluation import BatchResult, evaluate_batch, evaluate_raw
from plumbline.domain.methods.evaluations import MethodInputError
from plumbline.domain.methods.tests.recordings import known_answers, worked_cases

EDITION = "GB/T 50107-2010"


def batch(
    strengths: list[str], grade: str, sigma0: str | None = None, method: str | None = None
) -> BatchResult:
    return evaluate_batch(
        [MeasuredDecimal(x) for x in strengths],
        grade,
        EDITION,
        method=method,
        sigma0_MPa=None if sigma0 is None else MeasuredDecimal(sigma0),
    )


@pytest.mark.parametrize("case", worked_cases("concrete_acceptance"))
def test_worked_lots(case: dict[str, Any]) -> None:
    result = batch(case["strengths"], case["grade"], case.get("sigma0"))
    assert result.method == case["method"]
    assert str(result.mean) == case["mean"]
    used = result.deviation_used
    assert (None if used is None else str(used)) == case.get("deviation_used")
    assert (str(result.need_mean), str(result.need_minimum)) == (case["need_mean"], case["need_minimum"])
    assert result.verdict == case["verdict"]
    assert bool(result.findings) is (result.verdict == "FAIL")


def test_known_lots_agree() -> None:
    for case in known_answers("concrete_acceptance_gbt50107"):
        expected = case["expected"]
        result = batch([str(x) for x in case["f"]], f"C{case['fcuk']}")
        assert str(result.mean) == expected["m"]
        assert str(result.need_mean) == expected["need_mean"]
        assert str(result.need_minimum) == expected["need_min"]
        assert str(result.minimum) == expected["min"]
        assert (result.verdict == "PASS") is expected["accepted"]
        if "S_raw" in expected:
            assert (str(result.deviation), str(result.deviation_used)) == (
                expected["S_raw"],
                expected["S_used"],
            )


@pytest.mark.parametrize(
    ("count", "method", "sigma0"),
    [
        (0, None, None),
        (9, "unknown_deviation", None),
        (10, "non_statistical", None),
        (2, None, "3.00"),
        (4, None, "3.00"),
        (3, "known_deviation", None),
        (3, "六组法", None),
    ],
)
def test_a_method_that_does_not_fit_the_lot_is_refused(
    count: int, method: str | None, sigma0: str | None
) -> None:
    with pytest.raises(MethodInputError):
        batch(["35.0"] * count, "C30", sigma0, method)


def test_a_raw_lot_is_evaluated_with_all_its_values() -> None:
    evaluation = evaluate_raw(
        {"strengths_MPa": ["36.0", "35.1", "34.2", "36.6"], "grade": "C30"}, EDITION, {}
    )
    assert evaluation.verdict == "PASS"
    assert evaluation.values["mean"] == "35.5"
    assert evaluation.values["need_mean"] == "34.50"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"grade": "C30"}, "strengths_MPa"),
        ({"strengths_MPa": ["36.0"]}, "grade"),
        ({"strengths_MPa": ["36.0", "x"], "grade": "C30"}, "strengths_MPa[1]"),
        ({"strengths_MPa": [36.0], "grade": "C30"}, "strengths_MPa[0]"),
    ],
)
def test_a_malformed_lot_names_its_field(raw: dict[str, object], field: str) -> None:
    with pytest.raises(MethodInputError) as refused:
        evaluate_raw(raw, EDITION, {})
    assert refused.value.field == field
