"""Strength of a group of concrete cubes and its per cent of grade by GB/T 50081 (立方体抗压强度).

A group gets a strength; whether the concrete reaches its grade is said of the batch, by GB/T 50107.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.basics.quantities import MeasuredDecimal
from plumbline.domain.basics.rounding import round_half_even_multiple
from plumbline.domain.methods.editions import Edition, editions_of
from plumbline.domain.methods.evaluations import (
    EXACT,
    FAIL,
    NOT_JUDGED,
    PASS,
    VOID,
    Evaluation,
    MethodInputError,
    RawReader,
    as_percent,
    plain,
)

METHOD = "concrete_cube"
VERSION = "1"
EDITIONS = editions_of(__package__)

_GRADE = re.compile(r"C([1-9][0-9]{0,2})\Z", re.ASCII)
_CASE_WORDS = {"mean": "取平均值", "middle": "取中间值", "void": "该组试验结果无效"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeSpecimen:
    """One cube (试件): its greatest load and either its nominal edge or the measured loaded face."""

    #: Greatest load, kN.
    load_kN: MeasuredDecimal
    #: Nominal edge, mm: 100, 150 or 200; used when width and height are not given.
    edge_mm: MeasuredDecimal | None = None
    #: Measured sides of the loaded face, mm; both or none.
    width_mm: MeasuredDecimal | None = None
    height_mm: MeasuredDecimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """What three cubes amount to (一组试件的代表值)."""

    #: Strength of each specimen before the size factor, MPa, to 0.1.
    strengths: tuple[Decimal, ...]
    #: Strength of the group as of a 150 mm cube, MPa, to 0.1; None when the group is void.
    value: Decimal | None
    #: ``mean``, ``middle`` or ``void``.
    case: str
    percent_of_grade: Decimal | None
    size_factor: Decimal
    #: NOT_JUDGED or VOID; PASS or FAIL only where a jurisdiction judges single groups.
    verdict: str
    #: The order of rounding and judging, in words (修约路径).
    rounding_path: str
    edition: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBand:
    """Permitted loading rate, MPa/s, both ends included (加荷速度范围)."""

    low: Decimal
    high: Decimal
    #: Strength by which the band was chosen, MPa, and whether it came from grade or from the result.
    strength_MPa: Decimal
    chosen_by: str


def grade_strength(grade: str) -> Decimal:
    """Characteristic strength of a grade, MPa: ``C35`` → 35; raises `MethodInputError` (强度等级)."""
    match = _GRADE.match(grade)
    if match is None:
        raise MethodInputError("grade", f"强度等级 {grade!r} 不是 C 加数字的形式，例如 C35")
    return Decimal(match[1])


def evaluate_group(
    specimens: Sequence[CubeSpecimen],
    grade: str | None,
    edition: str,
    *,
    group_judged_at_percent: Decimal | None = None,
) -> GroupResult:
    """Strength of a group by GB/T 50081: mean, middle value, or void by the 15 % rule (组代表值).

    ``group_judged_at_percent`` is the parameter of a jurisdiction that judges single groups; without it a
    group is never called 合格 or 不合格. Raises `MethodInputError` for a group that is not three equal cubes.
    """
    rules = EDITIONS.named(edition)
    count = rules.limits["specimen"]["count"]
    if len(specimens) != count:
        raise MethodInputError("specimens", f"一组应有 {count} 块试件，实有 {len(specimens)} 块")
    size = _group_size(specimens, rules)
    factor = rules.decimal("size_factor", size)
    interval = rules.decimal("rounding", "strength_MPa")
    exact = [EXACT.divide(s.load_kN.value * 1000, _area_mm2(s, rules)) for s in specimens]
    per_specimen = factor if rules.text("rounding", "factor_on") == "specimen" else Decimal(1)
    scaled = [EXACT.multiply(strength, per_specimen) for strength in exact]
    strengths = tuple(round_half_even_multiple(strength, interval) for strength in scaled)
    judged_on = strengths if rules.text("rounding", "outliers_on") == "rounded" else tuple(scaled)
    case = _outlier_case(judged_on, rules.decimal("outlier", "share_of_middle"))
    remaining = factor if per_specimen == 1 else Decimal(1)
    value = _representative(strengths, case, remaining, interval)
    percent = _percent(value, grade, rules)
    return GroupResult(
        strengths=strengths,
        value=value,
        case=case,
        percent_of_grade=percent,
        size_factor=factor,
        verdict=_verdict(case, percent, group_judged_at_percent),
        rounding_path=_path_in_words(rules, factor, case),
        edition=rules.code,
        findings=tuple(_group_findings(strengths, value, case, size, rules)),
    )


def rate_band(grade_or_strength: str | Decimal, edition: str) -> RateBand:
    """The permitted loading rate for a grade (``C35``) or an expected strength in MPa (加荷速度)."""
    rules = EDITIONS.named(edition)
    by_grade = isinstance(grade_or_strength, str)
    strength = grade_strength(grade_or_strength) if isinstance(grade_or_strength, str) else grade_or_strength
    rows = [row for row in rules.rows("loading_rate") if Decimal(row["from_MPa"]) <= strength]
    if not rows:
        raise MethodInputError("strength", f"强度 {plain(strength)} MPa 不在加荷速度表内")
    return RateBand(
        low=Decimal(rows[-1]["low"]),
        high=Decimal(rows[-1]["high"]),
        strength_MPa=strength,
        chosen_by="grade" if by_grade else "strength",
    )


def machine_range_findings(
    load_kN: MeasuredDecimal, machine_capacity_kN: MeasuredDecimal, edition: str
) -> list[Finding]:
    """A breaking load outside 20–80 % of the machine's range is pointed out (试验机量程)."""
    rules = EDITIONS.named(edition)
    low, high = rules.decimal("machine_range", "low"), rules.decimal("machine_range", "high")
    capacity = machine_capacity_kN.value
    if low * capacity <= load_kN.value <= high * capacity:
        return []
    percent = EXACT.divide(load_kN.value * 100, capacity).quantize(Decimal("0.1"))
    span = f"{as_percent(low)}%–{as_percent(high)}%"
    return [
        Finding(
            code="concrete_cube.unsuitable_machine_range",
            clause="",
            sentence=(
                f"破坏荷载 {load_kN} kN 为试验机量程 {machine_capacity_kN} kN 的 {percent}%，"
                f"不在 {span} 之间。"
            ),
            severity=Severity.NOTICE,
            facts={"load_kN": load_kN.text, "capacity_kN": machine_capacity_kN.text, "percent": str(percent)},
            remedy="换用量程合适的试验机，或说明该量程段经过校准。",
            unverified=not rules.verified,
        )
    ]


