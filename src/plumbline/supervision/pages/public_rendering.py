"""Draws the public verification pages with the gateway's Jinja templates, without Django (公众页的绘制)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment

from plumbline.supervision.pages.verification import (
    CodeEntryPage,
    ComplaintPage,
    RefusedPage,
    VerificationPage,
)
from plumbline.web.jinja import page_environment

TEMPLATE_FOLDER = Path(__file__).parents[1] / "gateway" / "templates"


@lru_cache(maxsize=4)
def public_environment(static_url: str = "/static/") -> Environment:
    """Return the environment of the public pages."""
    return page_environment(TEMPLATE_FOLDER, static_url)


def verification_html(page: VerificationPage, static_url: str = "/static/") -> str:
    """Return the page of one code."""
    return public_environment(static_url).get_template("verification.html").render(page=page)


def code_entry_html(page: CodeEntryPage, static_url: str = "/static/") -> str:
    """Return the page where a code is typed."""
    return public_environment(static_url).get_template("code_entry.html").render(page=page)


def complaint_html(page: ComplaintPage, static_url: str = "/static/") -> str:
    """Return the answer to a complaint sent without script."""
    return public_environment(static_url).get_template("complaint_received.html").render(page=page)


def refused_html(page: RefusedPage, static_url: str = "/static/") -> str:
    """Return what a browser is told when its form was not taken."""
    return public_environment(static_url).get_template("refused.html").render(page=page)
