"""Django app of the administration pages (账号管理应用): every sign-in leaves an event in the audit trail."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.http import HttpRequest


class AdministrationConfig(AppConfig):
    """Listens to sign-ins."""

    name = "plumbline.supervision.administration"

    def ready(self) -> None:
        """Connect the signals; imports wait until the apps are loaded."""
        from allauth.account.signals import authentication_step_completed, password_changed
        from allauth.mfa import signals as factors
        from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

        _listen(password_changed, "account.password_changed")
        _listen(factors.authenticator_added, "second_factor.added")
        _listen(factors.authenticator_removed, "second_factor.removed")
        _listen(factors.authenticator_reset, "second_factor.codes_renewed")
        _listen(factors.authentication_failed, "second_factor.refused", "refused")
        authentication_step_completed.connect(_confirmed, dispatch_uid="audit-confirmed")
        user_logged_in.connect(_begun, dispatch_uid="audit-begun")
        user_logged_out.connect(_ended, dispatch_uid="audit-ended")
        user_login_failed.connect(_refused, dispatch_uid="audit-refused")


def _listen(signal: Any, action: str, outcome: str = "done") -> None:
    """Record a signal that carries the request and the user."""

    def heard(request: HttpRequest, user: Any, authenticator: Any = None, **_: object) -> None:
        _record(request, user.username, action, outcome, kind=str(getattr(authenticator, "type", "")))

    signal.connect(heard, weak=False, dispatch_uid=f"audit-{action}")


def _begun(request: HttpRequest, user: Any, **_: object) -> None:
    from plumbline.supervision.administration import trail
    from plumbline.supervision.administration.confirmation import note
    from plumbline.web.accounts.sign_ins import BEFORE, ELSEWHERE

    note(request)  # whoever signs in has just proved who it is
    if before := request.session.get(BEFORE):
        request.session[BEFORE] = before | {"failures": trail.refused_since(user.username, before["at"])}
    if crowded := int(getattr(request, "sign_ins_crowded", 0)):
        _record(request, user.username, "session.ended_by_limit", count=str(crowded))
    others = request.session.get(ELSEWHERE, 0)
    _record(request, user.username, "session.begun", elsewhere=str(others) if others else "")


def _confirmed(request: HttpRequest, user: Any, *, reauthenticated: bool = False, **_: object) -> None:
    """Whoever is signed in has proved again who it is; the steps of a sign-in end in an event of their own."""
    if reauthenticated:
        _record(request, user.username, "session.confirmed")


def _ended(request: HttpRequest, user: Any, **_: object) -> None:
    if user is not None:
        _record(request, user.username, "session.ended")


def _refused(credentials: dict[str, Any], request: HttpRequest | None = None, **_: object) -> None:
    if request is not None:
        from plumbline.exchange.masking import kept_name

        name = kept_name(str(credentials.get("username") or credentials.get("login") or ""))
        _record(request, name, "session.refused", outcome="refused")


def _record(request: HttpRequest, name: str, action: str, outcome: str = "done", **told: str) -> None:
    from plumbline.supervision.administration.trail import record
    from plumbline.web.accounts.adapter import client_address

    detail = {key: value for key, value in told.items() if value}
    record(request, name, action, name, outcome, address=client_address(request), **detail)
