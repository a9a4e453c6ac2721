"""Who sees which reports: regions nest, a stranger sees nothing, a session cannot promote itself."""

from __future__ import annotations

import pytest

from plumbline.supervision.access.principals import PUBLIC, Principal, Role, division_range, from_session
from plumbline.supervision.access.scopes import institution_scope, report_scope

PARTY = "ab" * 16


@pytest.mark.parametrize(
    ("division", "region"),
    [
        ("610302", ("610302", "610303")),
        ("610300", ("6103", "6104")),
        ("610000", ("61", "62")),
        ("", ("", "")),
        ("61x", ("", "")),
    ],
)
def test_a_division_holds_the_codes_below_it(division: str, region: tuple[str, str]) -> None:
    assert division_range(division) == region


@pytest.mark.parametrize(
    ("code", "inside"), [("610299", False), ("610300", True), ("610399", True), ("610400", False)]
)
def test_an_officer_of_a_city_sees_its_counties_and_not_the_next_city(code: str, inside: bool) -> None:
    low, high = division_range("610300")
    assert (low <= code < high) is inside


@pytest.mark.parametrize(
    "principal",
    [
        PUBLIC,
        Principal(role=Role.OFFICER),
        Principal(role=Role.INSTITUTION),
        Principal(role=Role.PARTY),
        Principal(role=Role.PUBLIC, party=PARTY),
    ],
)
def test_without_division_or_organisation_nothing_is_seen(principal: Principal) -> None:
    assert report_scope(principal).condition == "false"


@pytest.mark.parametrize(("role", "places"), [(Role.INSTITUTION, 1), (Role.PARTY, 3)])
def test_an_organisation_sees_its_own_by_parameters_only(role: Role, places: int) -> None:
    scope = report_scope(Principal(role=role, party=PARTY))
    assert scope.parameters == (PARTY,) * places
    assert PARTY not in scope.condition


@pytest.mark.parametrize("stored", [None, "officer", {"role": "platform"}, {}, {"party": PARTY}])
def test_a_session_that_sign_in_did_not_write_is_the_public(stored: object) -> None:
    assert from_session(stored) == PUBLIC


def test_a_principal_survives_the_session() -> None:
    officer = Principal(role=Role.OFFICER, party=PARTY, division="610300", capacity="监督员")
    assert from_session(officer.as_session()) == officer


def test_only_officer_and_institution_see_unconfirmed_findings() -> None:
    seeing = {role for role in Role if Principal(role=role).sees_unconfirmed_findings}
    assert seeing == {Role.OFFICER, Role.INSTITUTION}


@pytest.mark.parametrize(
    ("principal", "condition"),
    [
        (Principal(role=Role.OFFICER, division="610300"), "n.jurisdiction >= %s AND n.jurisdiction < %s"),
        (Principal(role=Role.OFFICER), "false"),
        (Principal(role=Role.INSTITUTION, party="ab" * 16), "n.institution = %s"),
        (Principal(role=Role.INSTITUTION), "false"),
        (Principal(role=Role.PARTY, party="ab" * 16), "false"),
        (PUBLIC, "false"),
    ],
)
def test_numbers_are_for_the_division_and_the_institution_itself(
    principal: Principal, condition: str
) -> None:
    assert institution_scope(principal).condition == condition
