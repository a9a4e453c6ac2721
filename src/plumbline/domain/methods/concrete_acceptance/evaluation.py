"""Whether a lot of concrete groups reaches its grade, by the three methods of GB/T 50107 (检验批评定)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.basics.quantities import MeasuredDecimal
from plumbline.domain.basics.rounding import round_half_even_multiple
from plumbline.domain.methods.editions import Edition, editions_of
from plumbline.domain.methods.evaluations import (
    EXACT,
    FAIL,
    PASS,
    Evaluation,
    MethodInputError,
    RawReader,
    plain,
)

METHOD = "concrete_acceptance"
VERSION = "1"
EDITIONS = editions_of(__package__)

KNOWN_DEVIATION = "known_deviation"
UNKNOWN_DEVIATION = "unknown_deviation"
NON_STATISTICAL = "non_statistical"
_WORDS = {
    KNOWN_DEVIATION: "统计方法（标准差已知）",
    UNKNOWN_DEVIATION: "统计方法（标准差未知）",
    NON_STATISTICAL: "非统计方法",
}
_GRADE = re.compile(r"C([1-9][0-9]{0,2})\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What a lot amounts to (检验批评定结果); all strengths in MPa."""

    #: known_deviation, unknown_deviation or non_statistical.
    method: str
    groups: int
    #: Mean of the groups, to 0.1.
    mean: Decimal
    #: Smallest group.
    minimum: Decimal
    #: Standard deviation of the lot to 0.01; None for the non-statistical method.
    deviation: Decimal | None
    #: The deviation that was used: not below the standard's floor.
    deviation_used: Decimal | None
    #: What the mean and the smallest group must reach, to 0.01.
    need_mean: Decimal
    need_minimum: Decimal
    mean_ok: bool
    minimum_ok: bool
    #: PASS or FAIL.
    verdict: str
    edition: str
    findings: tuple[Finding, ...]


def evaluate_batch(
    strengths: Sequence[MeasuredDecimal],
    grade: str,
    edition: str,
    *,
    method: str | None = None,
    sigma0_MPa: MeasuredDecimal | None = None,
) -> BatchResult:
    """Judge a lot of group strengths (MPa) against its grade by GB/T 50107 (混凝土强度评定).

    Without ``method``: the deviation of an earlier period when given, else the statistical method from ten
    groups on, else the non-statistical one. Raises `MethodInputError` when the chosen method does not fit the
    number of groups: the standard leaves no choice there.
    """
    rules = EDITIONS.named(edition)
    characteristic = _characteristic(grade)
    values = [strength.value for strength in strengths]
    chosen = _chosen(method, len(values), sigma0_MPa, rules)
    exact_mean = EXACT.divide(sum(values, Decimal(0)), Decimal(len(values)))
    mean = round_half_even_multiple(exact_mean, rules.decimal("rounding", "mean_MPa"))
    deviation = used = None
    if chosen == KNOWN_DEVIATION and sigma0_MPa is not None:
        deviation = sigma0_MPa.value
        used = max(deviation, rules.decimal("known_deviation", "floor_MPa"))
    elif chosen == UNKNOWN_DEVIATION:
        raw = _standard_deviation(values, exact_mean)
        deviation = round_half_even_multiple(raw, rules.decimal("rounding", "deviation_MPa"))
        used = max(deviation, rules.decimal("unknown_deviation", "floor_MPa"))
    need_mean, need_minimum = _needs(chosen, characteristic, len(values), used, rules)
    mean_ok, minimum_ok = mean >= need_mean, min(values) >= need_minimum
    interval = rules.decimal("rounding", "need_MPa")
    shown_mean = round_half_even_multiple(need_mean, interval)
    shown_minimum = round_half_even_multiple(need_minimum, interval)
    return BatchResult(
        method=chosen,
        groups=len(values),
        mean=mean,
        minimum=min(values),
        deviation=deviation,
        deviation_used=used,
        need_mean=shown_mean,
        need_minimum=shown_minimum,
        mean_ok=mean_ok,
        minimum_ok=minimum_ok,
        verdict=PASS if mean_ok and minimum_ok else FAIL,
        edition=rules.code,
        findings=tuple(
            finding
            for ok, finding in (
                (mean_ok, _short("low_mean", "平均值", mean, shown_mean, (chosen, grade, rules))),
                (
                    minimum_ok,
                    _short("low_minimum", "最小值", min(values), shown_minimum, (chosen, grade, rules)),
                ),
            )
            if not ok
        ),
    )


