"""From a view model to HTML, with or without a request (把视图模型画成页面)."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from plumbline.supervision.pages.view_models import RoleCard, Shell

#: Which template draws which page.
TEMPLATES = {
    "trace": "supervision_pages/trace.html",
    "record": "supervision_pages/record.html",
    "record_list": "supervision_pages/record_list.html",
    "search": "supervision_pages/search.html",
    "home": "supervision_pages/home.html",
    "live": "supervision_pages/live.html",
    "status": "supervision_pages/status.html",
    "numbers": "supervision_pages/numbers.html",
    "accepted": "supervision_pages/accepted.html",
    "tour": "supervision_pages/tour.html",
}


def page_html(kind: str, page: object, shell: Shell, request: HttpRequest | None = None) -> str:
    """Return the HTML of a page; ``kind`` is a key of ``TEMPLATES``. Role cards need the request (CSRF)."""
    return render_to_string(TEMPLATES[kind], {"page": page, "shell": shell}, request=request)


def with_place(shell: Shell, *levels: tuple[str, str]) -> Shell:
    """Return the shell with its breadcrumb, and with the menu item of the first level marked."""
    home = levels[0][1] if levels else ""
    menu = tuple(
        (heading, tuple(replace(item, is_active=bool(home) and item.url == home) for item in items))
        for heading, items in shell.menu
    )
    return replace(shell, breadcrumb=levels, menu=menu)


def sign_in_needed(
    shell: Shell,
    words: tuple[str, str],
    request: HttpRequest,
    *,
    cards: tuple[RoleCard, ...],
    link: tuple[str, str],
    status: int,
    typed: list[str] | None = None,
) -> HttpResponse:
    """Say that a page is for those who are signed in and how to get there. ``words``: (headline, detail).

    With role cards (demo) one click enters and comes back to this address; ``link`` is what needs no signing in;
    ``typed`` are texts of a form that was not saved, offered for copying.
    """
    context = {"headline": words[0], "detail": words[1], "shell": shell, "link": link, "next": request.path}
    context["typed"] = typed or []
    context["cards"] = [card for card in cards if card.needs_sign_in]
    html = render_to_string("supervision_pages/sign_in_needed.html", context, request=request)
    return HttpResponse(html, status=status)


def not_found(
    shell: Shell, headline: str, detail: str, request: HttpRequest, *, link: tuple[str, str] | None = None
) -> HttpResponse:
    """Return 404 in the shell; the same words whether a thing is absent or out of scope. ``link``: (label, url)."""
    context = {"headline": headline, "detail": detail, "shell": shell, "link": link}
    html = render_to_string("supervision_pages/missing.html", context, request=request)
    return HttpResponse(html, status=404)
