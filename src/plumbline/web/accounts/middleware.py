"""Limits of a session beyond idleness (会话时限): twelve hours in any case; an account that was stopped ends with the next request."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponseBase

ABSOLUTE_LIMIT_S = 12 * 3600
_SINCE = "since"


class SessionLimits:
    """Ends sessions that are too old, and those whose account may no longer sign in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, with the session ended when it has to be."""
        request.ended_because = self._end(request)  # type: ignore[attr-defined]
        return self.get_response(request)

    @staticmethod
    def _end(request: HttpRequest) -> str:
        if SESSION_KEY not in request.session:
            return ""
        since = request.session.setdefault(_SINCE, int(time.time()))
        if not request.user.is_authenticated:
            because = "账号已停用，或登录已失效。"
        elif time.time() - since > ABSOLUTE_LIMIT_S:
            because = "登录已满十二小时，请重新登录。"
        else:
            return ""
        logout(request)
        return because
