"""Key pictures of a report (关键影像文件): which are stored, and the bytes of one, for those who may see the
report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_safe

from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.attachments import Attachments
from plumbline.supervision.journal.files import FileDigestMismatch, FileStore
from plumbline.supervision.pages.view_models import KeyPicture
from plumbline.supervision.pages.wording import PICTURE_TITLES, PictureKind
from plumbline.supervision.reading.database import rows
from plumbline.supervision.reading.report_facts import ReportFacts, SampleRecord, load, resolve
from plumbline.supervision.renditions import MAX_BYTES, PictureRefused, PicturesBusy, Renditions
from plumbline.supervision.scanner import scan_policy, withheld_because
from plumbline.web.security import files_origin


@lru_cache(maxsize=1)
def file_store() -> FileStore:
    """The files of this platform."""
    return FileStore(settings.PLUMBLINE_PLATFORM.folder("files"))


@lru_cache(maxsize=1)
def renditions() -> Renditions:
    """What is served of pictures."""
    return Renditions(settings.PLUMBLINE_PLATFORM.folder("renditions"))


@lru_cache(maxsize=1)
def attachments() -> Attachments:
    """Addresses of attachments, with the gateway's secret."""
    return Attachments((settings.PLUMBLINE_PLATFORM.folder("keys") / "kek.bin").read_bytes())


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


@require_safe
def picture(request: HttpRequest, number: str, sha256: str) -> HttpResponse:
    """One key picture; 404 alike for absent, foreign, not yet here, quarantined, and not a picture."""
    application = resolve(principal_of(request), number)
    facts = load(application) if application else None
    return named_picture(sha256, pictures_of(facts) if facts else [])


def named_picture(sha256: str, named: Iterable[dict[str, Any]]) -> HttpResponse:
    """Where the picture that a record names is served for a few minutes, without cookies; raises Http404 otherwise."""
    if sha256 not in {each["sha256"] for each in named} or stored_files([sha256]).get(sha256) != "":
        raise Http404
    try:
        name = renditions().known(sha256) or renditions().make(sha256, _original(sha256))
    except (FileNotFoundError, FileDigestMismatch, PictureRefused):
        raise Http404 from None
    except PicturesBusy:
        return HttpResponse("看照片的人太多，请稍后刷新。", status=503, headers={"Retry-After": "5"})
    answer = HttpResponseRedirect(files_origin() + attachments().address(name))
    answer["Cache-Control"] = "private, no-store"
    return answer


def _original(sha256: str) -> bytes:
    """The bytes as they arrived, checked against their hash."""
    store = file_store()
    if store.path(sha256).stat().st_size > MAX_BYTES:
        raise PictureRefused
    return store.read(sha256)
