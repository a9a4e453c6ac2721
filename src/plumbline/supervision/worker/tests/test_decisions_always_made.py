"""Whatever an application says, the worker decides; whatever a file lacks, the others are examined (总有决定)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.domain.reporting.gate_facts import GateDecision
from plumbline.exchange.messages.reports import CodeReserved, CodeWithheld, ReportApplied
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.exchange.uids import new_uid
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.worker.due import Worker

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ROW = {"id": "1" * 32, "state": "applied", "logged_at": NOW, "division": "610300"}


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(
        conninfo="",
        sender=None,
        issuer=Ed25519Signer("code:1", ed25519.Ed25519PrivateKey.generate()),
        operator="0" * 32,
        files=FileStore(tmp_path),
        roots=(),
        demo=False,
    )


def _applied(number: str) -> ReportApplied:
    person = "3" * 32
    return ReportApplied(
        v=1,
        uid=new_uid(NOW),
        sender="2" * 32,
        occurred_at=NOW,
        commission="4" * 32,
        number_entry="5" * 32,
        number=number,
        title="报告",
        site="S1",
        category="concrete_cube",
        samples=[],
        parameters=[],
        conclusion="PASS",
        conclusion_text="合格",
        tested_by=[],
        reviewer=person,
        reviewed_at=NOW,
        approver=person,
        approved_at=NOW,
        issued_on="2026-11-20",
    )


@pytest.mark.parametrize(("length", "kind"), [(40, CodeReserved), (41, CodeWithheld)])
def test_a_number_that_no_qr_code_holds_is_withheld_and_says_why(worker, length: int, kind: type) -> None:
    decision = GateDecision(reserved=True, reasons=(), notes=())
    made = worker._decided(ROW, _applied("N" * length), b"{}", decision, NOW)
    assert isinstance(made, kind)
    if isinstance(made, CodeWithheld):
        assert "报告编号过长" in made.reasons[0].sentence


def test_a_file_that_is_gone_waits_and_holds_nobody_up(worker) -> None:
    rows = [{"id": "a" * 32, "pdf_sha256": "0" * 64}]
    assert worker._each(rows, worker._examine, "examination") == 0
    assert worker._waiting() == ["a" * 32]
