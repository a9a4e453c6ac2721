"""The gate rests on facts that belong together (关口的事实): commission, samples, runs, people, each of this institution."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from plumbline.exchange.messages.project import ContractSigned
from plumbline.supervision.codes.facts import decide, gate_facts

pytestmark = pytest.mark.service


def _reasons(log: Any, message: Any = None) -> set[str]:
    message = message or log.application_message()
    log.project()
    with psycopg.connect(log.conninfo["plumb_worker"], row_factory=dict_row) as conn:
        return {each.code for each in decide(conn, message, log.at).reasons}


def _facts(log: Any, message: Any) -> Any:
    log.project()
    with psycopg.connect(log.conninfo["plumb_worker"], row_factory=dict_row) as conn:
        return gate_facts(conn, message, log.at)


@pytest.mark.clause("CECS 4.1.2-a")
def test_an_honest_report_is_reserved(tested):
    assert _reasons(tested) == set()


@pytest.mark.clause("CECS 4.3.3-1")
def test_another_institutions_commission_is_withheld(tested):
    assert "gate.foreign_commission" in _reasons(tested, tested.application_message("stranger"))
    assert "gate.foreign_commission" in _reasons(tested, tested.application_message(commission="9" * 32))


@pytest.mark.clause("CECS 3.0.3")
def test_a_sample_that_the_commission_does_not_list_is_withheld(tested):
    listed = tested.ids["sample"]
    tested.issue_tags(tags=["U1"])
    other = tested.sample(tags=("U1",))
    tested.witness()
    assert "gate.foreign_sample" in _reasons(tested, tested.application_message(samples=[listed, other]))


def test_a_sample_of_another_project_is_withheld(tested):
    tested.ids["project"] = tested.new_project()
    tested.issue_tags(tags=["U1"])
    other = tested.sample(tags=("U1",))
    listed = tested.commission(samples=[other])
    message = tested.application_message(commission=listed, samples=[other])
    assert "gate.foreign_sample" in _reasons(tested, message)


def test_a_commission_that_nobody_of_the_project_placed_gives_no_sample(tested):
    fields = {"project": tested.ids["project"], "number": "HT-9", "client": tested.party("owner")}
    fields |= {"client_role": "owner", "institution": tested.party("stranger")}
    contract = tested.send("stranger", ContractSigned, **fields, signed_on="2026-01-01", scope=[])
    placed = tested.commission("stranger", contract=contract, institution=tested.party("stranger"))
    message = tested.application_message("stranger", commission=placed)
    assert "gate.foreign_sample" in _reasons(tested, message)


def test_a_run_of_another_commission_is_no_test_of_this_report(tested):
    first = tested.ids["commission"]
    tested.commission()
    tested.ids["run"] = tested.run()
    assert "gate.missing_test" in _reasons(tested, tested.application_message(commission=first))


def test_a_run_by_another_method_is_no_test_of_this_parameter(tested):
    tested.ids["run"] = tested.run(method="rebar_tension")
    assert "gate.missing_test" in _reasons(tested)


def test_a_reception_by_another_institution_does_not_count(tested):
    own = _facts(tested, tested.application_message()).samples[0].received_at
    tested.receive("stranger")
    message = tested.application_message()
    assert _facts(tested, message).samples[0].received_at == own
    other = tested.application_message(commission=tested.commission())
    assert _facts(tested, other).samples[0].received_at is None


def test_a_witnessing_that_does_not_count_withholds(city):
    city.issue_tags(), city.sample(), city.witness("contractor")
    city.commission(), city.receive(), city.run(), city.take_number()
    assert "gate.missing_witness" in _reasons(city)


@pytest.mark.clause("CECS-E 4.1.1-8b")
@pytest.mark.parametrize("party", ["stranger"])
def test_an_institution_without_any_schedule_is_outside_it(tested, party):
    found = _reasons(tested, tested.application_message(party))
    assert {"gate.parameter_outside", "gate.site_outside"} <= found


@pytest.mark.clause("CECS 4.1.1-7")
def test_an_approver_whom_the_institution_made_itself_is_withheld(tested):
    tested.register_person("self_made", "institution", "approver", sender="institution")
    message = tested.application_message(approver=tested.person("self_made"))
    assert _reasons(tested, message) == {"gate.approver_outside"}


def test_a_log_that_waits_too_long_for_its_cosigner_gives_no_code_and_goes_on_receiving(tested):
    for minutes, stopped in ((239, False), (241, True)):
        with psycopg.connect(tested.conninfo["plumb_gateway"]) as conn:
            conn.execute(
                "INSERT INTO ops.cosigner (name, trust_domain, is_external, behind_since) "
                "VALUES ('w/1', '某大学', true, clock_timestamp() - make_interval(mins => %(minutes)s)) "
                "ON CONFLICT (name) DO UPDATE SET behind_since = EXCLUDED.behind_since",
                {"minutes": minutes},
            )
        tested.issue_tags(tags=[f"LATE{minutes}"])  # received and projected all the same
        assert ("log.not_cosigned" in _reasons(tested)) is stopped
