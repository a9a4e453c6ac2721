"""Which shown codes come back (原监管码): only those made for the very bytes, number, verdict and institution of the application."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest

from plumbline.exchange.claims import CodeClaims
from plumbline.exchange.messages.reports import ReportApplied
from plumbline.supervision.codes import shown

DATA = b'{"kind":"report.applied"}'
MESSAGE = cast(ReportApplied, SimpleNamespace(sender="1a" * 16, number="R-1", conclusion="pass"))
CLAIMS = CodeClaims(
    key_number=1,
    code="2611190000000001",
    issued_on=date(2026, 11, 19),
    institution=bytes.fromhex("1a" * 8),
    verdict="pass",
    report_digest=hashlib.sha256(DATA).digest()[:16],
    report_number="R-1",
)


def test_claims_of_this_application_are_known_again() -> None:
    assert shown.speaks_of(CLAIMS, MESSAGE, DATA)


@pytest.mark.parametrize(
    "changed",
    [
        {"institution": bytes(8)},
        {"verdict": "fail"},
        {"report_number": "R-2"},
        {"report_digest": hashlib.sha256(DATA + b" ").digest()[:16]},
    ],
)
def test_claims_of_anything_else_are_not(changed: dict[str, Any]) -> None:
    assert not shown.speaks_of(replace(CLAIMS, **changed), MESSAGE, DATA)


def test_a_revoked_issuer_brings_no_code_back() -> None:
    assert "revoked_idx IS NULL" in shown._ISSUERS
