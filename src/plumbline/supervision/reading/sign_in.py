"""Signing in by a role card, and out (角色卡片登录与退出). No card exists outside the demo: the address
answers 404."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from plumbline.supervision.access.sessions import demo_is_open, sign_in, sign_out
from plumbline.supervision.reading.demo_roles import principal_for

#: Pages that a card may return to.
_RETURNS = ("/reports/", "/numbers/", "/live-tests/", "/tour/")


class SeeOther(HttpResponseRedirect):
    """After a form the browser asks for the next page with GET (RFC 9110, 303)."""

    status_code = 303


@require_POST
def enter(request: HttpRequest, key: str) -> HttpResponse:
    """Enter as the role of a card."""
    principal = principal_for(key) if demo_is_open() else None
    if principal is None:
        raise Http404
    sign_in(request, principal)
    return SeeOther(_wanted(request))


def _wanted(request: HttpRequest) -> str:
    """The page that the visitor was at, when it is one of ours; a form never sends anybody elsewhere."""
    wanted = request.POST.get("next", "")
    is_ours = wanted.startswith(_RETURNS) and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours else "/"


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Leave the role and go back to the front page."""
    sign_out(request)
    return SeeOther("/")
