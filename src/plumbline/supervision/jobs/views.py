"""The page of the exports that somebody ordered (导出页面)."""

from __future__ import annotations

from dataclasses import replace

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from plumbline.supervision.access.sessions import GRANT, principal_of
from plumbline.supervision.administration import trail
from plumbline.supervision.administration.shell import SeeOther, page
from plumbline.supervision.jobs import orders
from plumbline.supervision.pages.lists import LISTS, list_query
from plumbline.supervision.reading.lists.listing import KINDS
from plumbline.web.spreadsheet import CONTENT_TYPE

_PLACE = (("导出", "/exports/"),)


@require_http_methods(["GET", "POST"])
def exports(request: HttpRequest) -> HttpResponse:
    """One's own exports, and a form for the next one: a list with the conditions that it had."""
    principal = principal_of(request)
    given = request.POST if request.method == "POST" else request.GET
    key = given.get("list", "reports")
    query = list_query(given)
    known = {each.key for each in KINDS[key].filters} if key in KINDS else set()
    query = replace(query, filters={name: value for name, value in query.filters.items() if name in known})
    problem = ""
    if request.method == "POST":
        try:
            job = orders.order_export(principal, str(request.session.get(GRANT, "")), key, query)
            asked = {"list": key, "q": query.text, "view": query.view} | query.filters
            told = {name: value for name, value in asked.items() if value}
            trail.record(request, principal.account or principal.capacity, "list.export_ordered", job, **told)
            return SeeOther("/exports/")
        except orders.JobRefused as refusal:
            problem = str(refusal)
    open_to_reader = {
        name: title for name, title in LISTS.items() if principal.role.value in KINDS[name].roles
    }
    context = {
        "jobs": orders.jobs_of(principal),
        "lists": open_to_reader,
        "list": key,
        "query": query,
        "problem": problem,
    }
    return page(request, "exports", context, *_PLACE, status=422 if problem else 200)


@require_safe
def export_file(request: HttpRequest, job: str) -> HttpResponse:
    """The file of a finished export, for whoever ordered it."""
    result = orders.result_of(principal_of(request), job)
    if result is None:
        raise Http404
    answer = HttpResponse(result, content_type=CONTENT_TYPE)
    answer["Content-Disposition"] = 'attachment; filename="export.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer
