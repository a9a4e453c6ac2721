"""From the kind of a record to its page (各类详情页的入口): one function a kind, and what its curves and pictures are."""

from __future__ import annotations

import re
from collections.abc import Callable

from plumbline.supervision.access.principals import Principal
from plumbline.supervision.pages.record_models import RecordPage
from plumbline.supervision.reading.curve_documents import curve_document
from plumbline.supervision.reading.database import Row
from plumbline.supervision.reading.files import pictures_in
from plumbline.supervision.reading.records import (
    finding,
    institution,
    instrument,
    person,
    project,
    run,
    sample,
)
from plumbline.supervision.reading.records.desk import Desk

#: Part of the address → the page of one record of that kind.
KINDS: dict[str, Callable[[Desk, str], RecordPage | None]] = {
    "institutions": institution.page,
    "projects": project.page,
    "samples": sample.page,
    "tests": run.page,
    "findings": finding.page,
    "people": person.page,
    "instruments": instrument.page,
}
_KEY = re.compile(r"[0-9a-f]{32}\Z")


def record_page(principal: Principal, kind: str, key: str) -> RecordPage | None:
    """The page; None alike for what is not there, what is not the reader's, and what is no address of a record."""
    return KINDS[kind](Desk(principal), key) if _KEY.match(key) else None


def curve_of_test(key: str, specimen: int) -> bytes | None:
    """The curve document of a specimen of a test, counted from 1; None alike for absent and foreign."""
    facts = run.load(key) if _KEY.match(key) else None
    return curve_document(facts, specimen) if facts else None


def pictures_of(kind: str, key: str) -> list[Row]:
    """Key pictures that the page of a sample or test shows; none for what the reader does not see."""
    if not _KEY.match(key):
        return []
    if kind == "tests":
        tested = run.load(key)
        return list(tested.run["body"].get("pictures") or []) if tested else []
    found = sample.load(key)
    return pictures_in(found.custody.samples) if found else []
