"""Looking with another's eyes (以他人身份查看): an officer sees what a party of the own division sees, and changes nothing.

Begun and ended with an audit event, with a banner on every page in between.
"""

from __future__ import annotations

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.access.sessions import VIEWED, principal_of
from plumbline.supervision.administration import queries, trail
from plumbline.supervision.administration.services import lies_below
from plumbline.supervision.administration.shell import SeeOther, page


@require_http_methods(["GET", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """Choose an organisation of the division, and look."""
    principal = principal_of(request)
    if principal.viewed_by or not principal.account:
        raise Http404  # a role card of the demo is no account, and nobody looks through two pairs of eyes
    if request.method == "POST":
        seen = _principal(principal, request.POST.get("party", ""))
        if seen is None:
            raise Http404
        request.session[VIEWED] = seen.as_session()
        trail.record(request, principal.account, "view_as.begun", seen.party, organisation=seen.organisation)
        return SeeOther("/reports/")
    text = request.GET.get("q", "")[:60]
    context = {"parties": queries.parties(principal, text, without=queries.AUTHORITIES), "text": text}
    return page(request, "view_as", context, ("以他人身份查看", "/view-as/"))


def _principal(officer: Principal, party: str) -> Principal | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, division, roles FROM ops.party_of(%s)", [party])
        row = cursor.fetchone()
    if row is None or not lies_below(row[1] or "", officer) or set(queries.AUTHORITIES) & set(row[2]):
        return None
    role = Role.INSTITUTION if "institution" in row[2] else Role.PARTY
    return Principal(role=role, party=party, organisation=row[0], division=row[1], capacity="代看")


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Back to one's own eyes."""
    principal = principal_of(request)
    if not principal.viewed_by:
        raise Http404
    del request.session[VIEWED]
    trail.record(request, principal.viewed_by, "view_as.ended", principal.party)
    return SeeOther("/")
