"""The views: address in, page out; all reading is done by the page source (视图).

Navigation is plain page loads, the address is the whole state of a list, nothing here changes anything.
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe

from plumbline.supervision.pages.ports import PageSource
from plumbline.supervision.pages.rendering import not_found, page_html, with_place

REPORTS = ("检测报告", "/reports/")
#: First part of the address → what one of them is called.
RECORDS = {
    "institutions": "单位",
    "projects": "工程",
    "samples": "样品",
    "tests": "试验",
    "findings": "发现",
    "people": "人员",
    "instruments": "仪器设备",
}
NUMBERS = ("编号连续性", "/numbers/")
#: Longest text taken from the address; beyond it nothing sensible is searched.
LONGEST_TEXT = 200


@lru_cache(maxsize=1)
def page_source() -> PageSource:
    """Return the source named by ``PLUMBLINE_PAGE_SOURCE``."""
    source: PageSource = import_string(settings.PLUMBLINE_PAGE_SOURCE)()
    return source


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show role cards (demo), running tests and the newest reports."""
    source = page_source()
    shell = source.shell(request)
    own = next((item.label for _, items in shell.menu for item in items if item.url == "/"), "首页")
    shell = with_place(shell, (own, "/"))
    return HttpResponse(page_html("home", source.home(request), shell, request))


@require_safe
def trace(request: HttpRequest, number: str) -> HttpResponse:
    """Show everything that happened to one report."""
    source = page_source()
    page = source.trace(request, number)
    shell = with_place(source.shell(request), REPORTS, (page.head.number if page else number, ""))
    if page is None:
        detail = "编号可能写错了，或者这份报告不在您的辖区。请核对编号，或在上方查监管码。"
        return not_found(shell, "没有找到这份报告", detail, request)
    return HttpResponse(page_html("trace", page, shell, request))


@require_safe
def curve(request: HttpRequest, number: str, specimen: int) -> HttpResponse:
    """Answer the curve of one specimen as JSON."""
    return _curve(page_source().curve(request, number, specimen))


def _curve(document: bytes | None) -> HttpResponse:
    if document is None:
        return HttpResponse('{"title":"没有这条曲线"}', status=404, content_type="application/problem+json")
    response = HttpResponse(document, content_type="application/json")
    response["Cache-Control"] = "private, max-age=300"
    return response


@require_safe
def record(request: HttpRequest, key: str, kind: str) -> HttpResponse:
    """Show one record: an institution, project, sample, test, finding, person or instrument."""
    source = page_source()
    page = source.record(request, kind, key)
    if page is None:
        shell = with_place(source.shell(request), (RECORDS[kind], f"/{kind}/"), ("没有找到", ""))
        detail = "地址可能写错了，或者它不在您的范围。请从列表里找，或在上方查编号。"
        return not_found(shell, f"没有找到这条{RECORDS[kind]}", detail, request)
    shell = with_place(
        source.shell(request), (page.head.list_label, page.head.list_url), (page.head.title, "")
    )
    return HttpResponse(page_html("record", page, shell, request))


@require_safe
def record_curve(request: HttpRequest, key: str, specimen: int) -> HttpResponse:
    """Answer the curve of one specimen of a test as JSON."""
    return _curve(page_source().record_curve(request, key, specimen))


@require_safe
def live(request: HttpRequest, test_id: str) -> HttpResponse:
    """Show a running test."""
    source = page_source()
    shell = with_place(source.shell(request), ("正在做的试验", "/"), (test_id, ""))
    page = source.live(request, test_id)
    if page is None:
        return not_found(shell, "这项试验不在进行", "它可能已经结束，结果在检测报告里查。", request)
    return HttpResponse(page_html("live", page, shell, request))


@require_safe
def numbers(request: HttpRequest) -> HttpResponse:
    """Show whether the yearly series of numbers are whole."""
    source = page_source()
    year, institution = (request.GET.get(name, "")[:LONGEST_TEXT] for name in ("year", "institution"))
    shell = with_place(source.shell(request), NUMBERS)
    page = source.numbers(request, year, institution)
    return HttpResponse(page_html("numbers", page, shell, request))


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Show how the platform is."""
    source = page_source()
    shell = with_place(source.shell(request), ("运行状态", "/status/"))
    return HttpResponse(page_html("status", source.status(request), shell, request))
