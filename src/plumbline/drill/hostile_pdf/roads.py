"""The roads of a file (三条路): what `plumbline verify` prints of it, what the platform tells the public, what the sdk's verdict is.

The platform's road is its own code from the registered bytes on: the worker's examination and the gateway's answer. What stands
between them, the registry, is given here as one row.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plumbline.sdk.pdf.examine import examine_pdf
from plumbline.sdk.pdf.roots import TrustRoot, root_as_document, root_from_document
from plumbline.sdk.pdf.verdict import CodeRecord, verdict
from plumbline.sdk.verify_command import run_verify
from plumbline.supervision.gateway.public_page import check_answer
from plumbline.supervision.worker.examining import report_examined, report_unsound

_OPERATOR = "00000000-0000-7000-8000-000000000001"
_REGISTRATION = "f" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What both verifiers know: the roots, and the report that is registered under the code."""

    roots: tuple[TrustRoot, ...]
    name: str
    uscc: str
    #: of the registered report
    sha256: str
    registered_at: datetime

    def save(self, folder: Path) -> None:
        """As files: the roots as an administrator keeps them, the rest beside."""
        (folder / "roots").mkdir(exist_ok=True)
        for index, root in enumerate(self.roots):
            text = json.dumps(root_as_document(root), ensure_ascii=False)
            (folder / "roots" / f"{index}.json").write_text(text, "utf-8")
        record = {
            "name": self.name,
            "uscc": self.uscc,
            "sha256": self.sha256,
            "at": self.registered_at.isoformat(),
        }
        (folder / "desk.json").write_text(json.dumps(record, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Desk:
        """As saved."""
        record = json.loads((folder / "desk.json").read_text("utf-8"))
        files = sorted((folder / "roots").glob("*.json"))
        return cls(
            roots=tuple(root_from_document(json.loads(each.read_text("utf-8"))) for each in files),
            name=record["name"],
            uscc=record["uscc"],
            sha256=record["sha256"],
            registered_at=datetime.fromisoformat(record["at"]),
        )


@dataclass(frozen=True, slots=True)
class Offline:
    """Exit status and print of the command."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Online:
    """What the public is told."""

    #: the file held against the code of another, registered report
    presented: str
    #: this very file registered, with the codes of what was found in it
    registered: str
    found: tuple[str, ...]
    #: all words that were shown
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """What another vendor's copy of the verdict says, of the same two questions."""

    presented: str
    registered: str


def offline(path: Path, folder: Path) -> Offline:
    """`plumbline verify FILE --trust ROOTS`."""
    arguments = argparse.Namespace(
        file=str(path), trust=[str(folder / "roots")], log_key=[], message=None, lang="zh"
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status = run_verify(arguments)
    return Offline(status, printed.getvalue())


def online(data: bytes, desk: Desk) -> Online:
    """The verdict order of the platform: code, registration, digest, examination, signer, withdrawal."""
    digest = hashlib.sha256(data).hexdigest()
    told = check_answer(_row(desk, desk.sha256), digest)
    row = {
        "id": _REGISTRATION,
        "logged_at": desk.registered_at,
        "uscc": desk.uscc,
        "institution_name": desk.name,
    }
    try:
        entry = report_examined(row, data, roots=desk.roots, operator=_OPERATOR)
    except MemoryError:
        raise
    except Exception:  # as the worker does: whatever breaks the examination, the file is unsound
        entry = report_unsound(row, operator=_OPERATOR)
    reasons = [{"code": each.code, "sentence": each.sentence} for each in entry.problems]
    found = {
        "accepted": entry.accepted,
        "root_kind": entry.root_kind,
        "signer": entry.signer,
        "examination": reasons,
    }
    itself = check_answer(_row(desk, digest) | found, digest)
    return Online(
        presented=str(told["kind"]),
        registered=str(itself["kind"]),
        found=tuple(each.code.removeprefix("pdf.") for each in entry.problems),
        words="\n".join([*_words(told), *_words(itself)]),
    )


def _words(answer: dict[str, object]) -> Sequence[str]:
    return str(answer["headline"]), str(answer["detail"])


def _row(desk: Desk, sha256: str) -> dict[str, Any]:
    """A registered, examined and sound report, as the database function gives it to the public pages."""
    return {
        "state": "registered",
        "examined": True,
        "accepted": True,
        "root_kind": "demo",
        "signer": desk.name,
        "examination": None,
        "application_attestation": "origin",
        "registration_attestation": "origin",
        "pdf_sha256": sha256,
        "report": {"issued_on": "2025-03-03"},
        "institution_name": desk.name,
        "registration": _REGISTRATION,
    }


def vendor(data: bytes, desk: Desk) -> Vendor:
    """The verdict that the sdk offers."""
    examination = examine_pdf(data, roots=desk.roots, at=desk.registered_at)
    own, kinds = hashlib.sha256(data).digest(), []
    for registered in (bytes.fromhex(desk.sha256), own):
        record = CodeRecord(
            state="registered", registered_sha256=registered, issuing_uscc=desk.uscc, issuing_name=desk.name
        )
        kinds.append(verdict(record, data_sha256=own, examination=examination).kind)
    return Vendor(presented=kinds[0], registered=kinds[1])


def as_json(answer: Offline | Online | Vendor) -> dict[str, Any]:
    """For the pipe between processes."""
    return asdict(answer)


def now() -> datetime:
    """When the files are registered: as they are judged."""
    return datetime.now(UTC)
