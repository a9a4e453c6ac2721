"""Who sits at the machine proves who it is (当面验明身份): password and second factor of an account, asked for on the command line.

A command that two persons answer for believes neither the name that was typed nor whoever typed it. Wrong passwords and codes are
counted and recorded like those of the pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace

import django
from django.http import HttpRequest

#: Asks a question and gives what was typed, which nobody sees.
Ask = Callable[[str], str]


def prove(login: str, command: str, ask: Ask) -> str | None:
    """What is wrong with the proof that whoever answers is `login`, or None. `command` stands in the audit trail as what was asked for.

    Django is configured by the environment; the second factor is asked for only where the account has one and the password is right.
    """
    django.setup()
    logging.getLogger("axes").setLevel(
        logging.ERROR
    )  # who sits here is told in a sentence, and the trail has it
    from allauth.core.context import request_context
    from allauth.mfa.utils import is_mfa_enabled

    from plumbline.supervision.administration.confirmation import code_problem, password_problem, proven
    from plumbline.web.accounts.models import Account

    account, request = Account.objects.get(username=login), _request(command)
    with request_context(request):
        problem = password_problem(request, account, ask(f"{login} 的密码："))
        if problem is None and is_mfa_enabled(account):
            problem = code_problem(account, ask(f"{login} 的第二因素（验证码或恢复码）："))
        if problem is None:
            proven(request, account)
    return problem


def _request(command: str) -> HttpRequest:
    """As much of a request as counting and recording need: from this machine, in no session."""
    request = HttpRequest()
    request.method, request.path = "CLI", command
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    request.resolver_match = SimpleNamespace(view_name=command)  # type: ignore[assignment]
    request.session = {}  # type: ignore[assignment]
    return request
