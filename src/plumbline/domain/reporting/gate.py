"""The code gate: whether a supervision code is reserved or withheld, and every reason (发码关口).

Withheld for facts of record only. Statistics, differences of recomputation and unverified rules never
withhold, and a failing result gets its code like any other: no condition reads the conclusion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.clauses import carries_out
from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.basics.parameters import Parameter, ParameterSet
from plumbline.domain.custody.timing import Step, duration, time_order
from plumbline.domain.reporting.gate_facts import (
    AcceptedTest,
    CodeApplicationFacts,
    DataOrigin,
    GateDecision,
    ReportedParameter,
    SampleFacts,
    Standing,
)

Condition = Callable[[CodeApplicationFacts, ParameterSet], Iterable[Finding]]


@carries_out("CECS 4.1.2-a", "GD 二-a")
def code_gate(application: CodeApplicationFacts, parameters: ParameterSet) -> GateDecision:
    """Judge an application by every condition; the same function answers a dry run."""
    found = [
        _without_unverified_block(finding)
        for condition in CONDITIONS
        for finding in condition(application, parameters)
    ]
    reasons = tuple(finding for finding in found if finding.severity is Severity.BLOCK)
    notes = tuple(finding for finding in found if finding.severity is not Severity.BLOCK)
    return GateDecision(reserved=not reasons, reasons=reasons, notes=notes)


def _without_unverified_block(finding: Finding) -> Finding:
    """A rule that nobody compared with its standard informs and never withholds."""
    if finding.severity is Severity.BLOCK and finding.unverified:
        return replace(finding, severity=Severity.WARNING)
    return finding


@carries_out("CECS-E 4.1.2", "CECS 1.0.1")
def missing_tests(application: CodeApplicationFacts, _: ParameterSet) -> Iterator[Finding]:
    """Every reported parameter rests on at least one accepted test."""
    if not application.parameters:
        yield _block(
            "gate.missing_parameters",
            "CECS-E 4.1.2",
            "报告中没有任何检测参数",
            remedy="请在报告数据中列出检测参数及其试验",
        )
    for parameter in application.parameters:
        if not parameter.tests:
            yield _block(
                "gate.missing_test",
                "CECS-E 4.1.2",
                f"参数“{parameter.name}”没有已接收的试验记录",
                facts={"parameter": parameter.code, "method": parameter.method},
                remedy="请先上传该参数的试验数据，收到回执后重新申请",
            )


@carries_out("BJ 6.3.2.1", "JJ 三(四)-a", "JJ 三(四)-b")
def missing_curves(application: CodeApplicationFacts, parameters: ParameterSet) -> Iterator[Finding]:
    """Every test of a force item on the jurisdiction's list has its force-time curve."""
    force_items = _in_force("force_items", application, parameters)
    if force_items is None:
        return
    for parameter, test in _tests(application):
        if parameter.code not in force_items.texts:
            continue
        sample = _label(application, test)
        if test.curve_points < 1:
            yield _block(
                "gate.missing_curve",
                force_items.clause,
                f"{sample} 的“{parameter.name}”属于须上传力值曲线的项目，但该试验没有曲线",
                facts={"parameter": parameter.code, "test": test.uid, "curve_points": str(test.curve_points)},
                remedy="请由采集程序补传该试验的力值-时间曲线；确实没有采集的，须重新试验",
                unverified=not force_items.verified,
            )
        elif test.origin is DataOrigin.KEYED:
            yield _note(
                "gate.keyed_force",
                force_items.clause,
                f"{sample} 的“{parameter.name}”数值为人工录入，不是自动采集",
                facts={"parameter": parameter.code, "test": test.uid},
                remedy="请说明人工录入的原因",
            )


@carries_out("CECS-E 4.1.2")
def broken_time_order(application: CodeApplicationFacts, parameters: ParameterSet) -> Iterator[Finding]:
    """Made, witnessed, commissioned, received, tested, reviewed, approved, applied: in this order."""
    tolerance = _in_force("time_order_tolerance", application, parameters)
    allowed = duration(tolerance) if tolerance else timedelta(0)
    stated = _in_force("time_resolution", application, parameters)
    resolution = duration(stated) if stated else timedelta(0)
    seen = set()
    for steps in _chains(application):
        for finding in time_order(steps, tolerance=allowed, resolution=resolution):
            if finding.sentence not in seen:
                seen.add(finding.sentence)
                yield replace(finding, code="gate.broken_time_order")


def _chains(application: CodeApplicationFacts) -> Iterator[tuple[Step, ...]]:
    """One chain for each test with its sample, for each sample without test, and for the report's end."""
    tests = {test.uid: test for _, test in _tests(application)}.values()
    samples = {sample.uid: sample for sample in application.samples}
    for test in tests:
        sample = samples.get(test.sample)
        subject = _label(application, test)
        yield (
            *(_sample_steps(sample) if sample else ()),
            Step("试验开始", test.started_at, subject),
            Step("试验结束", test.finished_at, subject),
        )
    tested = {test.sample for test in tests}
    for sample in application.samples:
        if sample.uid not in tested:
            yield (*_sample_steps(sample), *_report_steps(application, None))
    last = max((test.finished_at for test in tests), default=None)
    yield _report_steps(application, last)


