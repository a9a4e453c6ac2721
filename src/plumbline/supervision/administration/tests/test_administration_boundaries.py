"""Administrators and officers reach their own region and what lies below it, never beside or above (辖区边界)."""

from __future__ import annotations

import time

import pytest

from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages import preview

preview.configure()
from plumbline.supervision.administration import confirmation, trail  # noqa: E402 (settings first)
from plumbline.supervision.administration.services import lies_below  # noqa: E402
from plumbline.supervision.projection.handlers.standing import lies_in  # noqa: E402


@pytest.mark.parametrize(
    ("mine", "theirs", "reached"),
    [
        ("610300", "610300", True),  # the own level: its people are the own affair
        ("610300", "610303", True),
        ("610300", "610399", True),  # the last code of the region
        ("610300", "610400", False),  # the first one behind it
        ("610300", "610299", False),
        ("610300", "610000", False),  # above
        ("610303", "610300", False),  # a county does not reach its city
        ("610303", "610303", True),
        ("610303", "610304", False),  # the neighbour
        ("610000", "619900", True),
        ("610000", "620100", False),
        ("610900", "611000", False),  # where the digits carry over
        ("619900", "620000", False),
        ("", "610300", False),  # without a division nothing is reached
        ("61030", "610303", False),
        ("610300", "", False),
        ("610300", "6103", False),  # no whole code
    ],
)
def test_a_region_reaches_itself_and_what_lies_below(mine: str, theirs: str, reached: bool) -> None:
    assert lies_below(theirs, Principal(role=Role.SYSTEM_ADMIN, division=mine)) is reached
    if len(mine) == 6 and len(theirs) in (0, 6):
        assert lies_in(theirs, mine) is reached  # the projector draws the same line


@pytest.mark.parametrize(
    ("ago", "fresh"), [(0, True), (299, True), (300, False), (86_400, False), (-5, False)]
)
def test_a_proof_of_identity_counts_for_five_minutes_and_never_from_the_future(ago: int, fresh: bool) -> None:
    now = time.time()
    assert confirmation.is_fresh(int(now) - ago, now) is fresh


@pytest.mark.parametrize("stored", [None, "", "9999999999", 1.5, {}])
def test_what_is_no_time_is_no_proof(stored: object) -> None:
    assert not confirmation.is_fresh(stored, time.time())


class _Request:
    method = "POST"
    resolver_match = None


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is written apart from the request, and at its end in the request's own transaction."""
    lines: list[list[str]] = []

    def apart(values: list[str]) -> int:
        lines.append([values[3], values[5]])
        return len(lines)

    monkeypatch.setattr(trail, "_write_apart", apart)
    monkeypatch.setattr(trail, "record", lambda *_, **detail: lines.append(["done", str(detail)]))
    return lines


def test_an_intent_stays_when_the_page_dies_before_its_result(written: list[list[str]]) -> None:
    with pytest.raises(KeyboardInterrupt), trail.attempt(_Request(), "li.aq", "role.granted", "x"):  # type: ignore[arg-type]
        raise KeyboardInterrupt
    assert [each[0] for each in written] == ["intended"]


def test_a_refusal_is_written_with_its_reason_and_the_intent(written: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="搁置"), trail.attempt(_Request(), "li.aq", "role.granted", "x"):  # type: ignore[arg-type]
        raise ValueError("搁置")
    assert [each[0] for each in written] == ["intended", "refused"]
    assert '"intent": "1"' in written[1][1]


def test_what_was_done_names_its_intent(written: list[list[str]]) -> None:
    with trail.attempt(_Request(), "li.aq", "role.granted", "x", role="officer"):  # type: ignore[arg-type]
        pass
    assert [each[0] for each in written] == ["intended", "done"] and "'intent': '1'" in written[1][1]
