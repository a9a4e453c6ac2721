"""The pages on which officers say who looks after which project (监督分工页面)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from plumbline.exchange.problems import Problem
from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.administration import charges
from plumbline.supervision.administration.organisation_views import officer_with_account
from plumbline.supervision.administration.services import AdministrationRefused
from plumbline.supervision.administration.shell import page

_PLACE = ("监督分工", "/charges/")
_FIELDS = ("officer", "part", "valid_from", "valid_until")
_UNDER_WAY = "已受理，正在入账，稍后刷新就能看到。"


@require_safe
def charge_list(request: HttpRequest) -> HttpResponse:
    """The projects of the officer's region, with who looks after each today."""
    text = request.GET.get("q", "")[:60]
    rows = charges.projects(officer_with_account(request), text)
    return page(request, "charges", {"rows": rows, "text": text}, _PLACE)


@require_http_methods(["GET", "POST"])
def charge_project(request: HttpRequest, project: str) -> HttpResponse:
    """One project: who looks after it and when, and a form for the next one; what was typed stays when something is wrong."""
    typed = {name: request.POST.get(name, "").strip()[:40] for name in _FIELDS}
    found = _project(request, project)
    if request.method != "POST":
        return _shown(request, project, typed={"part": "lead", "valid_from": found.today.isoformat()})
    try:
        projected = charges.assign(request, principal_of(request), found, typed)
    except AdministrationRefused as refusal:
        told = {"problem": str(refusal), "field": refusal.field}
        return _shown(request, project, status=422, typed=typed, **told)
    except Problem as problem:
        return _shown(request, project, status=503, typed=typed, problem=str(problem))
    return _shown(
        request, project, typed={"part": "lead"}, done="已分工，入了日志。" if projected else _UNDER_WAY
    )


@require_POST
def charge_end(request: HttpRequest, project: str, charge: str) -> HttpResponse:
    """End an assignment, with the reason."""
    ended = next((each for each in _project(request, project).charges if each.id == charge), None)
    if ended is None:
        raise Http404
    try:
        projected = charges.end(request, principal_of(request), ended, request.POST.get("because", ""))
    except AdministrationRefused as refusal:
        return _shown(request, project, status=422, problem=str(refusal), field=refusal.field)
    except Problem as problem:
        return _shown(request, project, status=503, problem=str(problem))
    return _shown(request, project, done="已终止，入了日志。" if projected else _UNDER_WAY)


def _project(request: HttpRequest, project: str) -> charges.Project:
    found = charges.project_of(officer_with_account(request), project)
    if found is None:
        raise Http404
    return found


def _shown(request: HttpRequest, project: str, *, status: int = 200, **told: object) -> HttpResponse:
    found = _project(request, project)
    context = {"project": found, "officers": charges.officers_for(principal_of(request), found), **told}
    return page(
        request, "charge", context | {"parts": charges.PARTS}, _PLACE, (found.name, ""), status=status
    )