def age_findings(
    water_added_at: datetime, tested_at: datetime, nominal_age_days: int, edition: str
) -> list[Finding]:
    """A test outside the age window (28 d ± 20 h …) counted from the adding of water (龄期).

    Both instants must be aware. Raises `MethodInputError` for a nominal age below the table's first row.
    """
    rules = EDITIONS.named(edition)
    rows = [row for row in rules.rows("age_window") if int(row["from_days"]) <= nominal_age_days]
    if not rows:
        raise MethodInputError("nominal_age_days", f"龄期 {nominal_age_days} d 没有允许偏差")
    allowed = timedelta(minutes=int(rows[-1]["minutes"]))
    deviation = tested_at - water_added_at - timedelta(days=nominal_age_days)
    if abs(deviation) <= allowed:
        return []
    hours = Decimal(round(abs(deviation).total_seconds() / 360)) / 10
    direction = "晚" if deviation > timedelta(0) else "早"
    limit = Decimal(int(allowed.total_seconds())) / 3600
    return [
        Finding(
            code="concrete_cube.missed_age",
            clause="",
            sentence=f"试验时间比 {nominal_age_days} d 龄期{direction} {hours} h，允许偏差 ±{limit} h。",
            severity=Severity.WARNING,
            facts={
                "water_added_at": water_added_at.isoformat(),
                "tested_at": tested_at.isoformat(),
                "nominal_age_days": str(nominal_age_days),
                "allowed_hours": str(limit),
            },
            remedy="核对成型加水时间与试验时间；确属超期的在报告中写明实际龄期。",
            unverified=not rules.verified,
        )
    ]


