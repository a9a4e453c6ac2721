"""The page on which officers suspend organisations and let them work again (参与单位页面)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from plumbline.exchange.problems import Problem
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.administration import organisations
from plumbline.supervision.administration.services import AdministrationRefused
from plumbline.supervision.administration.shell import page

_PLACE = ("参与单位", "/organisations/")


def officer_with_account(request: HttpRequest) -> Principal:
    """The officer who asks; a role card of the demo is no account and decides nothing."""
    principal = principal_of(request)
    if not principal.account or principal.viewed_by:
        raise Http404
    return principal


@require_safe
def organisation_list(request: HttpRequest) -> HttpResponse:
    """The organisations of the officer's region: which work, which are suspended, and what waits for a second person."""
    return _shown(request, officer_with_account(request))


def _shown(request: HttpRequest, principal: Principal, *, status: int = 200, **told: object) -> HttpResponse:
    text = request.GET.get("q", "")[:60]
    context = {"rows": organisations.organisations(principal, text), "text": text, **told}
    return page(request, "organisations", context, _PLACE, status=status)


@require_POST
def organisation_act(request: HttpRequest, party: str, act: str) -> HttpResponse:
    """Propose, agree or decline; what was typed stays when something is wrong."""
    principal = officer_with_account(request)
    found = organisations.organisation(principal, party)
    if found is None or act not in _SAID:
        raise Http404
    because = request.POST.get("because", "")
    seen, waits = request.POST.get("proposal", ""), found.proposal
    try:
        if seen and waits and seen != str(waits.id):
            raise AdministrationRefused("proposal", "您看到的那一条已经办了，现在是另一条，请看清再决定")
        if act == "propose":
            organisations.propose(request, principal, found, because)
            return _shown(request, principal, done=_SAID[act])
        projected = organisations.decide(request, principal, found, agreed=act == "agree")
        return _shown(
            request, principal, done=_SAID[act] if projected else "已受理，正在入账，稍后刷新就能看到。"
        )
    except AdministrationRefused as refusal:
        told = {"problem": str(refusal), "wrong": party, "typed": because}
        return _shown(request, principal, status=422, **told)
    except Problem as problem:
        return _shown(request, principal, status=503, problem=str(problem), wrong=party, typed=because)


_SAID = {
    "propose": "已提出，等另一位监督人员复核后生效。",
    "agree": "已入账，几秒内生效。",
    "decline": "没有同意，什么都没有改动。",
}
