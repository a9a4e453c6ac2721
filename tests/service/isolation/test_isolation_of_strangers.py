"""A stranger names what is not its own (冒用别家的编号): it gets nothing of it, and those whose it is are not troubled. Runs last: it
leaves a forged report behind."""

from __future__ import annotations

import pytest

from plumbline.exchange.messages import reports

pytestmark = [pytest.mark.service, pytest.mark.slow]


def test_a_report_that_names_a_strangers_sample_gets_no_bundle_and_shows_no_chain(street) -> None:
    """A guessed id: an institution applies in its own name with another's commission, sample and run."""
    own, abroad = street.homes["own"], street.homes["abroad"]
    case, other = own.case, abroad.case
    message = case.application(
        commission=other.ids["commission"],
        samples=[other.ids["sample"]],
        parameters=other.application().parameters,
        number=f"{case.number}-F",
    )
    assert isinstance(message, reports.ReportApplied)
    got = own.world.client("institution").send(message, wait_s=25)
    assert got.result["decision"]["state"] == "withheld"
    for address in (f"/reports/{got.entry}/", f"/reports/{got.entry}/bundle.zip"):
        answer = street.get("own institution", address)
        assert answer.status_code == (404 if address.endswith("zip") else 200)
        told = answer.text
        assert [c for c in abroad.canaries() if c in told and c not in (abroad.code,)] == [], address
    for reader in ("abroad owner", "abroad institution", "officer abroad"):
        assert message.number not in street.get(reader, "/reports/export.csv").text
