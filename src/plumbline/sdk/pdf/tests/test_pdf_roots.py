"""Roots are kept as dated documents (受信任的根证书): periods, revocations, kinds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.sdk.pdf.roots import Revocation, TrustRoot, root_as_document, root_from_document

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
ROOT = TrustRoot(name="根", certificate="PEM", kind="licensed", valid_from=START, until=END, source="清单")


@pytest.mark.parametrize(
    ("moment", "accepted"),
    [
        (START - timedelta(microseconds=1), False),
        (START, True),
        (END - timedelta(microseconds=1), True),
        (END, False),
    ],
)
def test_a_root_is_accepted_from_its_first_day_until_its_end(moment: datetime, accepted: bool) -> None:
    assert ROOT.accepted_at(moment) is accepted


def test_a_root_is_read_as_it_was_kept() -> None:
    taken_back = TrustRoot(
        name="根",
        certificate="PEM",
        kind="demo",
        valid_from=START,
        revoked=(Revocation("1f", END), Revocation("a0", START)),
    )
    for root in (ROOT, taken_back):
        assert root_from_document(root_as_document(root)) == root
    assert "revoked" not in root_as_document(ROOT)


def test_the_earliest_revocation_on_a_path_counts() -> None:
    root = root_from_document(
        root_as_document(ROOT)
        | {"revoked": [{"serial": "1f", "at": END.isoformat()}, {"serial": "a0", "at": START.isoformat()}]}
    )
    assert root.revocation_of([0x1F, 0xA0]) == Revocation("a0", START)
    assert root.revocation_of([0x1F]) == Revocation("1f", END)
    assert root.revocation_of([1]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "official"},
        {"valid_from": "2024-01-01"},
        {"until": "2026-01-01T00:00:00"},
        {"revoked": [{"serial": "1F", "at": "2026-01-01T00:00:00+00:00"}]},
        {"revoked": [{"serial": "01f", "at": "2026-01-01T00:00:00+00:00"}]},
        {"revoked": [{"serial": "1f", "at": "2026-01-01"}]},
    ],
)
def test_a_root_kept_wrongly_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"carr|hexadecimal|licensed"):
        root_from_document(root_as_document(ROOT) | change)
