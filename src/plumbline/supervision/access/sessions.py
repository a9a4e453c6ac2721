"""The principal of a request (会话中的身份): an account with the role that it chose, or a role card of the demo."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from plumbline.supervision.access.acting import take_off
from plumbline.supervision.access.grants import Grant, grants_of, stopped
from plumbline.supervision.access.principals import (
    ADMINISTRATORS,
    NEED_SECOND_FACTOR,
    PUBLIC,
    Principal,
    Role,
    division_range,
    from_session,
)
from plumbline.supervision.access.profile import is_listed
from plumbline.supervision.access.terms import is_password_old
from plumbline.web.accounts.adapter import client_address
from plumbline.web.accounts.models import Account
from plumbline.web.accounts.sign_ins import BEFORE, ELSEWHERE, SIGN_IN

_KEY = "principal"
#: Who acts for an organisation that an authority may suspend.
_MAY_BE_STOPPED = frozenset({Role.INSTITUTION, Role.PARTY})
#: What a session keeps when its owner changes roles: the sign-in, its proofs, when it began.
_STAYS = ("_auth_user", "account_authentication", "since", "seen", "confirmed", SIGN_IN, ELSEWHERE, BEFORE)
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
        return _card(request) if demo_is_open() else PUBLIC
    found = _granted(account, str(session.get(GRANT, "")))
    if found is not None and found.stopped:
        return _stopped(request, found.organisation, found.stopped)
    if found is not None and is_password_old(account, datetime.now(UTC)):
        request.password_is_old = True  # type: ignore[attr-defined]
        return PUBLIC
    principal = _principal(account, found)
    if principal.role in NEED_SECOND_FACTOR and not is_mfa_enabled(account):
        return PUBLIC  # who switches it off has no such role until it is on again
    if not may_administer_from(request, principal.role):
        request.address_refused = client_address(request)  # type: ignore[attr-defined]
        return PUBLIC
    return _viewed(session, principal)


def may_administer_from(request: HttpRequest, role: str) -> bool:
    """Whether a role may act from where the browser is: the three administrators from the listed addresses only."""
    platform = getattr(settings, "PLUMBLINE_PLATFORM", None)
    listed = getattr(platform, "admin_addresses", ())
    return role not in ADMINISTRATORS or is_listed(client_address(request), listed)


def _card(request: HttpRequest) -> Principal:
    """Whom a role card of the demo stands for, unless that organisation is suspended."""
    principal = from_session(request.session.get(_KEY))
    because = stopped(principal.party) if principal.role in _MAY_BE_STOPPED else ""
    return _stopped(request, principal.organisation, because) if because else principal


def _stopped(request: HttpRequest, organisation: str, because: str) -> Principal:
    """Nobody: who acts for a suspended organisation is told so, and sees what the public sees."""
    request.organisation_stopped = (organisation, because)  # type: ignore[attr-defined]
    return PUBLIC


def _viewed(session: SessionBase, principal: Principal) -> Principal:
    """What an officer looks with, as long as the organisation lies in the division of the role that the officer acts in now."""
    viewed = from_session(session.get(VIEWED))
    low, high = division_range(principal.division)
    if viewed.is_signed_in and principal.role is Role.OFFICER and low and low <= viewed.division < high:
        return replace(viewed, viewed_by=principal.account)
    return principal


def acting(account: Account, grant: str) -> Principal:
    """What an account is under one of its roles; the public when the role is not its own, has ended or its organisation is suspended."""
    return _principal(account, _granted(account, grant))


def _granted(account: Account, grant: str) -> Grant | None:
    return next((each for each in grants_of(account) if each.id == grant), None)


def _principal(account: Account, found: Grant | None) -> Principal:
    if found is None or found.stopped:
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


def begin_acting(request: HttpRequest, grant: str) -> None:
    """Act in a role from now on; of the role before nothing is left in the session but who signed in and how."""
    for name in [each for each in request.session.keys() if not each.startswith(_STAYS)]:
        del request.session[name]
    request.session[GRANT] = grant
    request.session.cycle_key()


def sign_in(request: HttpRequest, principal: Principal) -> None:
    """Begin a new session for a principal; the old one and its form token are gone."""
    take_off()
    toured = request.session.get(TOUR)
    _end(request)
    if toured:
        request.session[TOUR] = toured
    request.session[_KEY] = principal.as_session()
    rotate_token(request)


def sign_out(request: HttpRequest) -> None:
    """End the session."""
    _end(request)


def _end(request: HttpRequest) -> None:
    """End the session of a role card, or of an account: that one is a sign-in, and its end stands in the audit trail."""
    account = getattr(request, "user", None)
    if account is not None and account.is_authenticated:
        logout(request)
    else:
        request.session.flush()
