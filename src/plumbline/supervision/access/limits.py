"""What the login part asks for by name (登录限制): limits of the security profile for failures and sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest

from plumbline.supervision.access.profile import Profile, profile_at
from plumbline.web.accounts.limits import SessionRules


def _now(division: str = "") -> Profile:
    return profile_at(division, datetime.now(UTC))


def failure_limit(request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
    """How many wrong passwords lock an account at an address."""
    return _now().lockout_failures


def cooling_time(request: HttpRequest | None = None) -> timedelta:
    """How long it stays locked."""
    return timedelta(minutes=_now().lockout_minutes)


def session_rules(division: str) -> SessionRules:
    """When a sign-in of an account of this division ends."""
    rule = _now(division)
    return SessionRules(
        idle_s=rule.idle_minutes * 60,
        absolute_s=rule.absolute_hours * 3600,
        concurrent=rule.concurrent_sessions,
        word=rule.session_rule,
    )
