"""Applications, codes, registration (申请、发码、登记): withheld for facts of record with every reason, and nothing is taken twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.registry import PersonRegistered
from plumbline.exchange.messages.reports import CodeReleased, NumberTaken, NumberVoided, ReportWithdrawn

pytestmark = pytest.mark.service


def _codes(decision) -> set[str]:
    return {reason["code"] for reason in decision["reasons"] or []}


def _received(world, **changes):
    case = world.case(**changes)
    case.issue_tags(), case.sample(), case.witness(), case.commission(), case.receive(), case.take_number()
    return case


@pytest.mark.clause("CECS 4.1.2-a", "GX 三-b", "JJ 三(五)-b", "BJ 4.2.2.2-c", "GX 十二")
def test_a_report_gets_its_code_and_is_valid_only_after_registration(world, genuine) -> None:
    case, decision, _pdf = genuine
    assert decision["state"] == "reserved"
    assert len(decision["code"]) == 21
    row = world.rows("SELECT state, pdf_sha256 FROM fact.code WHERE id = %s", [decision["code"]])[0]
    assert row["state"] == "registered"
    assert row["pdf_sha256"] is not None
    assert case.sent["registration"].result["registration"]["state"] == "registered"


def test_a_reserved_code_is_not_yet_valid(world) -> None:
    case = world.case().until_tested()
    decision = case.apply()
    answer = world.http.get(f"{world.url}/v/{decision['code']}", headers={"accept": "application/json"})
    assert answer.json()["state"] == "reserved"
    page = world.http.get(f"{world.url}/v/{decision['code']}").text
    assert "真" not in page.split("</h1>")[0].rpartition("<h1")[2]


def test_a_failing_conclusion_gets_its_code_like_any_other(world) -> None:
    case = world.case(strengths=(20.1, 20.4, 19.9)).until_tested()
    decision = case.apply(conclusion="FAIL")
    assert decision["state"] == "reserved"
    assert decision["claims"]


def test_a_report_without_a_test_is_withheld_with_reason_clause_and_remedy(world) -> None:
    decision = _received(world).apply()
    assert decision["state"] == "withheld"
    reason = next(r for r in decision["reasons"] if r["code"] == "gate.missing_test")
    assert reason["clause"] and reason["sentence"] and reason["remedy"]
    assert decision["code"] is None


@pytest.mark.clause("BJ 6.3.2.1")
def test_a_force_item_without_its_curve_is_withheld(world) -> None:
    case = _received(world)
    case.test(with_curve=False)
    case.review()
    decision = case.apply()
    assert (decision["state"], "gate.missing_curve" in _codes(decision)) == ("withheld", True)


def test_a_report_before_its_test_is_withheld(world, tested_case) -> None:
    case = world.case().until_tested()
    early = case.plan.times.tested[0] - timedelta(days=1)
    decision = case.apply(reviewed_at=early, approved_at=early)
    assert (decision["state"], "gate.broken_time_order" in _codes(decision)) == ("withheld", True)


def test_a_report_without_witness_or_by_a_stranger_is_withheld(world) -> None:
    case = world.case()
    (
        case.issue_tags(),
        case.sample(),
        case.commission(),
        case.receive(),
        case.take_number(),
        case.test(),
        case.review(),
    )
    decision = case.apply(approver=world.cast.person("technician"))
    assert {"gate.missing_witness", "gate.approver_outside"} <= _codes(decision)


def test_a_dry_run_says_what_the_decision_will_be(world) -> None:
    bad, good = _received(world), world.case().until_tested()
    client = world.client("institution")
    for case in (bad, good):
        told = client.dry_run(case.application())
        decision = case.apply()
        assert told["reserved"] == (decision["state"] == "reserved")
        if not told["reserved"]:
            assert {r["code"] for r in told["reasons"]} == _codes(decision)


def test_a_dry_run_stores_nothing_and_speaks_for_oneself_only(world, tested_case) -> None:
    before = world.size()
    world.client("institution").dry_run(tested_case.application())
    assert world.size() == before
    data = encode_message(tested_case.application())
    from plumbline.exchange.encode import encode_submission

    answer = world.request("POST", "/x/v1/dry-run", world.parties["stranger"], encode_submission(data), data)
    world.refused(answer, 403, "sender-mismatch")


@pytest.mark.clause("JJ 三(五)-c")
def test_a_number_is_taken_once(world, tested_case) -> None:
    fields = {
        "document_kind": "report",
        "prefix": "SVT",
        "site": world.cast.site,
        "year": 2026,
        "serial": 990_000 + tested_case.serial,
        "number": tested_case.number.lower(),
    }
    message = world.message("institution", NumberTaken, **fields)
    body = world.refused(world.post(encode_message(message), world.parties["institution"]), 409, "claim-lost")
    assert tested_case.number in body["detail"]
    fields |= {"serial": tested_case.serial, "number": f"{tested_case.number}-B"}
    again = world.message("institution", NumberTaken, **fields)
    world.refused(world.post(encode_message(again), world.parties["institution"]), 409, "claim-lost")


def test_the_same_number_may_be_another_institutions(world, tested_case) -> None:
    got = world.send(
        "stranger",
        NumberTaken,
        document_kind="report",
        prefix="SVT",
        site="S9",
        year=2026,
        serial=tested_case.serial,
        number=tested_case.number,
    )
    assert got.entry


def test_a_second_application_on_one_number_is_found(world) -> None:
    case = world.case().until_tested()
    case.apply()
    again = case.apply()
    assert again["state"] == "reserved"
    assert "reporting.repeated_number" in world.findings(case.ids["application"])


def test_a_foreign_and_a_voided_number_are_found(world, tested_case) -> None:
    case = world.case().until_tested()
    case.apply(number_entry=tested_case.ids["number"])
    assert "reporting.foreign_number" in world.findings(case.ids["application"])
    world.send("institution", NumberVoided, number_entry=case.ids["number"], because="委托方撤销委托")
    case.apply()
    assert "reporting.voided_number" in world.findings(case.ids["application"])


def test_an_application_that_has_its_code_cannot_be_changed(world) -> None:
    case = world.case().until_tested()
    code = case.apply()["code"]
    first = case.ids["application"]
    case.apply(supersedes=first, reason="改一下")
    assert "edit.decided" in world.findings(case.ids["application"])
    row = world.rows("SELECT state, code FROM fact.application WHERE id = %s", [first])[0]
    assert row == {"state": "reserved", "code": code}


def test_a_withheld_application_is_mended_by_a_new_version(world) -> None:
    case = _received(world)
    assert case.apply()["state"] == "withheld"
    first = case.ids["application"]
    case.test(), case.review()
    got = world.client("institution").send(case.application(supersedes=first, reason="补传试验"), wait_s=20)
    assert got.result["projected"]
    row = world.wait_for(
        lambda: world.rows(
            "SELECT state, version FROM fact.application WHERE id = %s AND state = 'reserved'", [first]
        )
    )
    assert row[0]["version"] == 2


def _officer(world, name: str) -> str:
    ref = (name * 32)[:32]
    fields = {
        "person": ref,
        "party": world.station,
        "roles": ["officer"],
        "valid_from": "2026-01-01",
        "personal": ref * 2,
    }
    world.by_station(PersonRegistered, **fields)
    return ref


def test_an_officer_releases_with_a_second_person_and_the_reasons_stay(world) -> None:
    case = _received(world)
    case.apply()
    one, two = _officer(world, "a1"), _officer(world, "b2")
    asked = "SELECT state, reasons FROM fact.application WHERE id = %s"
    for first, second in ((one, one), (one, world.cast.person("approver"))):
        release = {"application": case.ids["application"], "officer": first, "second_officer": second}
        world.by_station(CodeReleased, because="演练", **release)
        world.settle()
        assert world.rows(asked, [case.ids["application"]])[0]["state"] == "withheld"
    world.by_station(CodeReleased, because="演练", **(release | {"second_officer": two}))
    world.wait_for(lambda: world.rows(asked, [case.ids["application"]])[0]["state"] == "reserved")
    reasons = world.rows(asked, [case.ids["application"]])[0]["reasons"]
    assert "gate.missing_test" in {each["code"] for each in reasons}


def test_registering_a_foreign_a_dead_or_an_unknown_code_is_refused_with_a_finding(world, genuine) -> None:
    case = world.case().until_tested()
    decision = case.apply()
    unknown = case.register(b"%PDF-1.7 x", "2611HC0ZZZZZZZZZZZZZZ", upload=False)
    assert unknown.result["registration"]["state"] == "refused"
    assert "reporting.unknown_code" in world.findings(unknown.entry)
    reserved = world.case().until_tested()
    other = reserved.apply()
    foreign = case.register(b"%PDF-1.7 x", other["code"], upload=False)
    assert "reporting.foreign_code" in world.findings(foreign.entry)
    asked = "SELECT state FROM fact.code WHERE id = %s"
    assert world.rows(asked, [decision["code"]])[0]["state"] == "reserved"
    assert world.rows(asked, [other["code"]])[0]["state"] == "reserved"


def test_a_code_is_registered_once(world, genuine) -> None:
    case, decision, pdf = genuine
    with pytest.raises(Exception, match="占用"):
        case.register(pdf, decision["code"], upload=False)


def test_a_stranger_cannot_withdraw_a_report(world, genuine) -> None:
    case, decision, _ = genuine
    got = world.send("stranger", ReportWithdrawn, registration=case.ids["registration"], because="不喜欢")
    assert "reporting.foreign_withdrawal" in world.findings(got.entry)
    assert (
        world.rows("SELECT state FROM fact.code WHERE id = %s", [decision["code"]])[0]["state"]
        == "registered"
    )


@pytest.mark.clause("CECS 4.1.2-c")
@pytest.mark.parametrize("fault", ["byte", "appended", "no pdf", "cut"])
def test_registered_bytes_that_are_unsound_are_never_genuine(world, genuine, fault) -> None:
    case = world.case().until_tested()
    decision = case.apply()
    pdf = bytearray(case.printed(decision))
    if fault == "byte":
        pdf[len(pdf) // 2] ^= 1
    elif fault == "appended":
        pdf += b"\n1 0 obj\n<< >>\nendobj\n%%EOF\n"
    elif fault == "cut":
        del pdf[len(pdf) // 2 :]
    else:
        pdf = bytearray(
            b"%PDF-1.7\n" + b"\x00\xff" * 500
        )  # what does not even begin like one is refused with its upload
    case.register(bytes(pdf), decision["code"])
    asked = "SELECT accepted, examination FROM fact.registration WHERE id = %s AND examined"
    row = world.wait_for(lambda: world.rows(asked, [case.ids["registration"]]))[0]
    assert row["accepted"] is False
    assert row["examination"]
    state = world.http.get(
        f"{world.url}/v/{decision['code']}", headers={"accept": "application/json"}
    ).json()["state"]
    assert not state.startswith("genuine")


def test_a_registration_without_its_file_waits_and_is_not_genuine(world) -> None:
    case = world.case().until_tested()
    decision = case.apply()
    case.register(b"%PDF never sent", decision["code"], upload=False)
    answer = world.http.get(f"{world.url}/v/{decision['code']}", headers={"accept": "application/json"})
    assert not answer.json()["state"].startswith("genuine")
    asked = "SELECT examined FROM fact.registration WHERE id = %s"
    assert world.rows(asked, [case.ids["registration"]])[0]["examined"] is False
