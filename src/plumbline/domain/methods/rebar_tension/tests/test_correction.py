from __future__ import annotations

from datetime import UTC, datetime

import pytest

from plumbline.domain.basics.quantities import MeasuredDecimal
from plumbline.domain.methods.rebar_tension.correction import YieldCorrection, correction_findings


def codes(stress: float | None, *, point: int = 400, reason: str = "上屈服误判为下屈服") -> list[str]:
    correction = YieldCorrection(
        automatic_MPa=MeasuredDecimal("452"),
        manual_MPa=MeasuredDecimal("430"),
        point=point,
        person="P-017",
        corrected_at=datetime(2025, 3, 1, 9, tzinfo=UTC),
        reason=reason,
    )
    found = correction_findings(correction, stress, point_of_maximum=2000)
    assert found[0].facts["automatic_MPa"] == "452"
    return [finding.code.removeprefix("rebar_tension.") for finding in found]


@pytest.mark.clause("BJ 6.2.4")
@pytest.mark.parametrize(("stress", "off"), [(428.0, False), (432.0, False), (432.1, True), (427.9, True)])
def test_a_correction_must_lie_on_the_curve(stress: float, off: bool) -> None:
    assert codes(stress) == ["corrected_yield", *(["off-curve_yield"] if off else [])]


def test_a_correction_beside_the_curve_is_told() -> None:
    assert codes(None) == ["corrected_yield", "off-curve_yield"]


def test_a_correction_without_reason_is_told() -> None:
    assert codes(430.0, reason=" ") == ["corrected_yield", "unreasoned_correction"]


def test_a_correction_after_the_maximum_is_told() -> None:
    assert codes(430.0, point=2000) == ["corrected_yield", "late_yield"]
