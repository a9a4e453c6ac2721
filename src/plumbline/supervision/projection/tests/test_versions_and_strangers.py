"""New versions and strangers (新版本与外人): what is not taken over leaves its finding and nothing else."""

from __future__ import annotations

import pytest

from plumbline.exchange.messages.project import ContractSigned
from plumbline.exchange.messages.testing import ReviewRecorded, ValueCorrected

pytestmark = pytest.mark.service


def _curves(log) -> list[tuple[str, int]]:
    return [(r["id"], r["points"]) for r in log.rows("SELECT id, points FROM fact.curve ORDER BY id")]


@pytest.mark.clause("BJ 6.3.3")
def test_a_new_version_of_a_run_brings_its_own_curves(tested):
    run = tested.ids["run"]
    tested.run(supersedes=run, reason="更正", points=6, ordinals=(1, 2))
    row = tested.row("run", run)
    assert (row["version"], row["curves"], row["points"], row["evaluated"]) == (2, 2, 6, False)
    assert _curves(tested) == [(f"{run}/{i}/force", 6) for i in (1, 2)]
    day = tested.rows("SELECT sum(runs) AS runs, sum(curves) AS curves FROM fact.institution_day")[0]
    assert (day["runs"], day["curves"]) == (1, 3)


@pytest.mark.parametrize("case", ["foreign", "conflict", "unknown"])
def test_a_version_that_is_not_taken_over_writes_nothing(tested, case):
    run = tested.ids["run"]
    if case == "conflict":
        tested.run(supersedes=run, reason="更正", points=5)
    before = (tested.row("run", run), _curves(tested), tested.row("sample", tested.ids["sample"]))
    counted = tested.rows("SELECT runs, curves FROM fact.institution_day")
    sender = "stranger" if case == "foreign" else "institution"
    supersedes = "9" * 32 if case == "unknown" else run
    got = tested.run(sender, supersedes=supersedes, reason="改", points=9)
    wanted = {
        "foreign": "edit.foreign_version",
        "conflict": "edit.conflict",
        "unknown": "edit.unknown_version",
    }
    assert tested.findings(got) == {wanted[case]}
    after = (tested.row("run", run), _curves(tested), tested.row("sample", tested.ids["sample"]))
    assert after == before
    assert tested.rows("SELECT runs, curves FROM fact.institution_day WHERE runs > 0") == counted
    assert tested.rows("SELECT subject FROM fact.event WHERE id = %s", got) == [{"subject": got}]
    assert tested.rows("SELECT subject FROM fact.finding WHERE entry = %s", got) == [{"subject": got}]


@pytest.mark.parametrize(
    ("sender", "found"), [("contractor", "self_witnessed"), ("stranger", "foreign_sender")]
)
@pytest.mark.clause("CECS-E 4.3.4-2")
def test_a_witnessing_by_the_sampler_or_a_stranger_does_not_count(city, sender, found):
    city.issue_tags()
    city.sample()
    got = city.witness(sender)
    assert f"custody.{found}" in city.findings(got)
    assert city.row("sample", city.ids["sample"])["witnessing"] is None
    assert city.row("witnessing", got) is not None


def test_a_witness_of_the_contractor_does_not_count(city):
    city.issue_tags()
    city.sample()
    got = city.witness(witness=city.person("sampler"))
    assert "custody.self_witnessed" in city.findings(got)
    assert city.row("sample", city.ids["sample"])["witnessing"] is None


def test_a_witness_whom_nobody_registered_does_not_count(city):
    city.issue_tags()
    city.sample()
    got = city.witness(witness=city.person("nobody"))
    assert "custody.unlisted_witness" in city.findings(got)
    assert city.row("sample", city.ids["sample"])["witnessing"] is None


