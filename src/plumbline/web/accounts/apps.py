"""Django app of the accounts (账号应用): each sign-in is remembered, so that it can be seen and ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.apps import AppConfig
from django.http import HttpRequest


class AccountsConfig(AppConfig):
    """Accounts, with their tables in schema `web`."""

    name = "plumbline.web.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the signals; imports wait until the apps are loaded."""
        from allauth.account.signals import password_changed
        from allauth.mfa import signals as factors
        from django.contrib.auth.signals import user_logged_in, user_logged_out

        user_logged_in.connect(_begun, dispatch_uid="sign-in-begun")
        user_logged_out.connect(_ended, dispatch_uid="sign-in-ended")
        password_changed.connect(_renewed, dispatch_uid="sign-in-renewed")
        for each in (factors.authenticator_added, factors.authenticator_removed, factors.authenticator_reset):
            each.connect(_factor_changed, dispatch_uid="sign-in-factor")


def _begun(request: HttpRequest, user: Any, **_: object) -> None:
    from plumbline.web.accounts import sign_ins
    from plumbline.web.accounts.adapter import client_address

    sign_ins.begin(request, user, client_address(request))


def _ended(request: HttpRequest, user: Any, **_: object) -> None:
    from plumbline.web.accounts import sign_ins

    request.signed_out = True  # type: ignore[attr-defined]
    key = str(request.session.get(sign_ins.SIGN_IN, ""))
    if user is not None and key:
        sign_ins.end(user, key=key)


def _factor_changed(request: HttpRequest, user: Any, **_: object) -> None:
    """A second factor came, went or was made anew: the other sign-ins end."""
    from plumbline.web.accounts import sign_ins

    sign_ins.end(user, keep=str(request.session.get(sign_ins.SIGN_IN, "")))


def _renewed(request: HttpRequest, user: Any, **_: object) -> None:
    """The owner chose a new password: its time begins anew, and the other sign-ins end."""
    from plumbline.web.accounts import sign_ins

    user.password_set_at = datetime.now(UTC)
    user.save(update_fields=["password_set_at"])
    sign_ins.end(user, keep=str(request.session.get(sign_ins.SIGN_IN, "")))
