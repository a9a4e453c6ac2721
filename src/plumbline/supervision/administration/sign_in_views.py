"""The page on which the owner of an account sees where it is signed in, and ends what should not be (登录列表页面)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from plumbline.supervision.administration import trail
from plumbline.supervision.administration.shell import SeeOther, page
from plumbline.web.accounts import sign_ins


@require_http_methods(["GET", "POST"])
def own_sign_ins(request: HttpRequest) -> HttpResponse:
    """One's own sign-ins; POST ends another one of them."""
    if not request.user.is_authenticated:
        return SeeOther("/account/login/")
    this = str(request.session.get(sign_ins.SIGN_IN, ""))
    if request.method == "POST":
        key = request.POST.get("key", "")
        if not key or key == this or not sign_ins.end(request.user, key=key):
            raise Http404
        trail.record(request, request.user.username, "session.ended_elsewhere", request.user.username)
        return SeeOther("/account/sign-ins/")
    request.session[sign_ins.ELSEWHERE] = 0  # whoever has looked need not be told on every page
    rows = list(sign_ins.open_sign_ins(request.user))  # read before the shell puts a reader's role on
    context = {"rows": rows, "this": this}
    return page(request, "sign_ins", context, ("我的登录", ""))