def test_a_second_witnessing_does_not_displace_the_first_and_a_new_version_does(city):
    city.issue_tags()
    city.sample()
    first = city.witness(seal="A")
    second = city.witness(seal="B")
    assert "custody.second_witnessing" in city.findings(second)
    assert city.row("sample", city.ids["sample"])["witnessing"] == first
    city.witness(seal="C", supersedes=first, reason="封志写错")
    assert city.row("sample", city.ids["sample"])["witnessing"] == first
    assert city.row("witnessing", first)["seal"] == "C"


@pytest.mark.clause("CECS 3.0.3")
def test_a_strangers_steps_change_no_object(tested):
    sample, run = tested.ids["sample"], tested.ids["run"]
    before = tested.row("sample", sample)
    received = tested.receive("stranger")
    placed = tested.commission("stranger", institution=tested.party("stranger"))
    attempts = [tested.run("stranger"), tested.receive("stranger")]
    assert tested.row("sample", sample) == before
    assert "custody.foreign_commission" in tested.findings(received)
    # nor is it an excuse to name a commission that nobody knows
    invented = tested.receive("stranger", commission="ab" * 16)
    assert tested.findings(invented) == {"custody.foreign_sender"}
    (told,) = tested.rows("SELECT institution, about FROM fact.finding WHERE entry = %s", invented)
    assert told["institution"] == told["about"] == tested.party("stranger")
    assert "custody.foreign_sender" in tested.findings(placed)
    fields = {"run": run, "step": "approval", "person": tested.person("approver"), "decision": "accepted"}
    review = tested.send("stranger", ReviewRecorded, **fields)
    assert tested.findings(review) == {"custody.foreign_sender"}
    assert tested.row("review", review)["run"] is None
    assert not {*attempts} & {*before["runs"], *before["receipts"]}


def test_a_contract_and_commission_by_a_stranger_alone_give_it_no_sample(tested):
    before = tested.row("sample", tested.ids["sample"])
    stranger = tested.party("stranger")
    fields = {"project": tested.ids["project"], "number": "HT-9", "client": tested.party("owner")}
    fields |= {"client_role": "owner", "institution": stranger, "signed_on": "2026-01-01", "scope": []}
    contract = tested.send("stranger", ContractSigned, **fields)
    placed = tested.commission("stranger", institution=stranger, contract=contract)
    tested.receive("stranger"), tested.run("stranger")
    assert tested.row("sample", tested.ids["sample"]) == before
    assert tested.findings(placed) == {"custody.foreign_sender"}
    assert tested.row("commission", placed)["project"] is None


def test_a_correction_by_a_stranger_is_bound_to_no_run(tested):
    fields = {"run": tested.ids["run"], "ordinal": 1, "symbol": "load_kN", "reason": "改"}
    names = ValueCorrected.__struct_fields__
    extra = {"before": "1", "after": "2", "because": "误读", "person": tested.person("technician")}
    fields |= {name: value for name, value in extra.items() if name in names}
    for sender, bound in (("stranger", None), ("institution", tested.ids["run"])):
        got = tested.send(sender, ValueCorrected, **fields)
        assert tested.row("correction", got)["run"] == bound


@pytest.mark.parametrize(
    ("sender", "issued"), [("contractor", True), ("station", True), ("owner", False), ("stranger", False)]
)
@pytest.mark.clause("CECS 4.3.4-1a")
def test_tags_are_issued_by_the_station_or_the_projects_contractor(city, sender, issued):
    got = city.issue_tags(sender)
    assert (city.row("tag", "T1") is not None) == issued
    assert city.findings(got) == (set() if issued else {"custody.foreign_sender"})


def test_a_strangers_sampling_binds_no_tag(city):
    city.issue_tags()
    other = city.new_project(contractor=city.party("stranger"))
    got = city.sample("stranger", project=other)
    assert "custody.unissued_tag" in city.findings(got)
    inside = city.sample("stranger")
    assert "custody.foreign_sender" in city.findings(inside)
    assert city.row("tag", "T1")["sample"] is None
    own = city.sample()
    assert city.row("tag", "T1")["sample"] == own
