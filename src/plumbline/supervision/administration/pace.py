"""How fast one person may ask (按人限速): lists, searches and exports slowly, pages as fast as people turn them; whoever asks faster
is a program, is told when to come again, and is written down.

One bucket a person, whatever the number of sign-ins. The public has none here: its look-ups are limited at the gateway, by address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from plumbline.exchange.problems import Problem
from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.administration.paces import Paces
from plumbline.supervision.administration.trail import record
from plumbline.supervision.gateway.limits import RateLimit

#: What takes out many records at once, or makes the platform work for them: lists, and whatever is named an export.
COSTLY = frozenset(
    {
        "institutions",
        "projects",
        "reports",
        "samples",
        "tests",
        "findings",
        "people",
        "instruments",
        "numbers",
        "search",
        "bundle",
        "exchange",
        "audit",
    }
)
#: A refusal of a person is written down once in so many seconds.
NOTED_EACH_S = 60.0


class PersonalPace:
    """Django middleware: 429 for a person who asks faster than people do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        paces = Paces.from_env()
        told = "您打开名录、检索、导出的速度超过了人能做到的"
        self._costly = RateLimit(paces.costly, paces.costly_burst, told=told)
        self._others = RateLimit(paces.others, paces.others_burst, told="您打开网页的速度超过了人能做到的")
        self._noted = RateLimit(1 / NOTED_EACH_S, 1)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass on: what is asked is known in :meth:`process_view`."""
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, arguments: Any, named: Any
    ) -> HttpResponse | None:
        """The refusal, or None to go on."""
        person = _person(request)
        if not person:
            return None
        match = request.resolver_match
        name = str(match.url_name) if match else ""
        limit = self._costly if name in COSTLY or name.endswith("-export") else self._others
        try:
            limit.take(person)
        except Problem as problem:
            return self._refused(request, person, problem)
        return None

    def _refused(self, request: HttpRequest, person: str, problem: Problem) -> HttpResponse:
        """A line of plain text: a page in the shell would cost what is to be spared."""
        try:
            self._noted.take(person)
        except Problem:
            pass  # written down within the last minute
        else:
            name = str(getattr(request.resolver_match, "url_name", "?"))
            record(request, person, "access.too_fast", name, "refused")
        told = f"{problem.detail}，请 {problem.retry_after_s} 秒后再来。要成批的数据，请向平台申请接口。"
        answer = HttpResponse(told.encode(), "text/plain; charset=utf-8", 429)
        answer["Retry-After"] = str(problem.retry_after_s)
        return answer


def _person(request: HttpRequest) -> str:
    """Who asks: the account, else the session of a role card; empty for the public."""
    account = getattr(request, "user", None)
    if account is not None and account.is_authenticated:
        return str(account.get_username())
    if principal_of(request).is_signed_in:
        return f"session {str(request.session.session_key)[:8]}"
    return ""
