"""The principal of a request (会话中的身份): an account with the role that it chose, or a role card of the demo."""

from __future__ import annotations

from dataclasses import replace

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from plumbline.supervision.access.acting import take_off
from plumbline.supervision.access.grants import grants_of
from plumbline.supervision.access.principals import (
    NEED_SECOND_FACTOR,
    PUBLIC,
    Principal,
    Role,
    division_range,
    from_session,
)
from plumbline.web.accounts.models import Account

_KEY = "principal"
#: Stops of the demo's tour that were opened; they stay when the role changes.
TOUR = "tour"
#: Entry id of the role that an account acts in, and the principal with whose eyes an officer looks.
GRANT, VIEWED = "grant", "viewed"


def demo_is_open() -> bool:
    """Whether role cards exist: the data folder is marked demo *and* the origin of the log begins
    ``demo.``."""
    platform = getattr(settings, "PLUMBLINE_PLATFORM", None)
    return platform is not None and bool(platform.demo) and str(platform.origin).startswith("demo.")


def principal_of(request: HttpRequest) -> Principal:
    """Who acts, found once a request. A role card of a platform that is no demo (any more) is the public."""
    known = getattr(request, "_plumb_principal", None)
    if known is None:
        known = request._plumb_principal = _find(request)  # type: ignore[attr-defined]
    return known  # type: ignore[no-any-return]


def _find(request: HttpRequest) -> Principal:
    session, account = getattr(request, "session", None), getattr(request, "user", None)
    if session is None:
        return PUBLIC
    if account is None or not account.is_authenticated:
        return from_session(session.get(_KEY)) if demo_is_open() else PUBLIC
    principal = acting(account, str(session.get(GRANT, "")))
    if principal.role in NEED_SECOND_FACTOR and not is_mfa_enabled(account):
        return PUBLIC  # who switches it off has no such role until it is on again
    return _viewed(session, principal)


def _viewed(session: SessionBase, principal: Principal) -> Principal:
    """What an officer looks with, as long as the organisation lies in the division of the role that the officer acts in now."""
    viewed = from_session(session.get(VIEWED))
    low, high = division_range(principal.division)
    if viewed.is_signed_in and principal.role is Role.OFFICER and low and low <= viewed.division < high:
        return replace(viewed, viewed_by=principal.account)
    return principal


def acting(account: Account, grant: str) -> Principal:
    """What an account is under one of its roles; the public when the role is not its own or has ended."""
    found = next((each for each in grants_of(account) if each.id == grant), None)
    if found is None:
        return PUBLIC
    return Principal(
        role=Role(found.role),
        party=found.party,
        person=account.person,
        organisation=found.organisation,
        division=found.division,
        capacity=found.capacity,
        account=account.username,
    )


def sign_in(request: HttpRequest, principal: Principal) -> None:
    """Begin a new session for a principal; the old one and its form token are gone."""
    take_off()
    toured = request.session.get(TOUR)
    request.session.flush()
    if toured:
        request.session[TOUR] = toured
    request.session[_KEY] = principal.as_session()
    rotate_token(request)


def sign_out(request: HttpRequest) -> None:
    """End the session."""
    request.session.flush()
