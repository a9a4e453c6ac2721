"""The report bundle for download (案卷包下载): everything that proves a report, checked by anybody without the platform."""

from __future__ import annotations

import re
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.dossier.build import ApplicationUnknown, BundleIncomplete, bundle_response_bytes
from plumbline.supervision.pages.pages import page_source
from plumbline.supervision.pages.rendering import not_found
from plumbline.supervision.reading.database import count, row
from plumbline.supervision.reading.report_facts import resolve

_SEEN = (
    "SELECT ((SELECT count(*) FROM fact.sample WHERE id = ANY(%s::text[])) + (SELECT count(*) FROM fact.run WHERE id = ANY(%s::text[])) "
    "+ (SELECT count(*) FROM fact.commission WHERE id = ANY(%s::text[])) >= ops.recorded(%s::text[]))::int"
)
_UNSAFE = re.compile(r"[^0-9A-Za-z._-]")


@require_safe
def bundle(request: HttpRequest, number: str) -> HttpResponse:
    """The bundle as a zip, with receipts against the newest head; 404 alike for absent and out of scope.

    503 while journal and facts do not agree: an incomplete bundle is handed to nobody.
    """
    application = resolve(principal_of(request), number)
    if application and not sees_all(application):
        return _declined(
            request, "案卷里有不在您范围的记录", "这份申请引用了别家的委托、样品或试验，不能下载案卷。", 404
        )
    try:
        data = bundle_response_bytes(settings.PLUMBLINE_PLATFORM, application) if application else None
    except ApplicationUnknown:
        data = None
    except BundleIncomplete as gap:
        return _declined(request, "案卷包还凑不齐", f"{gap}。请稍后再下载。", 503)
    if data is None:
        return _declined(request, "没有找到这份报告", "编号可能写错了，或者这份报告不在您的范围。", 404)
    response = HttpResponse(data, content_type="application/zip")
    found = row("SELECT number FROM fact.application WHERE id = %s", [application])
    name = (found["number"] if found else number)[:80]
    response["Content-Disposition"] = (
        f"attachment; filename=\"{_UNSAFE.sub('_', name)}.zip\"; filename*=UTF-8''{quote(name, safe='')}.zip"
    )
    # Receipts move with the head, and a withdrawal may come at any time.
    response["Cache-Control"] = "private, no-store"
    return response


def sees_all(application: str) -> bool:
    """Whether the reader sees every commission, sample and run that the report names, in the reader's own role.

    The bundle is put together by the platform, which sees all: a report that names another's sample must not fetch it.
    """
    found = row("SELECT body FROM fact.application WHERE id = %s", [application])
    body = found["body"] if found else {}
    runs = [run for parameter in body.get("parameters", []) for run in parameter["runs"]]
    named = sorted({body.get("commission", ""), *body.get("samples", []), *runs})
    return count(_SEEN, [named] * 4) == 1


def _declined(request: HttpRequest, headline: str, detail: str, status: int) -> HttpResponse:
    response = not_found(page_source().shell(request), headline, detail, request)
    response.status_code = status
    return response
