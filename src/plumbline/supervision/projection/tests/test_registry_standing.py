"""Nobody gives itself authority, or speaks with another's key (登记的权限)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.exchange.messages.registry import (
    ChargeAssigned,
    ChargeEnded,
    KeyRevoked,
    PartyRegistered,
    PartyReinstated,
    PartySuspended,
)
from plumbline.exchange.signatures import Ed25519Signer

pytestmark = pytest.mark.service
_BODY = "12610300MB2960777"
OTHER_USCC = _BODY + uscc_check_character(_BODY)
OTHER = party_id(OTHER_USCC).hex()


@pytest.fixture
def stations(city):
    """The city with a second station, which the platform registered."""
    _register(city, "station", ["station"])
    return city


def _register(log, sender: str, roles: list[str], party: str = OTHER, uscc: str = OTHER_USCC) -> str:
    return log.send(
        sender, PartyRegistered, party=party, uscc=uscc, name="另一个站", roles=roles, division="610300"
    )


def test_the_platform_registers_a_second_station(stations):
    assert stations.row("party", OTHER)["roles"] == ["station"]


def test_a_wrong_uscc_registers_nothing(city):
    got = _register(
        city, "station", ["institution"], uscc=OTHER_USCC[:-1] + ("1" if OTHER_USCC[-1] == "0" else "0")
    )
    assert city.findings(got) == {"registry.wrong_uscc"}
    assert city.row("party", OTHER) is None


@pytest.mark.parametrize("role", ["platform", "authority", "station"])
def test_a_station_that_is_not_the_platform_grants_no_authority(stations, role):
    body = "12610300MB2960888"
    uscc = body + uscc_check_character(body)
    party = party_id(uscc).hex()
    got = _register(stations, OTHER, ["institution", role], party, uscc)
    assert stations.findings(got) == {"registry.foreign_registration"}
    assert stations.row("party", party) is None


def test_a_station_changes_no_party_that_it_did_not_register(stations):
    before = stations.row("party", stations.party("institution"))
    got = stations.register("institution", ["institution"], sender=OTHER, name="改了名")
    assert stations.findings(got) == {"registry.foreign_registration"}
    assert stations.row("party", stations.party("institution")) == before


def test_the_platforms_role_is_neither_given_nor_lost(city):
    got = _register(city, "station", ["platform"])
    assert city.findings(got) == {"registry.foreign_registration"}
    uscc = "12610300MB2960001Y"
    _register(city, "station", ["station"], city.party("station"), uscc)
    assert city.row("party", city.party("station"))["roles"] == ["platform", "station"]


@pytest.mark.parametrize(
    ("party", "use"),
    [("station", "transport"), ("institution", "log"), ("institution", "code"), ("institution", "web")],
)
def test_a_station_enrols_no_key_of_the_platform(stations, party, use):
    got = stations.enrol_key(party, "new.key", use, sender=OTHER)
    assert stations.findings(got) == {"registry.foreign_registration"}
    assert stations.row("key", "new.key") is None


def test_a_station_revokes_no_key_of_the_platform(stations):
    web = stations.tested.keys.signer("web").key_id
    got = stations.send(OTHER, KeyRevoked, key_id=web, because="试试")
    assert stations.findings(got) == {"registry.foreign_registration"}
    assert stations.row("key", web)["revoked_idx"] is None


def test_a_station_enrols_and_revokes_keys_of_an_institution(stations):
    stations.enrol_key("institution", "inst.transport", sender=OTHER)
    stations.send(OTHER, KeyRevoked, key_id="inst.transport", because="换新")
    assert stations.row("key", "inst.transport")["revoked_idx"] is not None


@pytest.mark.clause("CECS 6.0.5-a")
def test_what_stands_under_a_key_id_never_changes(city):
    first = city.enrol_key("institution", "inst.origin", "origin")
    before = city.row("key", "inst.origin")
    got = city.enrol_key("institution", "inst.origin", "origin", supersedes=first, reason="换钥")
    assert city.findings(got) == {"registry.changed_key"}
    assert city.row("key", "inst.origin") == before


@pytest.mark.clause("CECS 6.0.5-b")
def test_an_entry_signed_by_a_key_that_was_revoked_before_it_is_found(city):
    signer = city.tested.keys.signer("code")
    good = city.append(city.message("institution", KeyRevoked, key_id="none", because="x"), signer)
    revoking = city.send("station", KeyRevoked, key_id=signer.key_id, because="泄露")
    bad = city.append(city.message("institution", KeyRevoked, key_id="none", because="y"), signer)
    assert city.findings(good) == set()
    assert city.findings(revoking) == set()
    assert city.findings(bad) == {"registry.lapsed_key"}


def test_an_entry_signed_by_a_key_out_of_its_validity_is_found(city):
    short = Ed25519Signer("short.key", Ed25519PrivateKey.generate())
    # enrolled at +1 s, the first entry follows at +2 s, the second at +3 s
    city.enrol_key("institution", "short.key", valid_until=city.at + timedelta(seconds=3))
    last, late = (
        city.append(city.message("institution", KeyRevoked, key_id="none", because="x"), short)
        for _ in range(2)
    )
    assert city.findings(last) == set()
    assert city.findings(late) == {"registry.lapsed_key"}


@pytest.mark.clause("CECS 4.1.1-7")
@pytest.mark.parametrize(
    ("role", "kept"), [("technician", True), ("reviewer", False), ("approver", False), ("officer", False)]
)
def test_an_institution_makes_nobody_an_approver(city, role, kept):
    got = city.register_person("newcomer", "institution", role, sender="institution")
    assert city.row("person", city.person("newcomer"))["roles"] == ([role] if kept else [])
    assert city.findings(got) == (set() if kept else {"registry.unapproved_role"})


def test_an_institution_changes_no_person_whom_the_station_registered(city):
    before = city.row("person", city.person("approver"))
    got = city.register_person("approver", "institution", "technician", sender="institution")
    assert city.findings(got) == {"registry.foreign_registration"}
    assert city.row("person", city.person("approver")) == before


_TWO = {"because": "现场检查", "decided_by": "1a" * 16, "seconded_by": "2b" * 16}


def test_an_organisation_is_suspended_by_the_station_of_its_place_and_two_persons(city):
    party = city.party("institution")
    alone = city.send("station", PartySuspended, party=party, **_TWO | {"seconded_by": "1a" * 16})
    itself = city.send("institution", PartySuspended, party=party, **_TWO)
    above = city.send("station", PartySuspended, party=city.party("station"), **_TWO)
    nobody = city.send("station", PartySuspended, party="9" * 32, **_TWO)
    city.register("owner", ["owner"], division="620100")
    abroad = city.send("station", PartySuspended, party=city.party("owner"), **_TWO)
    for refused in (alone, itself, above, nobody, abroad):
        assert city.findings(refused) == {"registry.unsupported_decision"}
    assert city.row("party", party)["suspension"] is None
    first = city.send("station", PartySuspended, party=party, **_TWO)
    city.send("station", PartySuspended, party=party, **_TWO | {"because": "再停一次"})
    city.register("institution", ["institution"])  # a new version of the registration lifts nothing
    row = city.row("party", party)
    assert (row["suspension"], row["suspended_because"]) == (first, "现场检查")
    assert row["suspended_at"] is not None
    wrong = city.send("station", PartyReinstated, party=party, suspension="0" * 32, **_TWO)
    assert city.findings(wrong) == {"registry.unsupported_decision"}
    city.send("station", PartyReinstated, party=party, suspension=first, **_TWO)
    assert city.row("party", party)["suspension"] is None
    again = city.send("station", PartyReinstated, party=party, suspension=first, **_TWO)
    assert city.findings(again) == {"registry.unsupported_decision"}


def test_an_officer_is_put_in_charge_of_a_project_by_the_station_of_its_place(city):
    project = city.new_project()
    fields = {"officer": "1a" * 16, "part": "lead", "valid_from": "2026-03-01"}
    stranger = city.send("owner", ChargeAssigned, project=project, **fields)
    nowhere = city.send("station", ChargeAssigned, project="9" * 32, **fields)
    backwards = city.send("station", ChargeAssigned, project=project, **fields, valid_until="2026-02-01")
    for refused in (stranger, nowhere, backwards):
        assert city.findings(refused) == {"registry.unsupported_charge"}
    charge = city.send("station", ChargeAssigned, project=project, **fields)
    assert city.row("charge", charge)["jurisdiction"] == city.row("project", project)["division"]
    foreign = city.send("owner", ChargeEnded, charge=charge, because="不归你管")
    assert city.findings(foreign) == {"registry.unsupported_charge"}
    assert city.row("charge", charge)["ended_idx"] is None
    city.send("station", ChargeEnded, charge=charge, because="换人")
    assert city.row("charge", charge)["ended_because"] == "换人"
