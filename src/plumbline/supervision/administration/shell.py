"""The pages of administration in the shell (管理页面的外壳)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string

from plumbline.supervision.access.grants import ROLE_WORDS
from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.pages.pages import page_source
from plumbline.supervision.pages.rendering import with_place


class SeeOther(HttpResponseRedirect):
    """After a form the browser asks for the next page with GET (RFC 9110, 303)."""

    status_code = 303


def page(
    request: HttpRequest, name: str, context: dict[str, Any], *place: tuple[str, str], status: int = 200
) -> HttpResponse:
    """A page of this app in the shell."""
    shell = with_place(page_source().shell(request), *place)
    context |= {"shell": shell, "principal": principal_of(request), "role_words": ROLE_WORDS}
    html = render_to_string(f"administration/{name}.html", context, request=request)
    return HttpResponse(html, status=status)
