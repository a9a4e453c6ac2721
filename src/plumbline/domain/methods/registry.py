"""The one door through which the platform computes a result again (方法登记与平台复算)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.methods.concrete_acceptance import evaluation as concrete_acceptance
from plumbline.domain.methods.concrete_cube import evaluation as concrete_cube
from plumbline.domain.methods.editions import Editions
from plumbline.domain.methods.evaluations import Evaluation, MethodInputError
from plumbline.domain.methods.rebar_tension import evaluation as rebar_tension
from plumbline.domain.methods.rebar_tension import limits as rebar_limits

__all__ = [
    "METHODS",
    "Evaluation",
    "Method",
    "MethodInputError",
    "RecordedTest",
    "differences",
    "evaluate",
    "method_named",
]

#: Words that an institution may send for a verdict beside the platform's own.
_VERDICTS: Final = {"合格": "PASS", "不合格": "FAIL", "不作判定": "NOT_JUDGED", "无效": "VOID"}
#: Explanations that are no results: an institution words them as it likes.
_NOT_COMPARED: Final = frozenset({"rounding_path"})

_Evaluate = Callable[[Mapping[str, object], str, Mapping[str, str]], Evaluation]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTest:
    """One test as recorded: what a method needs to compute it again (原始记录)."""

    #: Raw values as sent, decimals as text.
    raw: Mapping[str, object]
    #: Day of the test at its place; decides the edition.
    tested_on: date
    #: Edition named by the institution; None: the one in force on the day.
    edition: str | None = None
    #: Values of jurisdiction parameters that the method knows.
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One test method that the platform can compute (检测方法)."""

    code: str
    title_zh: str
    editions: Editions
    evaluate_raw: _Evaluate

    def edition_on(self, day: date) -> str:
        """The edition in force on the day of the test; raises `MethodInputError` when none was."""
        return self.editions.on(day).code

    def evaluate(self, test: RecordedTest) -> Evaluation:
        """Evaluate a recorded test by the edition it names, else by that of its day.

        An edition that was not in force on the day is computed all the same and pointed out.
        """
        due = self.editions.on(test.tested_on)
        used = due if test.edition is None else self.editions.named(test.edition)
        result = self.evaluate_raw(test.raw, used.code, test.options)
        if used is due:
            return result
        told = Finding(
            code="methods.outdated_edition",
            clause="",
            sentence=f"依据 {used.code}，试验日 {test.tested_on.isoformat()} 现行的是 {due.code}。",
            severity=Severity.WARNING,
            facts={"used": used.code, "in_force": due.code, "tested_on": test.tested_on.isoformat()},
            remedy="按试验日现行的标准版本重新评定，或说明采用该版本的依据。",
            unverified=not due.verified,
        )
        return Evaluation(
            values=result.values,
            verdict=result.verdict,
            findings=(*result.findings, told),
            method=result.method,
            edition=result.edition,
            version=result.version,
        )


#: Every method the platform computes, by code.
METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        code: Method(code=code, title_zh=title, editions=editions, evaluate_raw=evaluate_raw)
        for code, title, editions, evaluate_raw in (
            (
                concrete_cube.METHOD,
                "混凝土立方体抗压强度",
                concrete_cube.EDITIONS,
                concrete_cube.evaluate_raw,
            ),
            (
                concrete_acceptance.METHOD,
                "混凝土强度检验评定",
                concrete_acceptance.EDITIONS,
                concrete_acceptance.evaluate_raw,
            ),
            (
                rebar_tension.METHOD,
                "钢筋拉伸",
                rebar_limits.EDITIONS,
                rebar_tension.evaluate_raw,
            ),
        )
    }
)


def method_named(code: str) -> Method:
    """The method of this code; raises `MethodInputError` for one that the platform does not compute."""
    if code not in METHODS:
        raise MethodInputError("method", f"平台不能复算方法 {code!r}，可用：{'、'.join(METHODS)}")
    return METHODS[code]


def evaluate(
    method: str, edition: str, raw: Mapping[str, object], *, options: Mapping[str, str] | None = None
) -> Evaluation:
    """Compute a raw record by one method and edition (平台复算).

    Raises `MethodInputError` with field and reason for an unknown method or edition or a malformed record.
    """
    return method_named(method).evaluate_raw(raw, edition, options or {})


def differences(
    institution_values: Mapping[str, str], platform_values: Mapping[str, str], *, verdict: str | None = None
) -> list[Finding]:
    """Where the institution's values are not the platform's: every difference is a finding (复算差异).

    Numbers are equal when their rounded values are (``36.50`` is ``36.5``); other values when their text is.
    A value that only the institution has is told too: the platform could not compute it from the record.
    What the institution did not report is not compared. ``verdict`` is the platform's, for the key "verdict".
    """
    computed = {**platform_values, **({} if verdict is None else {"verdict": verdict})}
    findings = []
    for key, theirs in institution_values.items():
        if key in _NOT_COMPARED:
            continue
        ours = computed.get(key)
        if ours is None:
            findings.append(_uncomputed(key, theirs))
        elif not _same(theirs, ours):
            findings.append(_different(key, theirs, ours))
    return findings


def _same(theirs: str, ours: str) -> bool:
    theirs, ours = (_VERDICTS.get(value.strip(), value.strip()) for value in (theirs, ours))
    if theirs == ours:
        return True
    try:
        first, second = Decimal(theirs), Decimal(ours)
    except InvalidOperation:
        return False
    return first.is_finite() and second.is_finite() and first == second


def _different(key: str, theirs: str, ours: str) -> Finding:
    return Finding(
        code="methods.different_value",
        clause="",
        sentence=f"{key}：机构值 {theirs}，平台复算值 {ours}，不一致。",
        severity=Severity.WARNING,
        facts={"key": key, "institution": theirs, "platform": ours},
        remedy="核对原始数据、计算与修约；确有错误的更正报告。",
    )


def _uncomputed(key: str, theirs: str) -> Finding:
    return Finding(
        code="methods.uncomputed_value",
        clause="",
        sentence=f"{key}：机构值 {theirs}，由上传的原始记录不能算出。",
        severity=Severity.NOTICE,
        facts={"key": key, "institution": theirs},
        remedy="补充该值所依据的原始数据。",
    )
