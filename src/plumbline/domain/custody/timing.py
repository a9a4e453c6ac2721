"""When a sample was made, witnessed, received and tested: windows, order, age (时限、时序、龄期)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from plumbline.domain.basics.calendar import local_date, local_text
from plumbline.domain.basics.clauses import carries_out
from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.basics.parameters import Parameter, ParameterSet

_MINUTE: Final = timedelta(minutes=1)
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "min": _MINUTE,
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def duration(parameter: Parameter) -> timedelta:
    """A parameter in s, min, h or d as a length of time; raises ``ValueError`` for other units."""
    if parameter.unit not in _UNITS:
        raise ValueError(f"parameter {parameter.key} is not a duration: {parameter.unit}")
    microseconds = parameter.decimal * (_UNITS[parameter.unit] // timedelta(microseconds=1))
    return timedelta(microseconds=int(microseconds))


@carries_out("BJ 7.1.2-b")
def late_registration(
    made_at: datetime,
    registered_at: datetime | None,
    parameters: ParameterSet,
    jurisdiction: str,
    *,
    now: datetime | None = None,
) -> tuple[Finding, ...]:
    """The sampler's entry after the specimen was made (登记时限), by ``registration_window``.

    Without an entry yet, ``now`` decides whether it is overdue. No window in force, no finding.
    """
    window = parameters.find("registration_window", jurisdiction, local_date(made_at))
    return _late(
        _Window("custody.late_registration", "制样完成", "取样登记", window),
        made_at,
        registered_at,
        now,
    )


@carries_out("BJ 7.1.2-e")
def late_witnessing(
    registered_at: datetime,
    witnessed_at: datetime | None,
    parameters: ParameterSet,
    jurisdiction: str,
    *,
    now: datetime | None = None,
) -> tuple[Finding, ...]:
    """The witness's entry after the sampler's (见证时限), by ``witnessing_window``; like the above."""
    window = parameters.find("witnessing_window", jurisdiction, local_date(registered_at))
    return _late(
        _Window("custody.late_witnessing", "取样登记", "见证确认", window),
        registered_at,
        witnessed_at,
        now,
    )


@dataclass(frozen=True, slots=True)
class _Window:
    code: str
    earlier: str
    later: str
    parameter: Parameter | None


def _late(
    window: _Window, start: datetime, end: datetime | None, now: datetime | None
) -> tuple[Finding, ...]:
    reached = end or now
    if window.parameter is None or reached is None:
        return ()
    allowed, taken = duration(window.parameter), reached - start
    if taken <= allowed:
        return ()
    done = "才完成" if end else "仍未完成"
    limit = f"{window.parameter.value} {_UNIT_WORDS[window.parameter.unit]}"
    return (
        Finding(
            code=window.code,
            clause=window.parameter.clause,
            sentence=f"{window.earlier}后 {span_text(taken)}{done}{window.later}，时限为 {limit}",
            severity=Severity.WARNING,
            facts={
                "start": local_text(start),
                "end": local_text(end) if end else "",
                "taken_s": str(int(taken.total_seconds())),
                "limit_s": str(int(allowed.total_seconds())),
            },
            remedy="请说明延迟原因；现场无网络时手机会保留登记时刻，联网后自动上传",
            unverified=not window.parameter.verified,
        ),
    )


_UNIT_WORDS: Final = {"s": "秒", "min": "分钟", "h": "小时", "d": "天"}


def span_text(span: timedelta) -> str:
    """A length of time in Chinese, to the second (fractions are cut and told as 余); less than one in milliseconds."""
    if timedelta(0) < abs(span) < timedelta(seconds=1):
        milliseconds = abs(span) // timedelta(milliseconds=1)
        return f"{milliseconds} 毫秒 " if milliseconds else "不到 1 毫秒 "
    seconds, rest = divmod(abs(span), timedelta(seconds=1))
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    parts = ((days, " 天 "), (hour, " 小时 "), (minute, " 分 "), (second, " 秒 "))
    text = "".join(f"{number}{unit}" for number, unit in parts if number).strip() or "0 秒"
    return text + "余" * bool(rest) + " "


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain with its moment; None when there is no record of it."""

    #: Chinese name of the step, such as 见证.
    name: str
    at: datetime | None
    #: Whose step it is, such as the sample's number; empty for the whole report.
    subject: str = ""


