"""The sign-ins of an account (登录列表): each can be seen and ended by its owner, and ends with the account's."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from plumbline.web.accounts.limits import session_rules
from plumbline.web.accounts.models import Account, SignIn
from plumbline.web.formats import local_time

#: Where a session says which sign-in it belongs to, and how many others were open when it began.
SIGN_IN, ELSEWHERE = "sign_in", "elsewhere"
CROWDED = "这个账号又在别处登录，同时登录的太多，最早的一次已结束。不是您本人的话，请改密码并告诉安全管理员。"
#: So often is a sign-in in use written down.
NOTED_EACH_S = 60
#: Told once after a sign-in: when and from where the one before was.
BEFORE = "sign_in_before"


def begin(request: HttpRequest, account: Account, address: str) -> int:
    """Remember a sign-in; returns how many others of the account are open. Beyond the limit the oldest of them end."""
    before = SignIn.objects.filter(account=account).first()
    if before is not None:
        request.session[BEFORE] = {"at": before.begun_at.isoformat(), "address": before.address}
    room = session_rules(account.division).concurrent - 1
    crowded = [each.key for each in open_sign_ins(account)[room:]]
    SignIn.objects.filter(pk__in=crowded).update(ended_at=datetime.now(UTC), ended_because=CROWDED)
    request.sign_ins_crowded = len(crowded)  # type: ignore[attr-defined]
    others = open_sign_ins(account).count()
    key = request.session[SIGN_IN] = secrets.token_hex(16)
    request.session[ELSEWHERE] = others
    agent = str(request.META.get("HTTP_USER_AGENT", ""))[:120]
    SignIn.objects.create(key=key, account=account, address=address, agent=agent)
    return others


def before_text(told: object) -> str:
    """The sign-in before this one, in one sentence; empty when there was none."""
    if not isinstance(told, dict):
        return ""
    at = local_time(datetime.fromisoformat(told["at"]))
    refused = f"，此后有 {told['failures']} 次登录没有成功" if told.get("failures") else ""
    return f"上次登录：{at}，地址 {told['address']}{refused}。"


def _not_ended(account: Account) -> QuerySet[SignIn]:
    """The sign-ins of an account that nobody ended and that are not too old, newest first."""
    since = datetime.now(UTC) - timedelta(seconds=session_rules(account.division).absolute_s)
    return SignIn.objects.filter(account=account, ended_at=None, begun_at__gt=since)


def open_sign_ins(account: Account) -> QuerySet[SignIn]:
    """Those of them that are in use: a browser that was closed takes no place and is no other place."""
    idle = timedelta(seconds=session_rules(account.division).idle_s + 2 * NOTED_EACH_S)
    used = _not_ended(account).annotate(used_at=Coalesce("seen_at", "begun_at"))
    return used.filter(used_at__gt=datetime.now(UTC) - idle)


def note_use(key: object) -> None:
    """Remember that a sign-in is in use."""
    if isinstance(key, str):
        SignIn.objects.filter(pk=key).update(seen_at=datetime.now(UTC))


def why_ended(key: object) -> str:
    """Why a session's sign-in no longer holds; empty while it does."""
    found = SignIn.objects.filter(pk=key).first() if isinstance(key, str) else None
    if found is None or found.ended_at is not None:
        told = found.ended_because if found else ""
        return told or "这次登录已被结束，请重新登录。"
    return ""


def end(account: Account, *, key: str = "", keep: str = "") -> int:
    """End one sign-in of the account, or all but the one to keep; returns how many. Their sessions end with the next request."""
    found = _not_ended(account).exclude(pk=keep)
    return found.filter(**({"pk": key} if key else {})).update(ended_at=datetime.now(UTC))
