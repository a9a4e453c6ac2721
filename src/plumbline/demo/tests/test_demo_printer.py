"""Another process prints: the same bytes, its errors told, and no process left behind."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.demo.printer import Printer
from plumbline.demo.printing import PrintJob, when_asked
from plumbline.lab.keys import InstitutionKeys
from plumbline.lab.reporting.samples import sample_document
from plumbline.lab.reporting.typesetting import MissingCharactersError


def test_a_report_printed_beside_is_the_same_and_kept_and_an_error_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    InstitutionKeys.create_demo(folder, "衡川市检测有限公司", "91610100MA6TU1AB7N")
    job = PrintJob(
        document=sample_document(),
        keys=folder,
        path=tmp_path / "reports" / "first.pdf",
        signed_at=datetime(2026, 5, 6, tzinfo=UTC),
    )
    with Printer() as press:
        first = press(job)
        wrong = press(replace(job, document=replace(job.document, project="\U0010fffd"), path=tmp_path / "x"))
        again = press(job)  # was printed before: read from the folder
        assert first().pages == again().pages == 1
        assert first().pdf == again().pdf == job.path.read_bytes()
        with pytest.raises(MissingCharactersError):
            wrong()
        child = press._process.pid
        assert child and child != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert when_asked(job)() == first()
