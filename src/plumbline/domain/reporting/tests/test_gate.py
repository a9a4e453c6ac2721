"""The code gate: what withholds, what only informs, and what plays no part."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

import pytest

from plumbline.domain.basics.findings import Severity
from plumbline.domain.basics.parameters import Parameter, ParameterSet
from plumbline.domain.reporting import gate
from plumbline.domain.reporting.gate import CONDITIONS, code_gate
from plumbline.domain.reporting.gate_facts import (
    AcceptedTest,
    CodeApplicationFacts,
    DataOrigin,
    PersonFacts,
    ReportedParameter,
    SampleFacts,
    Standing,
)
from plumbline.domain.reporting.verdicts import Verdict

PARAMETERS = ParameterSet.load(files("plumbline.domain.reporting") / "parameters.toml")
T0 = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


TEST = AcceptedTest(
    uid="t1",
    sample="s1",
    started_at=at(672),
    finished_at=at(672.1),
    origin=DataOrigin.ACQUIRED,
    curve_points=900,
)
CUBE = ReportedParameter(
    code="concrete_cube.compressive",
    name="抗压强度",
    method="GB/T 50081-2019",
    tests=(TEST,),
    capability=Standing.WITHIN,
)
SAMPLE = SampleFacts(
    uid="s1",
    label="YP-001",
    tag="TAG1",
    witnessed=True,
    made_at=at(0),
    witnessed_at=at(0.5),
    commissioned_at=at(24),
    received_at=at(48),
)
GOOD = CodeApplicationFacts(
    institution="衡川诚测",
    institution_division="610300",
    filing=Standing.UNKNOWN,
    site="一号试验室",
    site_standing=Standing.WITHIN,
    division="610302",
    test_category="witnessed",
    witnessing_required=True,
    client_role="owner",
    applied_at=at(676),
    parameters=(CUBE,),
    samples=(SAMPLE,),
    reviewer=PersonFacts(uid="p1", standing=Standing.WITHIN),
    approver=PersonFacts(uid="p2", standing=Standing.WITHIN),
    reviewed_at=at(674),
    approved_at=at(675),
    conclusion=Verdict.PASS,
)


def with_test(**changes) -> CodeApplicationFacts:
    return replace(GOOD, parameters=(replace(CUBE, tests=(replace(TEST, **changes),)),))


def with_parameter(**changes) -> CodeApplicationFacts:
    return replace(GOOD, parameters=(replace(CUBE, **changes),))


def with_sample(**changes) -> CodeApplicationFacts:
    return replace(GOOD, samples=(replace(SAMPLE, **changes),))


def reasons(application: CodeApplicationFacts, parameters: ParameterSet = PARAMETERS) -> list[str]:
    return [finding.code for finding in code_gate(application, parameters).reasons]


def notes(application: CodeApplicationFacts, parameters: ParameterSet = PARAMETERS) -> list[str]:
    return [finding.code for finding in code_gate(application, parameters).notes]


@pytest.mark.clause("CECS 4.1.2-a", "GD 二-a")
def test_an_honest_report_gets_its_code():
    decision = code_gate(GOOD, PARAMETERS)
    assert decision.reserved
    assert decision.reasons == decision.notes == ()


@pytest.mark.clause("GD 二-a")
@pytest.mark.parametrize("conclusion", Verdict)
def test_a_failing_result_gets_its_code_like_any_other(conclusion):
    assert code_gate(replace(GOOD, conclusion=conclusion), PARAMETERS).reserved


def test_the_conclusion_changes_no_decision_that_is_withheld_either():
    bad = with_test(curve_points=0)
    decisions = {repr(code_gate(replace(bad, conclusion=verdict), PARAMETERS)) for verdict in Verdict}
    assert len(decisions) == 1


# Every way to be withheld, one line each. A condition that is dropped from the table fails here.
BROKEN = {
    "gate.missing_parameters": replace(GOOD, parameters=()),
    "gate.missing_test": with_parameter(tests=()),
    "gate.missing_curve": with_test(curve_points=0),
    "gate.broken_time_order": replace(GOOD, approved_at=at(673.9)),
    "gate.missing_sample": with_test(sample="s9"),
    "gate.missing_tag": with_sample(tag=None),
    "gate.missing_witness": with_sample(witnessed=False),
    "gate.missing_approver": replace(GOOD, approver=None),
    "gate.approver_outside": replace(GOOD, approver=PersonFacts(uid="p2", standing=Standing.OUTSIDE)),
    "gate.parameter_outside": with_parameter(capability=Standing.OUTSIDE),
    "gate.site_outside": replace(GOOD, site_standing=Standing.OUTSIDE),
    "gate.filing_outside": replace(GOOD, institution_division="510100", filing=Standing.OUTSIDE),
    "gate.excluded_client": replace(GOOD, client_role="contractor"),
    "gate.foreign_commission": replace(GOOD, own_commission=False),
    "gate.foreign_sample": with_sample(commissioned=False),
}


@pytest.mark.clause("BJ 6.3.2.1", "CECS-E 4.1.3-b", "CECS-E 4.1.1-8b", "BJ 4.1.11-b", "CECS 4.3.3-1")
@pytest.mark.parametrize("code", BROKEN)
def test_each_fact_of_record_withholds_alone_with_clause_sentence_and_remedy(code):
    decision = code_gate(BROKEN[code], PARAMETERS)
    assert not decision.reserved
    assert [reason.code for reason in decision.reasons] == [code]
    (reason,) = decision.reasons
    assert reason.severity is Severity.BLOCK
    assert reason.clause
    assert reason.sentence
    assert reason.remedy


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.__name__)
def test_without_any_one_condition_a_broken_report_would_slip_through(condition, monkeypatch):
    monkeypatch.setattr(gate, "CONDITIONS", tuple(c for c in CONDITIONS if c is not condition))
    slipped = [code for code, application in BROKEN.items() if code_gate(application, PARAMETERS).reserved]
    assert slipped


def test_all_reasons_are_told_at_once():
    worst = replace(
        with_test(curve_points=0), samples=(replace(SAMPLE, tag=None, witnessed=False),), client_role="other"
    )
    expected = {"gate.missing_curve", "gate.missing_tag", "gate.missing_witness", "gate.excluded_client"}
    assert set(reasons(worst)) == expected


@pytest.mark.parametrize(("points", "withheld"), [(0, True), (1, False), (900, False)])
def test_a_force_item_needs_a_curve_with_points(points, withheld):
    assert reasons(with_test(curve_points=points)) == ["gate.missing_curve"] * withheld


@pytest.mark.parametrize("division", ["110105", "440100"])
def test_a_place_without_force_list_asks_for_no_curve(division):
    elsewhere = replace(with_test(curve_points=0), division=division, institution_division=division)
    assert reasons(elsewhere) == []


@pytest.mark.clause("JJ 三(四)-b")
@pytest.mark.parametrize(
    ("applied", "withheld"),
    [(datetime(2024, 11, 29, 15, 59, tzinfo=UTC), False), (datetime(2024, 11, 29, 16, 0, tzinfo=UTC), True)],
)
def test_the_list_holds_from_its_first_day_in_china(applied, withheld):
    shift = applied - GOOD.applied_at
    bare = with_test(curve_points=0, started_at=TEST.started_at + shift, finished_at=TEST.finished_at + shift)
    moments = {name: getattr(SAMPLE, name) + shift for name in ("made_at", "witnessed_at", "commissioned_at")}
    sample = replace(SAMPLE, received_at=SAMPLE.received_at + shift, **moments)
    reviewed, approved = GOOD.reviewed_at + shift, GOOD.approved_at + shift
    when = {"applied_at": applied, "reviewed_at": reviewed, "approved_at": approved, "samples": (sample,)}
    place = {"division": "360400", "institution_division": "360400"}
    assert reasons(replace(bare, **when, **place)) == ["gate.missing_curve"] * withheld


def test_a_keyed_force_with_curve_is_a_note():
    assert notes(with_test(origin=DataOrigin.KEYED)) == ["gate.keyed_force"]


CHAIN = [
    ("witnessed_at", -0.1),
    ("commissioned_at", 0.4),
    ("received_at", 23.9),
]


@pytest.mark.parametrize(("field", "hours"), CHAIN)
def test_each_reversal_before_the_test_withholds(field, hours):
    assert reasons(with_sample(**{field: at(hours)})) == ["gate.broken_time_order"]


@pytest.mark.parametrize(
    "application",
    [
        with_test(started_at=at(47)),
        with_test(finished_at=at(671)),
        replace(GOOD, reviewed_at=at(672)),
        replace(GOOD, approved_at=at(673)),
        replace(GOOD, applied_at=at(674.9)),
    ],
)
def test_each_reversal_from_the_test_on_withholds(application):
    assert "gate.broken_time_order" in reasons(application)


@pytest.mark.parametrize(("seconds", "withheld", "noted"), [(0, 0, 0), (1, 0, 1), (60, 0, 1), (61, 1, 0)])
def test_clocks_may_differ_by_a_minute(seconds, withheld, noted):
    application = replace(GOOD, approved_at=GOOD.reviewed_at - timedelta(seconds=seconds))
    assert len(reasons(application)) == withheld
    assert len(notes(application)) == noted


@pytest.mark.parametrize(("microseconds", "noted"), [(0, 0), (999_999, 0), (1_000_000, 1)])
def test_less_than_a_second_is_no_order_at_all(microseconds, noted):
    """A moment stated to the second may be rounded up past one that is logged to the microsecond."""
    application = replace(GOOD, applied_at=GOOD.approved_at - timedelta(microseconds=microseconds))
    assert notes(application) == ["gate.broken_time_order"] * noted
    assert reasons(application) == []


def test_moments_without_record_break_no_order():
    blank = dict.fromkeys(("made_at", "witnessed_at", "commissioned_at", "received_at"))
    assert reasons(with_sample(**blank)) == []


@pytest.mark.parametrize("field", ["tag", "witnessed"])
def test_tag_and_witness_are_asked_only_where_required(field):
    unwitnessed = replace(SAMPLE, tag=None if field == "tag" else "T", witnessed=field != "witnessed")
    application = replace(
        GOOD, samples=(unwitnessed,), test_category="on_site", witnessing_required=False, client_role="other"
    )
    assert reasons(application) == []


@pytest.mark.parametrize(
    "application",
    [
        replace(GOOD, approver=PersonFacts(uid="p2", standing=Standing.UNKNOWN)),
        with_parameter(capability=Standing.UNKNOWN),
        replace(GOOD, site_standing=Standing.UNKNOWN),
        replace(GOOD, institution_division="510100", filing=Standing.UNKNOWN),
    ],
)
def test_what_the_platform_does_not_know_never_withholds(application):
    decision = code_gate(application, PARAMETERS)
    assert decision.reserved
    assert [note.code.endswith("_unknown") for note in decision.notes] == [True]


@pytest.mark.clause("CECS-E 4.1.3-b")
@pytest.mark.parametrize(
    ("home", "filing", "withheld"),
    [
        ("610100", Standing.OUTSIDE, False),
        ("510100", Standing.WITHIN, False),
        ("510100", Standing.OUTSIDE, True),
    ],
)
def test_filing_is_asked_of_other_provinces_only(home, filing, withheld):
    application = replace(GOOD, institution_division=home, filing=filing)
    assert reasons(application) == ["gate.filing_outside"] * withheld


def test_a_parameter_that_nobody_verified_never_withholds():
    unverified = ParameterSet(replace(parameter, verified=False) for parameter in PARAMETERS)
    for code in ("gate.missing_curve", "gate.missing_tag", "gate.excluded_client"):
        decision = code_gate(BROKEN[code], unverified)
        assert decision.reserved
        (note,) = decision.notes
        assert (note.code, note.severity, note.unverified) == (code, Severity.WARNING, True)


def test_reviewer_and_approver_in_one_person_is_a_note():
    same = replace(GOOD, reviewer=PersonFacts(uid="p2", standing=Standing.UNKNOWN))
    assert notes(same) == ["gate.shared_duties", "gate.unlisted_reviewer"]
    assert code_gate(same, PARAMETERS).reserved


def test_an_empty_set_of_parameters_asks_for_what_is_never_local():
    lenient = ParameterSet()
    withheld = {code for code, application in BROKEN.items() if reasons(application, lenient)}
    assert withheld == set(BROKEN) - {"gate.missing_curve", "gate.missing_tag", "gate.excluded_client"}


def test_another_citys_client_rule_is_one_entry():
    local = Parameter(
        key="client_roles.witnessed",
        value=("owner", "contractor"),
        unit="1",
        jurisdiction="6103",
        in_force_from=date(2026, 1, 1),
        clause="CECS 4.3.3-1",
        source="例",
        verified=True,
    )
    assert reasons(BROKEN["gate.excluded_client"], PARAMETERS.merged(ParameterSet([local]))) == []
