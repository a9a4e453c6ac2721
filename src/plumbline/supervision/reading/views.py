"""Views that the database source needs beside the pages (补充视图): the public's answer to a trace, the live page's cookie, health."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from plumbline.domain.reporting.code import ParsedCode, parse_code
from plumbline.supervision.access.refusal import refused
from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.pages import pages
from plumbline.supervision.pages.rendering import not_found
from plumbline.supervision.reading.database import row
from plumbline.supervision.reading.files import named_picture
from plumbline.supervision.reading.records.pages import pictures_of
from plumbline.supervision.reading.source import LIVE_SESSION

#: Over HTTPS bound to this host, which needs the whole path; else it travels to the streams only.
_LIVE_COOKIE, _LIVE_PATH = (
    ("__Host-plumb_live", "/") if settings.SESSION_COOKIE_SECURE else ("plumb_live", "/live")
)


@require_safe
def trace(request: HttpRequest, number: str) -> HttpResponse:
    """The trace for those who may see it; the public is shown to the verification page."""
    if principal_of(request).sees_work:
        return pages.trace(request, number)
    return refused(
        request,
        headline="看全过程要先登录",
        about="从取样到报告的全过程给监督员、检测机构和工程各方看；报告的真伪不用登录，可以直接验证。编号写错了也会到这一页。",
        link=("去验证真伪", _verification(number)),
        # Not 403: whether there is such a report is not for the public to learn here.
        status=404,
    )


@require_safe
def record_picture(request: HttpRequest, key: str, sha256: str, kind: str) -> HttpResponse:
    """One key picture of a sample or a test; 404 alike for absent, foreign, not yet here, and not a picture."""
    return named_picture(sha256, pictures_of(kind, key))


def _verification(number: str) -> str:
    """The verification page of a report that has a registered code; else the page where a code is typed."""
    code = parse_code(number)
    if isinstance(code, ParsedCode):
        return f"/v/{code.text}"
    found = row("SELECT ops.code_of(%s) AS code", [number])
    return f"/v/{found['code']}" if found and found["code"] else "/v/"


@require_safe
def live(request: HttpRequest, test_id: str) -> HttpResponse:
    """The live page; its cookie binds the stream's token to this session and travels to `/live` only."""
    if LIVE_SESSION not in request.session:
        request.session[LIVE_SESSION] = secrets.token_urlsafe(24)
    response = pages.live(request, test_id)
    response.set_cookie(
        _LIVE_COOKIE,
        request.session[LIVE_SESSION],
        max_age=settings.SESSION_COOKIE_AGE,
        path=_LIVE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 of an address that no view has, or whose view found nothing."""
    return not_found(
        pages.page_source().shell(request), "没有这一页", "地址可能写错了，或者这一页不在您的范围。", request
    )


@require_safe
def healthy(request: HttpRequest) -> HttpResponse:
    """This process answers; it says nothing of the database, which the gateway watches."""
    return HttpResponse("ok", content_type="text/plain; charset=utf-8")