def evaluate_raw(raw: Mapping[str, object], edition: str, options: Mapping[str, str]) -> Evaluation:
    """Evaluate a raw record ``{"specimens": [{"load_kN", "edge_mm"}…], "grade"}`` (平台复算入口).

    ``options["group_judged_at_percent"]`` carries the jurisdiction's parameter where there is one.
    """
    reader = RawReader(raw)
    grade = reader.optional_text("grade")
    specimens = [_specimen(row) for row in reader.rows("specimens", at_least=3, at_most=3)]
    percent = options.get("group_judged_at_percent")
    result = evaluate_group(
        specimens,
        grade,
        edition,
        group_judged_at_percent=None if percent is None else MeasuredDecimal.parse(percent).value,
    )
    values = {f"strength_{i}": plain(strength) for i, strength in enumerate(result.strengths, start=1)}
    values |= {"case": result.case, "size_factor": plain(result.size_factor)}
    values["rounding_path"] = result.rounding_path
    if result.value is not None:
        values["value"] = plain(result.value)
    if result.percent_of_grade is not None:
        values["percent_of_grade"] = plain(result.percent_of_grade)
    return Evaluation(
        values=values,
        verdict=result.verdict,
        findings=result.findings,
        method=METHOD,
        edition=result.edition,
        version=VERSION,
    )


def _specimen(row: RawReader) -> CubeSpecimen:
    load = row.quantity("load_kN")
    width, height = row.optional_quantity("width_mm"), row.optional_quantity("height_mm")
    if (width is None) != (height is None):
        lacking = "width_mm" if width is None else "height_mm"
        raise MethodInputError(row.where(lacking), "承压面两边应同时给出")
    edge = row.quantity("edge_mm") if width is None else row.optional_quantity("edge_mm")
    return CubeSpecimen(load_kN=load, edge_mm=edge, width_mm=width, height_mm=height)


def _sides(specimen: CubeSpecimen) -> tuple[Decimal, Decimal]:
    if specimen.width_mm is not None and specimen.height_mm is not None:
        return specimen.width_mm.value, specimen.height_mm.value
    if specimen.edge_mm is None:
        raise MethodInputError("edge_mm", "缺少试件边长")
    return specimen.edge_mm.value, specimen.edge_mm.value


def _nominal_size(specimen: CubeSpecimen, rules: Edition) -> str:
    """The nominal edge, ``100``, ``150`` or ``200``, that the measured sides belong to."""
    reach = rules.decimal("specimen", "nearest_size_within_mm")
    sides = _sides(specimen)
    for size in ("100", "150", "200"):
        if all(abs(side - Decimal(size)) <= reach for side in sides):
            return size
    shown = "×".join(plain(side) for side in sides)
    raise MethodInputError("edge_mm", f"试件尺寸 {shown} mm 不是 100、150、200 mm 立方体")


def _area_mm2(specimen: CubeSpecimen, rules: Edition) -> Decimal:
    size = Decimal(_nominal_size(specimen, rules))
    width, height = _sides(specimen)
    within = rules.decimal("specimen", "nominal_area_within_mm")
    if abs(width - size) <= within and abs(height - size) <= within:
        return size * size
    return width * height


def _group_size(specimens: Sequence[CubeSpecimen], rules: Edition) -> str:
    sizes = {_nominal_size(specimen, rules) for specimen in specimens}
    if len(sizes) != 1:
        raise MethodInputError("specimens", f"同组试件公称尺寸不一致：{'、'.join(sorted(sizes))} mm")
    return sizes.pop()


