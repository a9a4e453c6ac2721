"""The page of the exports that somebody ordered (导出页面)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from plumbline.supervision.access.sessions import GRANT, principal_of
from plumbline.supervision.administration import trail
from plumbline.supervision.administration.shell import SeeOther, page
from plumbline.supervision.jobs import orders

_PLACE = (("检测报告", "/reports/"), ("导出", "/exports/"))
_VIEWS = {"all", "mine", "failed", "reminded", "unproved"}


@require_http_methods(["GET", "POST"])
def exports(request: HttpRequest) -> HttpResponse:
    """One's own exports, and a form for the next one."""
    principal = principal_of(request)
    given = request.POST if request.method == "POST" else request.GET
    text, view = given.get("q", "")[:200].strip(), given.get("view", "all")
    view = view if view in _VIEWS else "all"
    problem = ""
    if request.method == "POST":
        try:
            job = orders.order_export(principal, str(request.session.get(GRANT, "")), text, view)
            trail.record(request, principal.account or principal.capacity, "reports.export_ordered", job)
            return SeeOther("/exports/")
        except orders.JobRefused as refusal:
            problem = str(refusal)
    context = {"jobs": orders.jobs_of(principal), "text": text, "view": view, "problem": problem}
    return page(request, "exports", context, *_PLACE, status=422 if problem else 200)


@require_safe
def export_file(request: HttpRequest, job: str) -> HttpResponse:
    """The file of a finished export, for whoever ordered it."""
    result = orders.result_of(principal_of(request), job)
    if result is None:
        raise Http404
    answer = HttpResponse(result, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="reports.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer
