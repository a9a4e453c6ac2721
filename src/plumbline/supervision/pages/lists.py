"""The views of lists and search (名录与查询的视图): the address is the whole state; an export holds what the list shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.pages.pages import LONGEST_TEXT, page_source
from plumbline.supervision.pages.ports import Export
from plumbline.supervision.pages.rendering import page_html, with_place
from plumbline.web.spreadsheet import CONTENT_TYPE, csv_lines

_PLACE = ("q", "view", "sort", "after", "before", "page", "found")
View = Callable[[HttpRequest], HttpResponse]


def list_query(given: QueryDict) -> ListQuery:
    """Read a list's condition from an address or a form; what stands twice counts as it stands last."""
    values = {name: str(value).strip()[:LONGEST_TEXT] for name, value in given.items()}
    return ListQuery(
        text=values.get("q", ""),
        view=values.get("view", ""),
        sort=values.get("sort", ""),
        after=values.get("after", ""),
        before=values.get("before", ""),
        filters={name: value for name, value in values.items() if name not in _PLACE},
    )


def record_list(key: str, title: str) -> View:
    """The view of one list."""

    @require_safe
    def view(request: HttpRequest) -> HttpResponse:
        source = page_source()
        shell = with_place(source.shell(request), (title, f"/{key}/"))
        page = source.records(request, key, list_query(request.GET))
        return HttpResponse(
            page_html("record_list", page, shell, request), status=400 if page.problems else 200
        )

    return view


def export_lines(export: Export) -> Iterator[str]:
    """Cover, headings, rows, and at the end their number: an export that broke off has no last line."""
    return csv_lines(_export_rows(export))


def _export_rows(export: Export) -> Iterator[Sequence[str]]:
    yield from export.cover
    yield ()
    yield export.headings
    count = 0
    for row in export.rows:
        count += 1
        yield [cell.plain for _, cell in row.cells]
    yield "合计", str(count)


def record_export(key: str, title: str) -> Callable[[HttpRequest], HttpResponseBase]:
    """The view that streams exactly what a list's condition selects, as CSV with labels; no number of rows is too many."""

    @require_safe
    def view(request: HttpRequest) -> HttpResponseBase:
        export = page_source().export(request, key, list_query(request.GET))
        if export.problems:
            told = "没有导出：" + "".join(export.problems)
            return HttpResponse(told, status=400, content_type="text/plain; charset=utf-8")
        response = StreamingHttpResponse(export_lines(export), content_type=CONTENT_TYPE)
        name = quote(f"{title}.csv")
        response["Content-Disposition"] = f"attachment; filename=\"{key}.csv\"; filename*=UTF-8''{name}"
        return response

    return view


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Open the one record that the text names, or list what it may mean."""
    source = page_source()
    text = request.GET.get("q", "").strip()[:LONGEST_TEXT]
    page = source.search(request, text)
    if page.opens and not request.GET.get("all"):
        return HttpResponseRedirect(f"{page.opens}?{urlencode({'found': text})}")
    shell = with_place(source.shell(request), ("查询", "/search/"))
    return HttpResponse(page_html("search", page, shell, request))


#: Kind → what its list is called; addresses and menu are made from it.
LISTS = {
    "institutions": "检测机构",
    "projects": "工程项目",
    "samples": "样品与见证",
    "tests": "试验",
    "reports": "检测报告",
    "findings": "发现",
    "people": "人员",
    "instruments": "仪器设备",
}
PAGES = {key: record_list(key, title) for key, title in LISTS.items()}
EXPORTS = {key: record_export(key, title) for key, title in LISTS.items()}
