"""What officers decide about others (监督人员的决定): deputies stand in for somebody, and what could not be entered stays open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from plumbline.exchange.problems import Problem
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages import preview

preview.configure()
from plumbline.supervision.administration import charges, organisations  # noqa: E402 (settings first)
from plumbline.supervision.administration.services import AdministrationRefused  # noqa: E402


def lead(begun: str, ended: str | None, officer: str = "a") -> charges.Charge:
    """An officer in charge from a day to a day."""
    return charges.Charge(
        id=begun,
        project="p",
        officer=officer,
        label="",
        part="lead",
        valid_from=date.fromisoformat(begun),
        valid_until=date.fromisoformat(ended) if ended else None,
    )


@pytest.mark.parametrize(
    ("leads", "stands"),
    [
        ([lead("2026-01-01", None)], True),
        ([lead("2026-01-01", "2026-03-05"), lead("2026-03-06", "2026-12-31")], True),
        ([lead("2026-03-06", None), lead("2026-01-01", "2026-03-05")], True),
        ([lead("2026-01-01", "2026-03-04"), lead("2026-03-06", None)], False),  # a day between
        ([lead("2026-03-02", None)], False),  # begins too late
        ([lead("2026-01-01", "2026-03-09")], False),  # ends too early
    ],
)
def test_a_deputy_stands_in_on_days_only_on_which_somebody_is_in_charge(
    leads: list[charges.Charge], stands: bool
) -> None:
    project = charges.Project(
        id="p", code="", name="", division="610300", charges=tuple(leads), today=date(2026, 3, 1)
    )
    asked = (project, "b", "deputy", date(2026, 3, 1), date(2026, 3, 10))
    if stands:
        charges._require_place(*asked)
    else:
        with pytest.raises(AdministrationRefused):
            charges._require_place(*asked)


OFFICER = Principal(role=Role.OFFICER, person="2" * 32, account="two", division="610300")
PROPOSAL = organisations.Proposal(
    id=1, kind="suspend", party="p", because="x", proposed_by="one", person="1" * 32,
    proposed_at=datetime(2026, 11, 1, tzinfo=UTC),
)  # fmt: skip
FOUND = organisations.Organisation(
    id="p", name="n", division="610300", roles=("institution",), suspension="", suspended_at=None,
    suspended_because="", proposal=PROPOSAL,
)  # fmt: skip


@pytest.mark.parametrize(
    ("raised", "is_taken_back"),
    [(Problem(slug="unavailable", detail="x"), True), (AdministrationRefused("proposal", "x"), False)],
)
def test_a_proposal_stays_open_only_when_no_entry_was_made(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, is_taken_back: bool
) -> None:
    taken_back: list[bool] = []

    @contextmanager
    def atomic() -> Iterator[None]:
        try:
            yield
        except Exception:
            taken_back.append(True)
            raise

    @contextmanager
    def attempt(*_: object, **__: object) -> Iterator[None]:
        yield

    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(organisations, "transaction", SimpleNamespace(atomic=atomic))
    monkeypatch.setattr(organisations, "attempt", attempt)
    monkeypatch.setattr(organisations, "_settle", lambda *_: None)
    monkeypatch.setattr(organisations, "_decision", lambda *_: None)
    monkeypatch.setattr(organisations, "submit", fail)
    with pytest.raises(type(raised)):
        organisations.decide(SimpleNamespace(), OFFICER, FOUND, agreed=True)  # type: ignore[arg-type]
    assert bool(taken_back) is is_taken_back


def test_whoever_proposed_does_not_agree() -> None:
    with pytest.raises(AdministrationRefused, match="另一位"):
        organisations.decide(
            SimpleNamespace(),  # type: ignore[arg-type]
            Principal(role=Role.OFFICER, person="1" * 32, account="one", division="610300"),
            FOUND,
            agreed=True,
        )
