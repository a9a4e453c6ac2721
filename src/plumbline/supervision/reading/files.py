"""Key pictures of a report (关键影像文件): which are stored, and the bytes of one, for those who may see the
report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.journal.files import FileDigestMismatch, FileStore
from plumbline.supervision.pages.view_models import KeyPicture
from plumbline.supervision.pages.wording import PICTURE_TITLES, PictureKind
from plumbline.supervision.reading.database import rows
from plumbline.supervision.reading.report_facts import ReportFacts, SampleRecord, load, resolve
from plumbline.supervision.scanner import scan_policy, withheld_because

#: First bytes → media type. What does not begin like a picture is not handed out as one.
_PICTURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"RIFF", "image/webp"))
_MOST_BYTES = 32 * 1024 * 1024


@lru_cache(maxsize=1)
def file_store() -> FileStore:
    """The files of this platform."""
    return FileStore(settings.PLUMBLINE_PLATFORM.folder("files"))


def stored_files(digests: Iterable[str]) -> dict[str, str]:
    """Those of the hashes (hex) whose file has arrived whole → why it is given to nobody, empty when it is given."""
    wanted = [bytes.fromhex(each) for each in set(digests)]
    if not wanted:
        return {}
    found = rows(
        "SELECT encode(sha256, 'hex') AS sha256, scan FROM ops.file WHERE sha256 = ANY(%s) AND state <> 'announced'",
        [wanted],
    )
    return {each["sha256"]: withheld_because(each["scan"], scan_policy()) for each in found}


def pictures_of(facts: ReportFacts) -> list[dict[str, Any]]:
    """Every key picture that the report's records name."""
    return pictures_in(facts.samples)


def pictures_in(samples: Iterable[SampleRecord]) -> list[dict[str, Any]]:
    """Every key picture that the records of these samples name."""
    bodies = []
    for sample in samples:
        records = (sample.row, sample.witnessing, *sample.receipts, *sample.runs)
        bodies += [record["body"] for record in records if record]
    return [picture for body in bodies for picture in body.get("pictures") or []]


def key_picture(taken: dict[str, Any], address: str, stored: Mapping[str, str]) -> KeyPicture:
    """One picture that a record names, as a page shows it; ``address`` is the page's own."""
    known, digest = {each.value: each for each in PictureKind}, taken["sha256"]
    missing = stored.get(digest, "哈希已经报送，照片文件还没有传到。")
    titles = {kind.value: title for kind, title in PICTURE_TITLES.items()} | {
        "receipt": "收样",
        "scene": "现场",
    }
    return KeyPicture(
        kind=known.get(taken["picture"], PictureKind.SEALED_SAMPLE),
        caption=titles.get(taken["picture"]) or str(taken["picture"]),
        sha256=digest,
        captured_at=datetime.fromisoformat(taken["captured_at"]),
        url=None if missing else f"{address}/pictures/{digest}",
        missing_reason=missing,
    )


def media_type(data: bytes) -> str | None:
    """The picture type that the bytes themselves show, never what the sender said; None for anything else."""
    kind = next((kind for start, kind in _PICTURES if data.startswith(start)), None)
    return None if kind == "image/webp" and data[8:12] != b"WEBP" else kind


@require_safe
def picture(request: HttpRequest, number: str, sha256: str) -> HttpResponse:
    """One key picture, checked against its hash; 404 alike for absent, foreign, not yet here, and not a
    picture."""
    application = resolve(principal_of(request), number)
    facts = load(application) if application else None
    return named_picture(sha256, pictures_of(facts) if facts else [])


def named_picture(sha256: str, named: Iterable[dict[str, Any]]) -> HttpResponse:
    """The bytes of a picture that a record names, checked against its hash; raises Http404 otherwise."""
    if sha256 not in {each["sha256"] for each in named} or stored_files([sha256]).get(sha256) != "":
        raise Http404
    try:
        if file_store().path(sha256).stat().st_size > _MOST_BYTES:
            raise Http404
        data = file_store().read(sha256)
    except (FileNotFoundError, FileDigestMismatch, ValueError):
        raise Http404 from None
    kind = media_type(data)
    if kind is None:
        raise Http404
    return _answer(data, kind)


def _answer(data: bytes, kind: str) -> HttpResponse:
    response = HttpResponse(data, content_type=kind)
    name = hashlib.sha256(data).hexdigest()[:16]
    response["Content-Disposition"] = f'inline; filename="{name}.{kind.removeprefix("image/")}"'
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
