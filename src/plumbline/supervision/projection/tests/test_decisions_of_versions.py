"""A decision holds for the version that it judged, a release for the officers of the place (决定与版本)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.exchange.messages.platform import EvaluationComputed
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.messages.reports import CodeReleased
from plumbline.exchange.uids import new_uid

pytestmark = pytest.mark.service
SECOND = "2611HC0BBBBBBBBBBBBBB"


def _state(log) -> tuple[str, str | None]:
    row = log.row("application", log.ids["application"])
    return row["state"], row["code"]


@pytest.mark.clause("CECS 4.1.2-a")
def test_a_decision_on_the_version_as_it_stands_holds(tested):
    tested.apply()
    tested.reserve()
    assert _state(tested) == ("reserved", "2611HC0AAAAAAAAAAAAAA")


@pytest.mark.parametrize("decide", ["reserve", "withhold"])
def test_a_decision_on_an_earlier_version_changes_nothing(tested, decide):
    first = tested.apply()
    judged = tested.decision_uid()
    tested.append(tested.application_message(supersedes=first, reason="补正", title="报告（补正）"))
    late = getattr(tested, decide)(uid=judged)
    assert tested.findings(late) == {"reporting.stale_decision"}
    assert _state(tested) == ("applied", None)
    assert tested.rows("SELECT id FROM fact.code") == []


def test_a_second_decision_changes_nothing(tested):
    tested.apply()
    judged = tested.decision_uid()
    tested.withhold(uid=judged)
    late = tested.reserve(uid=new_uid(tested.at))
    assert tested.findings(late) == {"reporting.stale_decision"}
    assert _state(tested) == ("withheld", None)


def test_a_decision_of_anybody_but_the_platform_changes_nothing(tested):
    tested.apply()
    forged = tested.reserve(sender="stranger")
    assert tested.findings(forged) == {"reporting.stale_decision"}
    assert _state(tested) == ("applied", None)


def test_a_deadline_ends_the_code_that_it_is_of_and_no_other(tested):
    tested.apply()
    due = tested.at + timedelta(days=3)
    tested.reserve(dies_at=due)
    wrong = tested.expire(due + timedelta(seconds=1))
    assert tested.findings(wrong) == {"reporting.stale_decision"}
    assert _state(tested)[0] == "reserved"
    tested.expire(due)
    assert _state(tested)[0] == "expired"


def test_a_deadline_after_the_registration_changes_nothing(tested):
    tested.apply()
    due = tested.at + timedelta(days=3)
    tested.reserve(dies_at=due)
    tested.register_report()
    late = tested.expire(due)
    assert tested.findings(late) == {"reporting.stale_decision"}
    assert _state(tested)[0] == "registered"


def test_a_recomputation_of_an_earlier_version_of_a_run_changes_nothing(tested):
    row = tested.row("run", tested.ids["run"])
    tested.run(supersedes=tested.ids["run"], reason="更正", points=6)
    late = tested.send(
        "station",
        EvaluationComputed,
        uid=new_uid(row["logged_at"]),
        run=row["id"],
        method="concrete_cube",
        edition="GB/T 50081-2019",
        version="1",
        outcome="computed",
        verdict="PASS",
    )
    assert tested.findings(late) == {"testing.stale_evaluation"}
    assert tested.row("run", row["id"])["evaluated"] is False


def _release(log, one: str, two: str, sender: str = "station") -> str:
    return log.send(
        sender,
        CodeReleased,
        application=log.ids["application"],
        officer=log.person(one),
        second_officer=log.person(two),
        because="现场核实",
    )


@pytest.fixture
def withheld(tested):
    for name in ("officer_1", "officer_2"):
        tested.register_person(name, "station", "officer")
    tested.apply()
    tested.withhold()
    return tested


def test_two_officers_release_and_the_mark_and_the_reasons_stay(withheld):
    _release(withheld, "officer_1", "officer_2")
    assert _state(withheld)[0] == "released"
    withheld.reserve()
    row = withheld.row("application", withheld.ids["application"])
    assert row["state"] == "reserved"
    assert [each["code"] for each in row["reasons"]] == ["gate.missing_test", "reporting.released_code"]
    assert row["reasons"][-1]["sentence"] == "人工放行：现场核实"


@pytest.mark.parametrize(
    ("one", "two"), [("officer_1", "officer_1"), ("officer_1", "approver"), ("nobody", "officer_2")]
)
def test_one_officer_twice_or_somebody_else_releases_nothing(withheld, one, two):
    got = _release(withheld, one, two)
    assert withheld.findings(got) == {"reporting.unfounded_release"}
    assert _state(withheld)[0] == "withheld"


@pytest.mark.parametrize(
    ("division", "state"), [("610300", "released"), ("610302", "withheld"), ("610500", "withheld")]
)
def test_only_the_station_of_the_projects_place_releases(withheld, division, state):
    uscc = "12610500MB2960002" + uscc_check_character("12610500MB2960002")
    party = party_id(uscc).hex()
    withheld.send(
        "station", PartyRegistered, party=party, uscc=uscc, name="某站", roles=["station"], division=division
    )
    for name in ("other_1", "other_2"):
        withheld.register_person(name, party, "officer")
    _release(withheld, "other_1", "other_2", sender=party)
    assert _state(withheld)[0] == state
