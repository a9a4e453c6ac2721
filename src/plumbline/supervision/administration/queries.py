"""What the administration pages show (账号管理的查询): accounts of one's own division and below."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.utils import is_mfa_enabled
from django.db import connection

from plumbline.supervision.access.grants import Grant, grants_of
from plumbline.supervision.access.principals import Principal, division_range
from plumbline.web.accounts.models import Account

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One account as lists and its own page show it."""

    username: str
    label: str
    division: str
    created_at: datetime
    created_by: str
    last_login: datetime | None
    suspended_at: datetime | None
    suspended_because: str
    has_password: bool
    has_second_factor: bool
    grants: tuple[Grant, ...]

    @property
    def standing(self) -> tuple[str, str]:
        """(tone, word): what an administrator has to know first."""
        if self.suspended_at:
            return "bad", "已停用"
        if not self.has_password:
            return "warn", "未设密码"
        if not self.grants:
            return "warn", "没有角色"
        return "ok", "可用"


def _in_scope(principal: Principal):  # type: ignore[no-untyped-def]
    low, high = division_range(principal.division)
    return Account.objects.filter(division__gte=low, division__lt=high) if low else Account.objects.none()


def account_of(principal: Principal, username: str) -> Account | None:
    """The account of a login name within the principal's division; None for any other, there or not.

    An account of a lower division may hold a role above: then it is the affair of whoever administers there.
    """
    account = _in_scope(principal).filter(username=username).first()
    return account if account is not None and _is_below(principal, grants_of(account)) else None


def _is_below(principal: Principal, grants: tuple[Grant, ...]) -> bool:
    low, high = division_range(principal.division)
    return all(low <= each.division < high for each in grants)


def account_rows(principal: Principal, *, text: str = "", after: str = "") -> list[AccountRow]:
    """At most `PAGE` accounts behind `after` whose login name or label contains `text`, in order of login names."""
    found = _in_scope(principal)
    if text:
        found = found.filter(username__icontains=text) | found.filter(label__icontains=text)
    if after:
        found = found.filter(username__gt=after)
    rows: list[AccountRow] = []
    for each in found.order_by("username").iterator(PAGE):
        row = account_row(each)
        if _is_below(principal, row.grants):
            rows.append(row)
        if len(rows) == PAGE:
            break
    return rows


def account_row(account: Account) -> AccountRow:
    """The row of one account."""
    return AccountRow(
        username=account.username,
        label=account.label,
        division=account.division,
        created_at=account.created_at,
        created_by=account.created_by,
        last_login=account.last_login,
        suspended_at=account.suspended_at,
        suspended_because=account.suspended_because,
        has_password=account.has_usable_password(),
        has_second_factor=is_mfa_enabled(account),
        grants=grants_of(account),
    )


#: Whose eyes nobody borrows: those who supervise.
AUTHORITIES = ("platform", "authority", "station")


def parties(principal: Principal, text: str = "", *, without: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(id, name) of at most 200 organisations of the division, by name: whom a role may stand for. `without`: kinds to leave out."""
    low, high = division_range(principal.division)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name FROM ops.parties_of(%s, %s, %s, %s::text[])", [low, high, text, list(without)]
        )
        return [(row[0], row[1]) for row in cursor.fetchall()]
