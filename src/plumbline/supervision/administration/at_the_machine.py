"""Who sits at the machine proves who it is (当面验明身份): password and second factor of an account, asked for on the command line.

A command that two persons answer for believes neither the name that was typed nor whoever typed it. Wrong passwords and codes are
recorded like those of the pages, and counted in the database, since each command is a process of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import django
from django.http import HttpRequest

if TYPE_CHECKING:
    from plumbline.web.accounts.models import Account


class NotAnswered(RuntimeError):
    """The database did not answer; the message is the name of the error."""


#: Asks a question and gives what was typed, which nobody sees.
Ask = Callable[[str], str]


def prove(login: str, command: str, ask: Ask) -> str | None:
    """What is wrong with the proof that whoever answers is `login`, or None. `command` stands in the audit trail as what was asked for.

    What keeps an account from acting on the pages keeps it from acting here: an old password, a long absence, no second factor. Django is
    configured by the environment; NotAnswered when the database does not answer.
    """
    django.setup()
    logging.getLogger("axes").setLevel(
        logging.ERROR
    )  # who sits here is told in a sentence, and the trail has it
    from allauth.core.context import request_context
    from django.db import Error

    request = _request(command)
    try:
        with request_context(request):
            return _problem(request, login, ask)
    except Error as error:
        raise NotAnswered(type(error).__name__) from error


def _problem(request: HttpRequest, login: str, ask: Ask) -> str | None:
    from axes.handlers.proxy import AxesProxyHandler
    from django.contrib.auth.signals import user_login_failed

    from plumbline.supervision.administration.confirmation import code_problem, password_problem, proven
    from plumbline.supervision.administration.trail import record
    from plumbline.web.accounts.adapter import client_address
    from plumbline.web.accounts.models import Account

    account = Account.objects.filter(username=login).first()
    if account is None:
        return "没有这个账号"
    if problem := password_problem(request, account, ask(f"{login} 的密码：")):
        return problem
    if problem := _kept_from_acting(account):
        record(
            request,
            login,
            "session.refused",
            login,
            "refused",
            address=client_address(request),
            because=problem,
        )
        return problem
    code, named = ask(f"{login} 的第二因素（验证码或恢复码）："), {"username": login}
    if not AxesProxyHandler.is_allowed(request, named):  # others may have guessed meanwhile
        return "输错的次数太多，请过一会儿再试"
    if problem := code_problem(account, code):
        # The library counts wrong codes within a process, and this one ends at once.
        user_login_failed.send(sender=__name__, credentials=named, request=request)
        return problem
    proven(request, account)
    return None


def _kept_from_acting(account: Account) -> str | None:
    from allauth.mfa.utils import is_mfa_enabled

    from plumbline.supervision.access.terms import is_dormant, is_password_old

    now = datetime.now(UTC)
    if is_dormant(account, now):
        return "这个账号很久没有登录，请先在网页上登录"
    if is_password_old(account, now):
        return "密码已经过期，请先在网页上登录并更换"
    return None if is_mfa_enabled(account) else "这个账号没有第二因素，请先在网页上设好"


def _request(command: str) -> HttpRequest:
    """As much of a request as counting and recording need: from this machine, in no session."""
    request = HttpRequest()
    request.method, request.path = "CLI", command
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    request.resolver_match = SimpleNamespace(view_name=command)  # type: ignore[assignment]
    request.session = {}  # type: ignore[assignment]
    return request
