"""Strengths, ratios and elongations of tested bars against their grade's limits (钢筋拉伸结果评定)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.basics.quantities import MeasuredDecimal
from plumbline.domain.basics.rounding import round_half_even_multiple
from plumbline.domain.methods.editions import Edition
from plumbline.domain.methods.evaluations import (
    EXACT,
    FAIL,
    NOT_JUDGED,
    PASS,
    Evaluation,
    MethodInputError,
    RawReader,
    plain,
)
from plumbline.domain.methods.rebar_tension.limits import (
    EDITIONS,
    Requirement,
    RoundingPath,
    nominal_area_mm2,
    requirements,
    rounding_path,
    rounding_paths,
    weight_limit_percent,
)

METHOD = "rebar_tension"
VERSION = "1"

#: Density of steel by which the standard turns area into weight: 0.00785 kg/m per mm².
_KG_PER_M_MM2 = Decimal("0.00785")


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSpecimen:
    """One bar pulled to fracture (拉伸试样). Lengths in mm as measured; elongations in per cent."""

    #: Nominal diameter, mm.
    diameter_mm: MeasuredDecimal
    #: Force at lower yield, kN; without a yield point the force at 0.2 % proof.
    FeL_kN: MeasuredDecimal
    #: Greatest force, kN.
    Fm_kN: MeasuredDecimal
    #: Force at upper yield, kN.
    FeH_kN: MeasuredDecimal | None = None
    #: Elongation after fracture, per cent, when not computed from the two lengths.
    A_pct: MeasuredDecimal | None = None
    gauge_length_mm: MeasuredDecimal | None = None
    final_length_mm: MeasuredDecimal | None = None
    #: Total extension at greatest force, per cent, when not computed from the two lengths.
    Agt_pct: MeasuredDecimal | None = None
    #: Manual method: gauge length away from the fracture before and after, mm.
    uniform_gauge_mm: MeasuredDecimal | None = None
    uniform_final_mm: MeasuredDecimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarResult:
    """What one bar showed, rounded once (单根结果)."""

    #: ReL, Rm, and where known ReH, A, Agt, ratio_Rm_ReL, ratio_ReL_k.
    values: Mapping[str, Decimal]
    area_mm2: Decimal
    failed: tuple[Requirement, ...]
    missing: tuple[Requirement, ...]
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsResult:
    """What all bars of a sample showed (一组拉伸结果)."""

    bars: tuple[BarResult, ...]
    verdict: str
    rounding_path: str
    edition: str
    findings: tuple[Finding, ...]


def evaluate_bars(
    specimens: Sequence[BarSpecimen], grade: str | None, edition: str, *, rounding: str | None = None
) -> BarsResult:
    """Evaluate a sample of bars by an edition of GB/T 1499.2 (钢筋拉伸评定).

    ``rounding`` names a path of ``limits.toml``. A bar fails when one requirement fails; it is judged only
    when all required values are there (of A and Agt one is enough unless the grade is an E grade).
    Raises `MethodInputError` for unknown edition, diameter, rounding path, or yield above maximum.
    """
    rules = EDITIONS.named(edition)
    path = rounding_path(rules, rounding)
    if not specimens:
        raise MethodInputError("specimens", "没有试样")
    asked = None if grade is None else requirements(rules, grade)
    bars = tuple(_bar(index, bar, asked, rules, path) for index, bar in enumerate(specimens))
    findings = [
        finding for i, bar in enumerate(bars, start=1) for finding in _bar_findings(i, bar, grade, rules)
    ]
    if grade is None or asked is None:
        findings.append(_ungraded(grade, rules))
    for other in rounding_paths(rules).values():
        if other.name != path.name:
            findings += _path_dependence(specimens, bars, asked, rules, (path, other))
    return BarsResult(
        bars=bars,
        verdict=_together([bar.verdict for bar in bars]),
        rounding_path=path.in_words(),
        edition=rules.code,
        findings=tuple(findings),
    )


def weight_deviation(
    total_mass_g: MeasuredDecimal,
    total_length_mm: MeasuredDecimal,
    diameter_mm: MeasuredDecimal,
    edition: str,
) -> tuple[Decimal, list[Finding]]:
    """Deviation of the weight per metre from the nominal one, per cent to 0.1, with its finding (重量偏差).

    A bar outside the limit is 不合格 and is not tested again. The value is rounded before it is compared
    (修约值比较法), by the interval of ``limits.toml``.
    """
    rules = EDITIONS.named(edition)
    area = nominal_area_mm2(rules, diameter_mm.value)
    nominal_g = EXACT.multiply(EXACT.multiply(area, _KG_PER_M_MM2), total_length_mm.value)
    exact = EXACT.divide(EXACT.subtract(total_mass_g.value, nominal_g) * 100, nominal_g)
    deviation = round_half_even_multiple(exact, rules.decimal("rounding", "weight_pct"))
    limit = weight_limit_percent(rules, diameter_mm.value)
    if abs(deviation) <= limit:
        return deviation, []
    shown = f"{'+' if deviation > 0 else ''}{deviation}"
    return deviation, [
        Finding(
            code="rebar_tension.deviating_weight",
            clause="",
            sentence=f"重量偏差 {shown}%，超出允许偏差 ±{limit}%。",
            severity=Severity.WARNING,
            facts={"deviation_pct": str(deviation), "limit_pct": str(limit), "diameter_mm": diameter_mm.text},
            remedy="重量偏差不合格不得复验，按不合格处理。",
            unverified=not rules.verified,
        )
    ]


def evaluate_raw(raw: Mapping[str, object], edition: str, options: Mapping[str, str]) -> Evaluation:
    """Evaluate ``{"specimens": [{"diameter_mm", "FeL_kN", "Fm_kN", …}], "grade"}`` (平台复算入口).

    Optional: ``"weight": {"total_mass_g", "total_length_mm"}``. ``options["rounding"]`` names the path.
    """
    reader = RawReader(raw)
    grade = reader.optional_text("grade")
    specimens = [_specimen(row) for row in reader.rows("specimens", at_least=1, at_most=20)]
    result = evaluate_bars(specimens, grade, edition, rounding=options.get("rounding"))
    values = {
        f"{key}_{index}": plain(value)
        for index, bar in enumerate(result.bars, start=1)
        for key, value in bar.values.items()
    }
    values["rounding_path"] = result.rounding_path
    verdict, findings = result.verdict, list(result.findings)
    if raw.get("weight") is not None:
        deviation, found = _weight(reader, specimens[0].diameter_mm, edition)
        values["weight_deviation_pct"] = plain(deviation)
        findings += found
        verdict = FAIL if found else verdict
    return Evaluation(
        values=values,
        verdict=verdict,
        findings=tuple(findings),
        method=METHOD,
        edition=result.edition,
        version=VERSION,
    )


def _weight(reader: RawReader, diameter_mm: MeasuredDecimal, edition: str) -> tuple[Decimal, list[Finding]]:
    table = reader.raw["weight"]
    if not isinstance(table, Mapping):
        raise MethodInputError("weight", "应为一组字段")
    weight = RawReader(table, "weight")
    return weight_deviation(
        weight.quantity("total_mass_g"), weight.quantity("total_length_mm"), diameter_mm, edition
    )


def _specimen(row: RawReader) -> BarSpecimen:
    optional = {
        name: row.optional_quantity(name)
        for name in (
            *("FeH_kN", "A_pct", "Agt_pct", "gauge_length_mm", "final_length_mm"),
            *("uniform_gauge_mm", "uniform_final_mm"),
        )
    }
    for first, second in (("gauge_length_mm", "final_length_mm"), ("uniform_gauge_mm", "uniform_final_mm")):
        if (optional[first] is None) != (optional[second] is None):
            raise MethodInputError(
                row.where(first if optional[first] is None else second), "两个长度应同时给出"
            )
    proof = row.optional_quantity("Fp02_kN")
    force = row.quantity("FeL_kN") if proof is None else row.quantity("Fp02_kN")
    return BarSpecimen(
        diameter_mm=row.quantity("diameter_mm"), FeL_kN=force, Fm_kN=row.quantity("Fm_kN"), **optional
    )


def _bar(
    index: int,
    bar: BarSpecimen,
    asked: tuple[Requirement, ...] | None,
    rules: Edition,
    path: RoundingPath,
) -> BarResult:
    if bar.FeL_kN.value > bar.Fm_kN.value:
        reason = f"屈服力 {bar.FeL_kN} kN 大于最大力 {bar.Fm_kN} kN"
        raise MethodInputError(f"specimens[{index}].FeL_kN", reason)
    area = nominal_area_mm2(rules, bar.diameter_mm.value)
    values = _values(bar, area, asked, path)
    failed, missing = _against(values, asked or ())
    if asked is None:
        verdict = NOT_JUDGED
    elif failed:
        verdict = FAIL
    else:
        verdict = NOT_JUDGED if missing else PASS
    return BarResult(values=values, area_mm2=area, failed=failed, missing=missing, verdict=verdict)


def _values(
    bar: BarSpecimen, area: Decimal, asked: tuple[Requirement, ...] | None, path: RoundingPath
) -> dict[str, Decimal]:
    yield_exact = EXACT.divide(bar.FeL_kN.value * 1000, area)
    strength_exact = EXACT.divide(bar.Fm_kN.value * 1000, area)
    values = {
        "ReL": path.rounded("strength_MPa", yield_exact),
        "Rm": path.rounded("strength_MPa", strength_exact),
    }
    if bar.FeH_kN is not None:
        values["ReH"] = path.rounded("strength_MPa", EXACT.divide(bar.FeH_kN.value * 1000, area))
    if (a := _elongation(bar)) is not None:
        values["A"] = path.rounded("A_pct", a)
    if (agt := _total_extension(bar, strength_exact)) is not None:
        values["Agt"] = path.rounded("Agt_pct", agt)
    low, high = (values["ReL"], values["Rm"]) if path.ratio_of_rounded else (yield_exact, strength_exact)
    if low > 0:
        values["ratio_Rm_ReL"] = round_half_even_multiple(EXACT.divide(high, low), path.ratio_interval)
    for requirement in asked or ():
        if requirement.key == "ReL":
            over = EXACT.divide(low, requirement.limit)
            values["ratio_ReL_k"] = round_half_even_multiple(over, path.ratio_interval)
    return values


def _elongation(bar: BarSpecimen) -> Decimal | None:
    if bar.gauge_length_mm is not None and bar.final_length_mm is not None:
        start, end = bar.gauge_length_mm.value, bar.final_length_mm.value
        return EXACT.divide((end - start) * 100, start)
    return None if bar.A_pct is None else bar.A_pct.value


def _total_extension(bar: BarSpecimen, strength_exact: Decimal) -> Decimal | None:
    """Manual method: plastic part between the marks plus the elastic part Rm / 2000, per cent."""
    if bar.uniform_gauge_mm is not None and bar.uniform_final_mm is not None:
        start, end = bar.uniform_gauge_mm.value, bar.uniform_final_mm.value
        return EXACT.divide((end - start) * 100, start) + EXACT.divide(strength_exact, Decimal(2000))
    return None if bar.Agt_pct is None else bar.Agt_pct.value


def _against(
    values: Mapping[str, Decimal], asked: Sequence[Requirement]
) -> tuple[tuple[Requirement, ...], tuple[Requirement, ...]]:
    failed = tuple(r for r in asked if r.key in values and not r.relation.holds(values[r.key], r.limit))
    missing = tuple(r for r in asked if r.key not in values)
    # Of the two elongations one is enough where the grade limits both.
    if len(missing) == 1 and missing[0].key in {"A", "Agt"} and {"A", "Agt"} <= {r.key for r in asked}:
        missing = ()
    return failed, missing


def _together(verdicts: Sequence[str]) -> str:
    if FAIL in verdicts:
        return FAIL
    return NOT_JUDGED if NOT_JUDGED in verdicts else PASS


def _bar_findings(number: int, bar: BarResult, grade: str | None, rules: Edition) -> list[Finding]:
    findings = []
    for r in bar.failed:
        value = plain(bar.values[r.key])
        side = "低于" if r.relation.value == "≥" else "高于"
        findings.append(
            Finding(
                code="rebar_tension.failed_requirement",
                clause="",
                sentence=(
                    f"第 {number} 根：{r.word} 为 {value}{r.unit}，"
                    f"{side} {grade} 的规定值 {r.limit}{r.unit}。"
                ),
                severity=Severity.WARNING,
                facts={"bar": str(number), "value": r.key, "measured": value, "limit": str(r.limit)},
                remedy="按产品标准取双倍数量的试样复验，或按不合格处理。",
                unverified=not rules.verified,
            )
        )
    if bar.missing:
        words = "、".join(r.word for r in bar.missing)
        findings.append(
            Finding(
                code="rebar_tension.missing_value",
                clause="",
                sentence=f"第 {number} 根缺少 {grade} 评定所需的{words}，不作判定。",
                severity=Severity.NOTICE,
                facts={"bar": str(number), "missing": " ".join(r.key for r in bar.missing)},
                remedy="补充缺少的测量值。",
                unverified=not rules.verified,
            )
        )
    return findings


def _ungraded(grade: str | None, rules: Edition) -> Finding:
    known = "、".join(rules.limits["grade"])
    told = "没有牌号" if grade is None else f"牌号 {grade} 不在 {rules.code} 平台掌握的牌号之内"
    return Finding(
        code="rebar_tension.unknown_grade",
        clause="",
        sentence=f"{told}，只计算数值，不作判定。",
        severity=Severity.NOTICE,
        facts={"grade": grade or "", "known": known},
        remedy="核对牌号写法，例如 HRB400E。",
        unverified=not rules.verified,
    )


def _path_dependence(
    specimens: Sequence[BarSpecimen],
    bars: Sequence[BarResult],
    asked: tuple[Requirement, ...] | None,
    rules: Edition,
    paths: tuple[RoundingPath, RoundingPath],
) -> list[Finding]:
    """Say so where another rounding practice would turn the verdict: the reader must know the path."""
    words = {PASS: "合格", FAIL: "不合格", NOT_JUDGED: "不作判定"}
    chosen, other = paths
    findings = []
    for number, (specimen, bar) in enumerate(zip(specimens, bars, strict=True), start=1):
        verdict = _bar(number - 1, specimen, asked, rules, other).verdict
        if verdict == bar.verdict:
            continue
        findings.append(
            Finding(
                code="rebar_tension.rounding-dependent_verdict",
                clause="",
                sentence=(
                    f"第 {number} 根按 {chosen.name} 修约为{words[bar.verdict]}，"
                    f"按 {other.name} 修约为{words[verdict]}，结论取决于修约路径。"
                ),
                severity=Severity.NOTICE,
                facts={"bar": str(number), chosen.name: bar.verdict, other.name: verdict},
                remedy="在报告中写明修约依据。",
                unverified=not rules.verified,
            )
        )
    return findings
