"""Whoever administers proves once more who acts (再次确认身份): the password, and the second factor where there is one.

Asked for before an act when the last proof is older than a few minutes. The form waits on the page that asks, so that nothing that
was typed is lost; a screen left open is of no use to somebody else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.utils import is_mfa_enabled
from axes.utils import reset as reset_failures
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, QueryDict

from plumbline.supervision.access.profile import profile_at
from plumbline.supervision.administration.shell import page
from plumbline.supervision.administration.trail import record
from plumbline.web.accounts.adapter import client_address
from plumbline.web.accounts.models import Account

#: When the session's owner last proved to be it; sign-in is such a proof.
CONFIRMED = "confirmed"
HOLDS_S = 300
_PASSWORD, _CODE = "confirm_password", "confirm_code"
_OWN = frozenset({"csrfmiddlewaretoken", _PASSWORD, _CODE})
View = Callable[..., HttpResponse]


def note(request: HttpRequest) -> None:
    """Remember that the session's owner has just proved to be it."""
    request.session[CONFIRMED] = int(time.time())


def is_fresh(confirmed_at: object, now: float) -> bool:
    """Whether a proof of this time still counts; one from the future does not."""
    return isinstance(confirmed_at, int) and 0 <= int(now) - confirmed_at < HOLDS_S


def confirmed(view: View) -> View:
    """Let a form through only after a recent proof; without one the form waits on the page that asks for it."""

    @wraps(view)
    def asking(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if request.method != "POST" or is_fresh(request.session.get(CONFIRMED), time.time()):
            return view(request, *arguments, **named)
        if not request.user.is_authenticated:  # a role card of the demo has nothing to prove
            return view(request, *arguments, **named)
        account: Account = request.user  # type: ignore[assignment]
        problem = _problem(request, account) if _PASSWORD in request.POST else None
        if problem is None and _PASSWORD in request.POST:
            note(request)
            request.session.cycle_key()  # whoever knew the old one has not proved anything
            proven(request, account)
            request.POST = _without_proof(request.POST)  # type: ignore[assignment]
            return view(request, *arguments, **named)
        return _ask(request, account, problem or "")

    asking.asks_again = True  # type: ignore[attr-defined]
    return asking


def _problem(request: HttpRequest, account: Account) -> str | None:
    """What is wrong with the proof, or None."""
    problem = password_problem(request, account, request.POST.get(_PASSWORD, ""))
    if problem is None and is_mfa_enabled(account):
        return code_problem(account, request.POST.get(_CODE, ""))
    return problem


def password_problem(request: HttpRequest, account: Account, password: str) -> str | None:
    """What is wrong with this password, or None. A wrong one is counted like those of sign-in."""
    found = authenticate(request, username=account.username, password=password)
    if found is None or found.pk != account.pk:
        return f"密码不对。{profile_at(account.division, datetime.now(UTC)).lockout_rule}"
    return None


def code_problem(account: Account, code: str) -> str | None:
    """What is wrong with this code of a second factor, or None. A wrong one is counted like those of sign-in."""
    form = AuthenticateForm(data={"code": code[:40]}, user=account)
    if not form.is_valid():
        return f"第二因素：{''.join(str(each) for each in form.errors.get('code', ['没有填']))}"
    form.save()
    return None


def proven(request: HttpRequest, account: Account) -> None:
    """It is the account's owner: failures are forgotten, and the trail has the proof."""
    reset_failures(username=account.username)
    name = account.username
    record(request, name, "session.confirmed", name, address=client_address(request))


def _without_proof(posted: QueryDict) -> QueryDict:
    kept = posted.copy()
    for name in (_PASSWORD, _CODE):
        kept.pop(name, None)
    return kept


def _ask(request: HttpRequest, account: Account, problem: str) -> HttpResponse:
    kept = [(name, value) for name, values in request.POST.lists() if name not in _OWN for value in values]
    context = {"kept": kept, "problem": problem, "needs_code": is_mfa_enabled(account), "account": account}
    return page(request, "confirm", context, ("再次确认身份", ""), status=403)
