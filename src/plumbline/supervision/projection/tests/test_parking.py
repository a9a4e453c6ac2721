"""What fails is parked, and nothing overtakes it (停放与重新投影): after healing the tables are those of an unfailed run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plumbline.exchange.messages.project import CustodiansConfirmed
from plumbline.exchange.messages.reports import ReportWithdrawn
from plumbline.supervision.projection.projector import reproject
from plumbline.supervision.projection.rebuild import audit_projection

pytestmark = pytest.mark.service


def _heal(log, mend: Callable[[], None], parked: list[str]) -> None:
    """These entries are parked, in this order; healing brings every one of them in, as if nothing had failed."""
    assert log.parked() == [log.indexes[entry] for entry in parked]
    mend()
    assert reproject(log.conninfo["plumb_projector"]) == (len(parked), 0)
    assert audit_projection(log.conninfo) == []


def test_what_names_a_failed_entry_waits_for_it(city, failing):
    city.issue_tags()
    city.project()
    mend = failing("sampling.recorded")
    city.sample()
    steps = [city.ids["sample"], city.witness(), city.commission(), city.receive(), city.run()]
    city.project()
    _heal(city, mend, steps)
    assert city.row("sample", city.ids["sample"])["receipts"] == [city.ids["receipt"]]


def test_a_new_version_waits_for_the_version_before(city, failing):
    city.issue_tags()
    first = city.sample()
    city.project()
    mend = failing("sampling.recorded")
    second = city.sample(supersedes=first, reason="部位", structural_part="梁")
    city.project()
    mend()
    third = city.sample(supersedes=second, reason="部位", structural_part="墙")
    _heal(city, mend, [second, third])
    assert city.row("sample", first)["structural_part"] == "墙"


@pytest.mark.parametrize("kind", ["project.registered", "custodians.confirmed"])
def test_what_rests_on_a_failed_project_or_list_waits(city, failing, kind):
    city.project()
    mend = failing(kind)
    city.ids["project"] = project = city.new_project()
    fields = {"project": project, "samplers": [], "witnesses": []}
    confirmed = city.send("station", CustodiansConfirmed, **fields)
    city.project()
    steps = [city.issue_tags(), city.sample(), city.witness()]
    if kind == "custodians.confirmed":
        steps = [confirmed, *steps[1:]]  # tags do not depend on who may sample
        assert city.findings(city.ids["sample"]) == set()
    else:
        steps = [project, *steps]  # the list itself says nothing of the project
    _heal(city, mend, steps)
    assert "custody.unconfirmed_sampler" in city.findings(city.ids["sample"])


def test_a_failed_sampling_does_not_stop_its_project(city, failing):
    city.issue_tags()
    city.issue_tags(tags=["U1"])
    city.project()
    mend = failing("sampling.recorded")
    failed = city.sample()
    city.project()
    mend()
    other = city.sample(tags=("U1",))
    city.witness()
    assert city.parked() == [city.indexes[failed]]
    assert city.row("sample", other)["witnessing"] == city.ids["witnessing"]
    _heal(city, mend, [failed])


def test_a_tag_used_by_a_failed_sampling_is_not_taken_by_a_later_one(city, failing):
    city.issue_tags()
    city.project()
    mend = failing("sampling.recorded")
    first = city.sample()
    city.project()
    mend()
    second = city.sample()
    _heal(city, mend, [first, second])
    assert city.row("tag", "T1")["sample"] == first


def test_a_person_waits_for_its_registration_and_stops_nobody_else(city, failing):
    city.issue_tags()
    city.sample()
    city.project()
    mend = failing("person.registered")
    late = city.register_person("new_witness", "resident_engineer_firm", "witness")
    waiting = city.witness(witness=city.person("new_witness"))
    _heal(city, mend, [late, waiting])
    assert city.row("sample", city.ids["sample"])["witnessing"] == waiting


def test_what_a_party_sends_waits_for_its_registration(city, failing):
    city.project()
    mend = failing("party.registered")
    again = city.register("contractor", ["contractor"], name="改名")
    waiting = city.issue_tags()
    _heal(city, mend, [again, waiting])


def test_a_failed_key_holds_back_what_it_signs_for(city, failing):
    mend = failing("key.enrolled")
    first = city.enrol_key("institution", "inst.key")
    city.project()
    mend()
    second = city.enrol_key("institution", "inst.key")
    _heal(city, mend, [first, second])
    assert city.findings(second) == {"registry.repeated_key"}


def test_a_failed_withdrawal_holds_back_the_code_and_the_next_version(tested, failing):
    tested.apply()
    tested.reserve()
    registration = tested.register_report()
    tested.project()
    mend = failing("report.withdrawn")
    withdrawn = tested.send("institution", ReportWithdrawn, registration=registration, because="数据有误")
    tested.project()
    # the next version would turn the code from withdrawn into superseded, were it not to wait
    tested.take_number()
    applied = tested.append(tested.application_message(replaces_code="2611HC0AAAAAAAAAAAAAA", version=2))
    _heal(tested, mend, [withdrawn, applied])
    assert tested.row("code", "2611HC0AAAAAAAAAAAAAA")["state"] == "withdrawn"


def test_a_failed_registration_of_a_new_version_holds_back_the_old_report(tested, failing):
    old, new = "2611HC0AAAAAAAAAAAAAA", "2611HC0BBBBBBBBBBBBBB"
    tested.apply()
    tested.reserve()
    first = tested.register_report()
    tested.take_number()
    tested.apply(replaces_code=old, version=2)
    tested.reserve(code=new)
    tested.project()
    mend = failing("report.registered")
    second = tested.register_report(code=new)
    withdrawn = tested.send("institution", ReportWithdrawn, registration=first, because="数据有误")
    _heal(tested, mend, [second, withdrawn])
    assert tested.row("code", old)["replaced_by"] == new


def test_a_failed_deadline_holds_back_the_registration(tested, failing):
    tested.apply()
    tested.reserve()
    due = tested.row("code", "2611HC0AAAAAAAAAAAAAA")["dies_at"]
    mend = failing("clock.deadline_passed")
    expired = tested.expire(due)
    late = tested.register_report()
    _heal(tested, mend, [expired, late])
    assert tested.findings(late) == {"reporting.dead_code"}
