"""Limits of a session (会话时限): idleness, length; an account that was stopped ends with the next request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase

from plumbline.web.accounts.limits import session_rules
from plumbline.web.accounts.sign_ins import NOTED_EACH_S, SIGN_IN, note_use, why_ended

_SINCE, _SEEN, _NOTED = "since", "seen", "noted"


def _texts(request: HttpRequest) -> Iterator[str]:
    for form in (request.GET, request.POST if request.method == "POST" else {}):
        for name in form:
            yield name
            yield from form.getlist(name)


class SessionLimits:
    """Ends sessions that are too old, and those whose account may no longer sign in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, with the session ended when it has to be."""
        if "\0" in request.path or any("\0" in each for each in _texts(request)):
            return HttpResponseBadRequest(
                "表单或地址里有不能用的字符（NUL），请删去后重试。".encode(), "text/plain; charset=utf-8"
            )
        request.ended_because = self._end(request)  # type: ignore[attr-defined]
        return self.get_response(request)

    @staticmethod
    def _end(request: HttpRequest) -> str:
        if SESSION_KEY not in request.session:
            return ""
        now = int(time.time())
        since, seen = request.session.setdefault(_SINCE, now), request.session.get(_SEEN, now)
        if not request.user.is_authenticated:
            because = "账号已停用，或登录已失效。"
        elif told := session_rules(request.user.division).ended_because(since=since, seen=seen, now=now):  # type: ignore[union-attr]
            because = told
        elif ended := why_ended(request.session.get(SIGN_IN)):
            because = ended
        else:
            if now - request.session.get(_NOTED, 0) >= NOTED_EACH_S:
                request.session[_NOTED] = now
                note_use(request.session.get(SIGN_IN))
            request.session[_SEEN] = now
            return ""
        logout(request)
        return because