def evaluate_raw(raw: Mapping[str, object], edition: str, options: Mapping[str, str]) -> Evaluation:
    """Evaluate ``{"strengths_MPa": ["36.5", …], "grade", "method"?, "sigma0_MPa"?}`` (平台复算入口)."""
    reader = RawReader(raw)
    grade = reader.optional_text("grade")
    if grade is None:
        raise MethodInputError("grade", "缺少强度等级")
    result = evaluate_batch(
        reader.quantities("strengths_MPa", at_least=1, at_most=10_000),
        grade,
        edition,
        method=reader.optional_text("method"),
        sigma0_MPa=reader.optional_quantity("sigma0_MPa"),
    )
    values = {
        "method": result.method,
        "groups": str(result.groups),
        "mean": plain(result.mean),
        "minimum": plain(result.minimum),
        "need_mean": plain(result.need_mean),
        "need_minimum": plain(result.need_minimum),
    }
    if result.deviation is not None and result.deviation_used is not None:
        values |= {"deviation": plain(result.deviation), "deviation_used": plain(result.deviation_used)}
    return Evaluation(
        values=values,
        verdict=result.verdict,
        findings=result.findings,
        method=METHOD,
        edition=result.edition,
        version=VERSION,
    )


def _characteristic(grade: str) -> Decimal:
    match = _GRADE.match(grade)
    if match is None:
        raise MethodInputError("grade", f"强度等级 {grade!r} 不是 C 加数字的形式，例如 C35")
    return Decimal(match[1])


def _chosen(method: str | None, groups: int, sigma0: MeasuredDecimal | None, rules: Edition) -> str:
    few = int(rules.text("non_statistical", "groups_below"))
    lot = int(rules.text("known_deviation", "groups"))
    if groups == 0:
        raise MethodInputError("strengths_MPa", "没有试件组")
    if method is None:
        by_count = NON_STATISTICAL if groups < few else UNKNOWN_DEVIATION
        method = KNOWN_DEVIATION if sigma0 is not None else by_count
    if method not in _WORDS:
        raise MethodInputError("method", f"没有评定方法 {method!r}，可用：{'、'.join(_WORDS)}")
    if method == KNOWN_DEVIATION and sigma0 is None:
        raise MethodInputError("sigma0_MPa", "标准差已知的统计方法缺少前一检验期的标准差")
    if method == KNOWN_DEVIATION and groups != lot:
        raise MethodInputError("strengths_MPa", f"标准差已知时一个检验批为连续 {lot} 组，实有 {groups} 组")
    if method == UNKNOWN_DEVIATION and groups < few:
        raise MethodInputError("strengths_MPa", f"标准差未知的统计方法不少于 {few} 组，实有 {groups} 组")
    if method == NON_STATISTICAL and groups >= few:
        raise MethodInputError("strengths_MPa", f"非统计方法只用于少于 {few} 组，实有 {groups} 组")
    return method


def _standard_deviation(values: Sequence[Decimal], mean: Decimal) -> Decimal:
    squares = sum((EXACT.power(EXACT.subtract(value, mean), 2) for value in values), Decimal(0))
    return EXACT.sqrt(EXACT.divide(squares, Decimal(len(values) - 1)))


def _needs(
    method: str, characteristic: Decimal, groups: int, deviation: Decimal | None, rules: Edition
) -> tuple[Decimal, Decimal]:
    """What mean and smallest group must reach, unrounded."""
    if method == NON_STATISTICAL or deviation is None:
        factor = "mean_below_C60" if characteristic < 60 else "mean_from_C60"
        return (
            rules.decimal("non_statistical", factor) * characteristic,
            rules.decimal("non_statistical", "min_factor") * characteristic,
        )
    if method == KNOWN_DEVIATION:
        share = rules.decimal("known_deviation", "factor") * deviation
        by_grade = "min_up_to_C20" if characteristic <= 20 else "min_above_C20"
        floor = rules.decimal("known_deviation", by_grade) * characteristic
        return characteristic + share, max(characteristic - share, floor)
    row = [row for row in rules.rows("unknown_deviation_row") if int(row["groups"]) <= groups][-1]
    return (
        characteristic + Decimal(row["mean_factor"]) * deviation,
        Decimal(row["min_factor"]) * characteristic,
    )


def _short(name: str, word: str, value: Decimal, need: Decimal, context: tuple[str, str, Edition]) -> Finding:
    method, grade, rules = context
    return Finding(
        code=f"concrete_acceptance.{name}",
        clause="",
        sentence=f"{grade} 按{_WORDS[method]}评定，{word} {plain(value)} MPa，低于要求的 {plain(need)} MPa。",
        severity=Severity.WARNING,
        facts={"value_MPa": plain(value), "need_MPa": plain(need), "method": method, "grade": grade},
        remedy="按不合格处理：可采用钻芯等方法对结构实体强度推定，由设计单位核算。",
        unverified=not rules.verified,
    )
