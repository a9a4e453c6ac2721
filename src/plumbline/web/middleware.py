"""Django middleware that puts the security headers on every response (安全响应头中间件)."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from plumbline.web.security import SECURITY_HEADERS


class SecurityHeaders:
    """Adds the headers of ``security`` unless a view has set its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request and add what is missing."""
        response = self.get_response(request)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        # What one reader saw is kept by nobody on the way, nor in the browser, unless the view has said so.
        response.headers.setdefault("Cache-Control", "no-store")
        if getattr(request, "signed_out", False):
            response.headers.setdefault("Clear-Site-Data", '"cache"')
        return response