def _outlier_case(strengths: Sequence[Decimal], share: Decimal) -> str:
    """``mean``, ``middle`` or ``void``; exactly the share is not yet beyond it."""
    low, middle, high = sorted(strengths)
    allowed = EXACT.multiply(middle, share)
    beyond = (middle - low > allowed) + (high - middle > allowed)
    return ("mean", "middle", "void")[beyond]


def _representative(
    strengths: Sequence[Decimal], case: str, factor: Decimal, interval: Decimal
) -> Decimal | None:
    if case == "void":
        return None
    if case == "middle":
        return round_half_even_multiple(sorted(strengths)[1] * factor, interval)
    # Multiplied first and divided last, so that a tie stays an exact decimal.
    total = EXACT.multiply(sum(strengths, Decimal(0)), factor)
    return round_half_even_multiple(EXACT.divide(total, Decimal(len(strengths))), interval)


def _percent(value: Decimal | None, grade: str | None, rules: Edition) -> Decimal | None:
    if grade is None:
        return None
    characteristic = grade_strength(grade)
    if value is None:
        return None
    exact = EXACT.divide(value * 100, characteristic)
    return round_half_even_multiple(exact, rules.decimal("rounding", "percent"))


def _verdict(case: str, percent: Decimal | None, judged_at: Decimal | None) -> str:
    if case == "void":
        return VOID
    if judged_at is None or percent is None:
        return NOT_JUDGED
    return PASS if percent >= judged_at else FAIL


def _path_in_words(rules: Edition, factor: Decimal, case: str) -> str:
    interval = rules.text("rounding", "strength_MPa")
    judged = "修约值" if rules.text("rounding", "outliers_on") == "rounded" else "未修约值"
    share = as_percent(rules.decimal("outlier", "share_of_middle"))
    by_specimen = rules.text("rounding", "factor_on") == "specimen"
    steps = [
        f"单块强度{f'乘 {plain(factor)} 后' if by_specimen else ''}修约到 {interval} MPa",
        f"按{judged}与中间值之差是否超过 {share}% 判别，{_CASE_WORDS[case]}",
    ]
    if case != "void":
        scaled = "" if by_specimen else f"乘尺寸换算系数 {plain(factor)} 后"
        steps.append(f"{scaled}一次修约到 {interval} MPa")
    return "；".join(steps)


def _group_findings(
    strengths: Sequence[Decimal], value: Decimal | None, case: str, size: str, rules: Edition
) -> list[Finding]:
    findings = []
    shown = "、".join(plain(strength) for strength in strengths)
    share = as_percent(rules.decimal("outlier", "share_of_middle"))
    if case != "mean":
        outcome = "取中间值" if case == "middle" else "该组结果无效"
        which = "最大值或最小值之一" if case == "middle" else "最大值和最小值"
        findings.append(
            Finding(
                code=f"concrete_cube.{'scattered' if case == 'middle' else 'void'}_group",
                clause="",
                sentence=f"三块试件强度 {shown} MPa，{which}与中间值之差超过中间值的 {share}%，{outcome}。",
                severity=Severity.NOTICE if case == "middle" else Severity.WARNING,
                facts={"strengths_MPa": shown, "case": case},
                remedy="" if case == "middle" else "按规定重新取样或采用其他方法推定强度。",
                unverified=not rules.verified,
            )
        )
    bound = rules.decimal("size_factor", "applies_below_MPa")
    if size != "150" and value is not None and value >= bound:
        findings.append(
            Finding(
                code="concrete_cube.untried_size_factor",
                clause="",
                sentence=(
                    f"强度 {plain(value)} MPa 不低于 {plain(bound)} MPa，"
                    f"{size} mm 试件的尺寸换算系数宜由试验确定。"
                ),
                severity=Severity.NOTICE,
                facts={"value_MPa": plain(value), "size_mm": size},
                remedy="宜采用 150 mm 标准试件，或附换算系数的试验依据。",
                unverified=not rules.verified,
            )
        )
    return findings
