"""A person's correction of ReL on the recorded curve; the automatic value stays (屈服强度人工更正)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plumbline.domain.basics.clauses import carries_out
from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.basics.quantities import MeasuredDecimal

#: A corrected value lies on the curve when it is no further from the marked point than this, MPa.
ON_CURVE_MPa = Decimal(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class YieldCorrection:
    """One correction: what the program read, what the person read, where, who, when and why.

    A second correction is a second record; nothing here is ever overwritten.
    """

    #: ReL found automatically, MPa; None when none was found.
    automatic_MPa: MeasuredDecimal | None
    #: ReL read by the person, MPa.
    manual_MPa: MeasuredDecimal
    #: Marked point of the curve, index from 0.
    point: int
    #: Identity of the person as the institution's software knows it.
    person: str
    #: Aware instant of the correction.
    corrected_at: datetime
    #: Why the automatic value was not right.
    reason: str


@carries_out("BJ 6.2.4")
def correction_findings(
    correction: YieldCorrection, stress_at_point_MPa: float | None, *, point_of_maximum: int
) -> list[Finding]:
    """Every correction is told; one off the curve, after the maximum, or without a reason is pointed out.

    ``stress_at_point_MPa`` is the curve's stress at the marked point, None when the curve has no such point.
    """
    automatic = "未测出" if correction.automatic_MPa is None else f"{correction.automatic_MPa} MPa"
    facts = {
        "automatic_MPa": "" if correction.automatic_MPa is None else correction.automatic_MPa.text,
        "manual_MPa": correction.manual_MPa.text,
        "point": str(correction.point),
        "person": correction.person,
        "corrected_at": correction.corrected_at.isoformat(),
        "reason": correction.reason,
    }
    told = f"屈服强度由人工更正：自动值{automatic}，更正值 {correction.manual_MPa} MPa。"
    findings = [_finding("corrected_yield", told, Severity.INFO, facts)]
    if not correction.reason.strip() or not correction.person.strip():
        lacking = "屈服强度人工更正没有写明更正人或理由。"
        findings.append(_finding("unreasoned_correction", lacking, Severity.WARNING, facts))
    if stress_at_point_MPa is None:
        off = f"更正所标的第 {correction.point} 点不在曲线上。"
        findings.append(_finding("off-curve_yield", off, Severity.SEVERE, facts))
    elif abs(correction.manual_MPa.value - Decimal(str(stress_at_point_MPa))) > ON_CURVE_MPa:
        off = f"更正值 {correction.manual_MPa} MPa 与曲线上该点的 {stress_at_point_MPa:.1f} MPa 不符。"
        findings.append(_finding("off-curve_yield", off, Severity.SEVERE, facts))
    if correction.point >= point_of_maximum:
        late = "更正所标的点在最大力之后，不可能是屈服。"
        findings.append(_finding("late_yield", late, Severity.WARNING, facts))
    return findings


def _finding(name: str, sentence: str, severity: Severity, facts: dict[str, str]) -> Finding:
    return Finding(
        code=f"rebar_tension.{name}",
        clause="BJ 6.2.4",
        sentence=sentence,
        severity=severity,
        facts=facts,
        remedy="" if severity is Severity.INFO else "以力值-时间曲线为依据重新更正，写明点位、更正人和理由。",
    )
