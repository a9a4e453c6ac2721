"""The sign-ins of an account (登录列表): each can be seen and ended by its owner, and ends with the account's."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet
from django.http import HttpRequest

from plumbline.web.accounts.models import Account, SignIn

#: Where a session says which sign-in it belongs to, and how many others were open when it began.
SIGN_IN, ELSEWHERE = "sign_in", "elsewhere"
#: No session lasts longer.
LONGEST = timedelta(hours=12)


def begin(request: HttpRequest, account: Account, address: str) -> int:
    """Remember a sign-in; returns how many others of the account are open."""
    others = open_sign_ins(account).count()
    key = request.session[SIGN_IN] = secrets.token_hex(16)
    request.session[ELSEWHERE] = others
    agent = str(request.META.get("HTTP_USER_AGENT", ""))[:120]
    SignIn.objects.create(key=key, account=account, address=address, agent=agent)
    return others


def open_sign_ins(account: Account) -> QuerySet[SignIn]:
    """The sign-ins of an account that nobody ended and that are not too old, newest first."""
    since = datetime.now(UTC) - LONGEST
    return SignIn.objects.filter(account=account, ended_at=None, begun_at__gt=since)


def is_open(key: object) -> bool:
    """Whether a session's sign-in still holds."""
    return isinstance(key, str) and SignIn.objects.filter(pk=key, ended_at=None).exists()


def end(account: Account, *, key: str = "", keep: str = "") -> int:
    """End one sign-in of the account, or all but the one to keep; returns how many. Their sessions end with the next request."""
    found = open_sign_ins(account).exclude(pk=keep)
    return found.filter(**({"pk": key} if key else {})).update(ended_at=datetime.now(UTC))
