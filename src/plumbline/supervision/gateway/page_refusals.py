"""What a person reads when something is refused at an address that a browser opens (网页上的拒绝); a program gets problem details there."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import problem_response
from plumbline.supervision.gateway.context import context_of
from plumbline.supervision.pages.public_rendering import refused_html
from plumbline.supervision.pages.verification import RefusedPage
from plumbline.web.security import CONTENT_SECURITY_POLICY

_HEADERS = {"Cache-Control": "no-store", "Content-Security-Policy": CONTENT_SECURITY_POLICY}


def is_browser(request: Request) -> bool:
    """Whether a page is wanted."""
    return "text/html" in request.headers.get("accept", "")


def refusal(
    request: Request, problem: Problem, words: tuple[str, str], back: tuple[str, str] = ("/", "回到首页")
) -> Response:
    """A page for a browser, problem details for a program. `words`: (headline, what to do); `back`: (address, what its link says)."""
    if not is_browser(request):
        problem.is_lookup = request.method in ("GET", "HEAD")
        return problem_response(problem)
    page = RefusedPage(
        headline=words[0],
        remedy=words[1],
        detail=problem.detail,
        back=back[0],
        back_word=back[1],
        is_demo=context_of(request).platform.demo,
    )
    again = {"Retry-After": str(problem.retry_after_s)} if problem.retry_after_s is not None else {}
    return HTMLResponse(refused_html(page), problem.kind.status, _HEADERS | again)