def _sample_steps(sample: SampleFacts) -> tuple[Step, ...]:
    subject = f"样品 {sample.label}"
    return (
        Step("制样", sample.made_at, subject),
        Step("见证", sample.witnessed_at, subject),
        Step("委托", sample.commissioned_at, subject),
        Step("收样", sample.received_at, subject),
    )


def _report_steps(application: CodeApplicationFacts, finished_at: datetime | None) -> tuple[Step, ...]:
    return (
        Step("试验结束", finished_at),
        Step("审核", application.reviewed_at),
        Step("批准", application.approved_at),
        Step("申请监管码", application.applied_at),
    )


@carries_out("CECS-E 4.3.4-1b", "CECS 4.3.4-1a", "JJ 四(一)-b")
def missing_tags(application: CodeApplicationFacts, parameters: ParameterSet) -> Iterator[Finding]:
    """Every sample has its tag where the test category asks for one, and every test a sample on record."""
    tagged = _in_force("tagged_categories", application, parameters)
    known = {sample.uid for sample in application.samples}
    for uid, test in {test.uid: test for _, test in _tests(application)}.items():
        if test.sample not in known:
            yield _block(
                "gate.missing_sample",
                "CECS 3.0.3",
                f"试验 {uid} 没有对应的样品或实体检测对象",
                facts={"test": uid, "sample": test.sample},
                remedy="请在报告数据中列出该试验的样品",
            )
    if tagged is None or application.test_category not in tagged.texts:
        return
    for sample in application.samples:
        if not sample.tag:
            yield _block(
                "gate.missing_tag",
                tagged.clause,
                f"样品 {sample.label} 没有唯一性标识，该检测类别的样品须有标识",
                facts={"sample": sample.uid, "test_category": application.test_category},
                remedy="没有标识的样品不能用于见证检测：请按规定重新取样并加贴标识",
                unverified=not tagged.verified,
            )


@carries_out("CECS-E 4.3.4-2", "CECS-E 4.3.4-1c")
def missing_witness(application: CodeApplicationFacts, _: ParameterSet) -> Iterator[Finding]:
    """Every sample was witnessed where the test category requires it."""
    if not application.witnessing_required:
        return
    for sample in application.samples:
        if not sample.witnessed:
            yield _block(
                "gate.missing_witness",
                "CECS-E 4.3.4-2",
                f"样品 {sample.label} 没有见证记录，该检测类别须见证取样",
                facts={"sample": sample.uid, "test_category": application.test_category},
                remedy="请见证人员补交当时的见证记录；没有见证的，须重新取样",
            )


@carries_out("CECS 4.1.1-7", "BJ 4.1.11-b")
def approver_outside(application: CodeApplicationFacts, _: ParameterSet) -> Iterator[Finding]:
    """The approver stands in the institution's approved schedule on the day of approval."""
    approver = application.approver
    if approver is None or application.approved_at is None:
        yield _block(
            "gate.missing_approver",
            "CECS 4.1.1-7",
            "报告没有批准人或批准时间",
            remedy="请由已登记的报告批准人批准后重新申请",
        )
        return
    yield from _standing(
        "approver",
        "CECS 4.1.1-7",
        "报告批准人",
        approver.standing,
        "请由签字范围覆盖本报告的批准人批准",
    )
    reviewer = application.reviewer
    if reviewer is not None and reviewer.uid == approver.uid:
        yield _note(
            "gate.shared_duties", "BJ 9.1.1.3-a", "审核人与批准人是同一人", remedy="审核与批准应由两人担任"
        )
    if reviewer is not None and reviewer.standing is not Standing.WITHIN:
        yield _note(
            "gate.unlisted_reviewer",
            "BJ 9.1.1.3-a",
            "审核人不在该机构登记的人员范围内，或尚未登记",
            facts={"standing": reviewer.standing.value},
            remedy="请核对审核人的登记信息",
        )


@carries_out("CECS-E 4.1.1-8b", "BJ 4.1.11-b")
def parameters_outside(application: CodeApplicationFacts, _: ParameterSet) -> Iterator[Finding]:
    """Every reported parameter stands in the approved schedule on the day of its test."""
    for parameter in application.parameters:
        yield from _standing(
            "parameter",
            "CECS-E 4.1.1-8b",
            f"参数“{parameter.name}”（{parameter.method}）",
            parameter.capability,
            "超出资质范围的参数不能出具报告：请删去该参数或先取得资质",
        )


@carries_out("CECS 4.1.1-6", "CECS-E 4.1.1-8b")
def site_outside(application: CodeApplicationFacts, _: ParameterSet) -> Iterator[Finding]:
    """The testing site stands in the approved schedule on the day of the tests."""
    yield from _standing(
        "site",
        "CECS 4.1.1-6",
        f"检测场所 {application.site}",
        application.site_standing,
        "请在资质核定的场所检测；场所已变更的，先办理变更",
    )


@carries_out("CECS-E 4.1.3-b")
def missing_filing(application: CodeApplicationFacts, _: ParameterSet) -> Iterator[Finding]:
    """An institution from another province has filed with the province of the project."""
    if application.institution_division[:2] == application.division[:2]:
        return
    yield from _standing(
        "filing",
        "CECS-E 4.1.3-b",
        "外省机构在工程所在省的备案",
        application.filing,
        "请先向工程所在地省级主管部门备案",
    )


@carries_out("CECS 4.3.3-1")
def client_not_allowed(application: CodeApplicationFacts, parameters: ParameterSet) -> Iterator[Finding]:
    """The client's role may commission this test category in this jurisdiction."""
    allowed = _in_force(f"client_roles.{application.test_category}", application, parameters)
    if allowed is None or application.client_role in allowed.texts:
        return
    names = "、".join(_ROLE_NAMES.get(role, role) for role in allowed.texts)
    role = _ROLE_NAMES.get(application.client_role, application.client_role)
    yield _block(
        "gate.excluded_client",
        allowed.clause,
        f"委托方是{role}，该检测类别只能由{names}委托",
        facts={"client_role": application.client_role, "test_category": application.test_category},
        remedy=f"请由{names}签订检测合同并委托",
        unverified=not allowed.verified,
    )


@carries_out("CECS 4.3.3-1", "CECS 3.0.3")
def foreign_commission(application: CodeApplicationFacts, _: ParameterSet) -> Iterator[Finding]:
    """The report rests on a commission to this very institution, and on the samples of that commission."""
    if not application.own_commission:
        yield _block(
            "gate.foreign_commission",
            "CECS 4.3.3-1",
            "报告所依据的委托单没有记录，或不是委托给本机构的",
            facts={"institution": application.institution},
            remedy="请核对委托单；没有委托的，由委托方先委托本机构",
        )
        return
    for sample in application.samples:
        if not sample.commissioned:
            yield _block(
                "gate.foreign_sample",
                "CECS 3.0.3",
                f"样品 {sample.label} 不在这份委托单中，或属于别的工程",
                facts={"sample": sample.uid},
                remedy="一份报告只能用本委托单的样品：请核对样品，或重新委托",
            )


#: Every condition of the gate, one a line: a condition left out is a line left out, and its test fails.
CONDITIONS: Final[tuple[Condition, ...]] = (
    missing_tests,
    missing_curves,
    broken_time_order,
    missing_tags,
    missing_witness,
    approver_outside,
    parameters_outside,
    site_outside,
    missing_filing,
    client_not_allowed,
    foreign_commission,
)

_ROLE_NAMES: Final = {
    "owner": "建设单位",
    "contractor": "施工单位",
    "resident_engineer_firm": "监理单位",
    "authority": "主管部门",
    "station": "监督机构",
    "other": "其他单位",
}


def _tests(application: CodeApplicationFacts) -> Iterator[tuple[ReportedParameter, AcceptedTest]]:
    for parameter in application.parameters:
        for test in parameter.tests:
            yield parameter, test


def _label(application: CodeApplicationFacts, test: AcceptedTest) -> str:
    labels = (sample.label for sample in application.samples if sample.uid == test.sample)
    return f"样品 {next(labels, test.sample)}"


def _in_force(key: str, application: CodeApplicationFacts, parameters: ParameterSet) -> Parameter | None:
    """The parameter of the project's division on the day of application."""
    return parameters.find(key, application.division, local_date(application.applied_at))


def _standing(what: str, clause: str, subject: str, standing: Standing, remedy: str) -> Iterator[Finding]:
    """Outside withholds; unknown is said and does not, since it is the platform that does not know."""
    if standing is Standing.OUTSIDE:
        sentence = f"{subject}不在当日的核准记录内"
        yield _block(f"gate.{what}_outside", clause, sentence, facts={"standing": "outside"}, remedy=remedy)
    elif standing is Standing.UNKNOWN:
        sentence = f"平台没有{subject}的记录，无法判断"
        yield _note(f"gate.{what}_unknown", clause, sentence, facts={"standing": "unknown"})


def _block(
    code: str,
    clause: str,
    sentence: str,
    *,
    remedy: str,
    facts: dict[str, str] | None = None,
    unverified: bool = False,
) -> Finding:
    return Finding(
        code=code,
        clause=clause,
        sentence=sentence,
        severity=Severity.BLOCK,
        facts=facts or {},
        remedy=remedy,
        unverified=unverified,
    )


def _note(
    code: str, clause: str, sentence: str, *, remedy: str = "", facts: dict[str, str] | None = None
) -> Finding:
    return Finding(
        code=code,
        clause=clause,
        sentence=sentence,
        severity=Severity.NOTICE,
        facts=facts or {},
        remedy=remedy,
    )
