"""The principal in the signed session cookie (会话中的身份). Accounts come later; only the demo's role cards
sign in today."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from plumbline.supervision.access.principals import PUBLIC, Principal, from_session

_KEY = "principal"


def demo_is_open() -> bool:
    """Whether role cards exist: the data folder is marked demo *and* the origin of the log begins
    ``demo.``."""
    platform = getattr(settings, "PLUMBLINE_PLATFORM", None)
    return platform is not None and bool(platform.demo) and str(platform.origin).startswith("demo.")


def principal_of(request: HttpRequest) -> Principal:
    """Who acts. A session of a platform that is no demo (any more) is the public: it was never proved by an
    account."""
    session = getattr(request, "session", None)
    if session is None or not demo_is_open():
        return PUBLIC
    return from_session(session.get(_KEY))


def sign_in(request: HttpRequest, principal: Principal) -> None:
    """Begin a new session for a principal; the old one and its form token are gone."""
    request.session.flush()
    request.session[_KEY] = principal.as_session()
    rotate_token(request)


def sign_out(request: HttpRequest) -> None:
    """End the session."""
    request.session.flush()
