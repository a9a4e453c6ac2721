"""The page of the exports and volumes that somebody ordered (导出页面)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_http_methods, require_safe

from plumbline.supervision.access.principals import Principal
from plumbline.supervision.access.sessions import GRANT, principal_of
from plumbline.supervision.administration import trail
from plumbline.supervision.administration.shell import SeeOther, page
from plumbline.supervision.jobs import orders, volumes
from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.pages.lists import LISTS, list_query
from plumbline.supervision.reading.lists.listing import KINDS
from plumbline.web.spreadsheet import CONTENT_TYPE

_PLACE = (("导出", "/exports/"),)
_UNSAFE = re.compile(r"[^0-9A-Za-z._\u4e00-\u9fff-]+")
_ASKED = ("volume", "project", "year", "institution")


@require_http_methods(["GET", "POST"])
def exports(request: HttpRequest) -> HttpResponse:
    """One's own exports and volumes, and forms for the next: a list with the conditions that it had, a project, a year."""
    principal = principal_of(request)
    given = request.POST if request.method == "POST" else request.GET
    key = given.get("list", "reports")
    query = list_query(given)
    known = {each.key for each in KINDS[key].filters} if key in KINDS else set()
    query = replace(query, filters={name: value for name, value in query.filters.items() if name in known})
    asked = {name: given[name][:64] for name in _ASKED if given.get(name)}
    problem = ""
    if request.method == "POST":
        try:
            _order(request, principal, key, query, asked)
            return SeeOther("/exports/")
        except orders.JobRefused as refusal:
            problem = str(refusal)
    open_to_reader = {
        name: title for name, title in LISTS.items() if principal.role.value in KINDS[name].roles
    }
    context: dict[str, Any] = {
        "jobs": orders.jobs_of(principal),
        "lists": open_to_reader,
        "list": key,
        "query": query,
        "problem": problem,
        "volumes": volumes.choices(principal, asked),
    }
    return page(request, "exports", context, *_PLACE, status=422 if problem else 200)


def _order(
    request: HttpRequest, principal: Principal, key: str, query: ListQuery, asked: dict[str, str]
) -> None:
    """Order what the form asks for, with its event; raises :class:`JobRefused`."""
    grant, actor = str(request.session.get(GRANT, "")), principal.account or principal.capacity
    if "volume" in asked:
        job, told = orders.order_volume(principal, grant, asked)
        trail.record(request, actor, "volume.ordered", job, volume=asked["volume"], told=told)
        return
    job = orders.order_export(principal, grant, key, query)
    conditions = {"list": key, "q": query.text, "view": query.view} | query.filters
    conditions = {name: value for name, value in conditions.items() if value}
    trail.record(request, actor, "list.export_ordered", job, **conditions)


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


@require_safe
def volume_file(request: HttpRequest, job: str) -> HttpResponseBase:
    """The file of a finished volume, for whoever ordered it; streamed, since it may be of gigabytes."""
    principal = principal_of(request)
    found = orders.volume_of(principal, job)
    if found is None:
        raise Http404
    path, told = found
    trail.record(request, principal.account or principal.capacity, "volume.taken", job, told=told)
    answer = FileResponse(path.open("rb"), content_type="application/zip")
    name = _UNSAFE.sub("_", told)[:80]
    answer["Content-Disposition"] = (
        f"attachment; filename=\"volume.zip\"; filename*=UTF-8''{quote(f'案卷包_{name}.zip')}"
    )
    answer["Cache-Control"] = "private, no-store"
    return answer
