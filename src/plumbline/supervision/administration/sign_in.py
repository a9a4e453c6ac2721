"""What the authority's platform asks of a sign-in beyond the password (登录的附加规定): an account that nobody used is stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse

from plumbline.supervision.access.grants import grants_of
from plumbline.supervision.access.profile import profile_at
from plumbline.supervision.access.terms import is_dormant
from plumbline.web.accounts.adapter import AccountAdapter, client_address
from plumbline.web.accounts.models import Account

DORMANT = "长期没有登录，自动停用"


class SupervisionAccountAdapter(AccountAdapter):
    """Sign-in of the authority's platform."""

    @property
    def error_messages(self) -> dict[str, str]:  # type: ignore[override]
        """What is told of a wrong password, with the rule that holds."""
        rule = profile_at("", datetime.now(UTC)).lockout_rule
        return AccountAdapter.error_messages | {
            "username_password_mismatch": f"登录名或密码不对。{rule}",
            "too_many_login_attempts": rule,
        }

    def pre_login(self, request: HttpRequest, user: Account, **named: Any) -> HttpResponse | None:
        """Stop an account that has not been used for long, before it is let in; the system administrator lets it in again."""
        if user.is_active and is_dormant(user, datetime.now(UTC)):
            _stop(request, user)
        answer: HttpResponse | None = super().pre_login(request, user, **named)
        return answer


def _stop(request: HttpRequest, account: Account) -> None:
    from plumbline.supervision.administration.services import AdministrationRefused, require_successor
    from plumbline.supervision.administration.trail import record

    try:
        for granted in grants_of(account):
            require_successor(account, granted.role)
    except AdministrationRefused:
        return  # the last one of an office: without it nobody could let anybody in again
    account.suspended_at, account.suspended_because = datetime.now(UTC), DORMANT
    account.save(update_fields=["suspended_at", "suspended_because"])
    record(
        request,
        account.username,
        "account.suspended",
        account.username,
        because=DORMANT,
        address=client_address(request),
    )
