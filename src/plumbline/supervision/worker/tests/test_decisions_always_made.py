"""Whatever an application says, the worker decides; whatever a file lacks, the others are examined (总有决定)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.domain.reporting.gate_facts import GateDecision
from plumbline.exchange.messages.reports import CodeReserved, CodeWithheld, ReportApplied
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.exchange.uids import new_uid
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.worker.due import Worker, _key, _Made

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
    made = worker._decided(ROW, _applied("N" * length), b"{}", decision, NOW, None)
    assert isinstance(made, kind)
    if isinstance(made, CodeWithheld):
        assert "报告编号过长" in made.reasons[0].sentence


@pytest.mark.parametrize("fault", ["gone", "changed", "unreadable"])
def test_a_file_that_is_not_whole_waits_and_holds_nobody_up(worker, fault: str) -> None:
    """The fault is our disk's: nothing of it is entered against the report, and the patrol is asked to look."""
    digest = "0" * 64 if fault == "gone" else worker.files.store(b"%PDF-1.7 a report")
    if fault == "changed":
        worker.files.path(digest).write_bytes(b"%PDF-1.7 another!")
    elif fault == "unreadable":
        worker.files.path(digest).unlink()
        worker.files.path(digest).mkdir()
    assert worker._each([{"id": "a" * 32, "pdf_sha256": digest}], worker._examine, "examination") == 0
    assert worker._waiting() == ["a" * 32]
    assert worker.doubted == [digest]


class _Sender:
    """Takes what it is given, but for what it is told to refuse or to break on."""

    def __init__(self, **outcomes: Exception) -> None:
        self._outcomes = outcomes
        self.taken: list[str] = []

    def append(self, batch):
        ends = [self._outcomes.get(each.name) for each in batch]
        for end in ends:
            if end is not None and not isinstance(end, Problem):
                raise end
        self.taken += [each.name for each, end in zip(batch, ends, strict=True) if end is None]
        return [end or "receipt" for end in ends]


def _enter(worker: Worker, sender: _Sender, names: str, stated: str = "") -> int:
    worker.sender = sender

    def made(row):
        name = row["id"]
        pending = SimpleNamespace(name=name, stated_at=NOW if name in stated else None)
        return [_Made(name, _key(row), pending)]

    return worker._each(worker._fresh([{"id": name} for name in names]), made, "decision")


def test_what_was_entered_is_not_looked_at_again_before_it_is_projected(worker) -> None:
    sender = _Sender()
    assert _enter(worker, sender, "ab") == 2
    assert _enter(worker, sender, "abc") == 1
    assert sender.taken == ["a", "b", "c"]


def test_a_new_version_and_a_release_are_looked_at_at_once(worker) -> None:
    worker.entered = {_key(ROW): float("inf")}
    assert worker._fresh([ROW]) == []
    again = [ROW | {"state": "released"}, ROW | {"logged_at": datetime(2026, 11, 21, tzinfo=UTC)}]
    assert worker._fresh(again) == again


def test_stated_and_real_times_do_not_share_a_batch(worker) -> None:
    sender = _Sender()
    assert _enter(worker, sender, "abcd", stated="bd") == 4
    assert sender.taken == ["b", "d", "a", "c"]


def test_more_than_a_batch_is_entered_in_several(worker) -> None:
    sender = _Sender()
    many = [_Made(str(n), f"{n}/", SimpleNamespace(name=str(n), stated_at=None)) for n in range(130)]
    worker.sender = sender
    assert worker._enter(many, "evaluation") == 130
    assert len(sender.taken) == 130


def test_one_that_is_refused_or_breaks_the_journal_holds_up_none_of_its_batch(worker) -> None:
    sender = _Sender(
        b=Problem(slug="claim-lost"), c=RuntimeError("unforeseen"), d=Problem(slug="uid-conflict")
    )
    assert _enter(worker, sender, "abcde") == 2
    assert sender.taken == ["a", "e"]
    assert sorted(worker._waiting()) == ["b", "c"]
    assert [row["id"] for row in worker._fresh([{"id": name} for name in "abcde"])] == ["b", "c"]


@pytest.mark.parametrize("error", [psycopg.OperationalError("gone"), Problem(slug="unavailable")])
def test_a_journal_that_is_not_to_be_had_blames_no_row(worker, error: Exception) -> None:
    sender = _Sender()
    sender.append = lambda batch: (_ for _ in ()).throw(error)
    with pytest.raises(type(error)):
        _enter(worker, sender, "ab")
    assert (worker._waiting(), worker.entered) == ([], {})