@carries_out("CECS-E 4.1.2")
def time_order(
    steps: Iterable[Step], *, tolerance: timedelta = timedelta(0), resolution: timedelta = timedelta(0)
) -> tuple[Finding, ...]:
    """Findings where a step comes before the step ahead of it (时序倒挂).

    ``steps`` come in the order in which they must have happened; steps without record are passed over. Clocks
    of phones and machines differ: a reversal up to ``tolerance`` is a notice, beyond it BLOCK. Moments that lie
    closer together than ``resolution``, to which they are stated, are the same moment.
    """
    known = [step for step in steps if step.at is not None]
    findings = []
    latest: Step | None = None
    for step in known:
        if latest is not None and latest.at is not None and step.at is not None and step.at < latest.at:
            by = latest.at - step.at
            if by >= resolution:
                findings.append(_reversed(latest, step, by, tolerance))
        else:
            # The latest so far stays the measure, so that one early step does not excuse the ones after it.
            latest = step
    return tuple(findings)


def _reversed(earlier: Step, later: Step, by: timedelta, tolerance: timedelta) -> Finding:
    whose = f"{later.subject} " if later.subject else ""
    moments = f"{_text(later.at)} {later.name}，{_text(earlier.at)} {earlier.name}"
    return Finding(
        code="custody.reversed_times",
        clause="CECS-E 4.1.2",
        sentence=f"{whose}{later.name}早于{earlier.name} {span_text(by).strip()}（{moments}）",
        severity=Severity.BLOCK if by > tolerance else Severity.NOTICE,
        facts={
            "earlier_step": earlier.name,
            "earlier_at": _text(earlier.at),
            "later_step": later.name,
            "later_at": _text(later.at),
            "subject": later.subject,
        },
        remedy=f"请核对{earlier.name}和{later.name}的时间记录；确有差错的，按更正程序提交并写明原因",
    )


def _text(instant: datetime | None) -> str:
    return local_text(instant) if instant else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeFacts:
    """A specimen that is to be tested at an age (龄期), counted from making to the start of the test."""

    subject: str
    made_at: datetime
    tested_at: datetime
    required_age_d: int
    #: Only standard curing (标准养护) has a window; field-cured specimens count degree-days instead.
    standard_cured: bool


def age_outside_window(facts: AgeFacts, parameters: ParameterSet, jurisdiction: str) -> tuple[Finding, ...]:
    """A test before or after the age window of its method (龄期允许偏差), by ``age_tolerance.<n>d``.

    The tolerance of the largest known age not above the required one holds, so 60 d uses that of 56 d.
    """
    if not facts.standard_cured:
        return ()
    tolerance = _age_tolerance(facts, parameters, jurisdiction)
    if tolerance is None:
        return ()
    age = facts.tested_at - facts.made_at
    off = age - timedelta(days=facts.required_age_d)
    if abs(off) <= duration(tolerance):
        return ()
    side, code = ("晚", "custody.late_test") if off > timedelta(0) else ("早", "custody.early_test")
    limit = f"{facts.required_age_d} 天 ± {tolerance.value} {_UNIT_WORDS[tolerance.unit]}"
    return (
        Finding(
            code=code,
            clause=tolerance.clause,
            sentence=f"{facts.subject} 试验时龄期 {span_text(age)}，比要求{side} {span_text(off)}，"
            f"允许 {limit}",
            severity=Severity.WARNING,
            facts={
                "age_h": _hours(age),
                "required_d": str(facts.required_age_d),
                "tolerance": f"{tolerance.value} {tolerance.unit}",
                "subject": facts.subject,
            },
            remedy="请核对成型时间和试验时间；确属延误的，请在报告中注明实际龄期",
            unverified=not tolerance.verified,
        ),
    )


def _hours(span: timedelta) -> str:
    hundredths = round(Decimal(span // timedelta(seconds=1)) / 36)
    return f"{Decimal(hundredths) / 100:.2f}"


@lru_cache(maxsize=8)
def _tolerated_ages(parameters: ParameterSet) -> tuple[int, ...]:
    """The ages that have a tolerance, greatest first; a set of parameters never changes."""
    keys = {parameter.key for parameter in parameters if parameter.key.startswith("age_tolerance.")}
    ages = (int(key.removeprefix("age_tolerance.").removesuffix("d")) for key in keys)
    return tuple(sorted(ages, reverse=True))


def _age_tolerance(facts: AgeFacts, parameters: ParameterSet, jurisdiction: str) -> Parameter | None:
    on = local_date(facts.tested_at)
    for age in _tolerated_ages(parameters):
        if age <= facts.required_age_d:
            return parameters.find(f"age_tolerance.{age}d", jurisdiction, on)
    return None
