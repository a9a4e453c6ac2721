"""How long an account and its password are good for (账号和密码的期限): days, dated and per jurisdiction, from the parameters."""

from __future__ import annotations

from datetime import datetime, timedelta

from plumbline.domain.basics.calendar import local_date
from plumbline.supervision.rules import parameters
from plumbline.web.accounts.models import Account


def _days(key: str, account: Account, now: datetime) -> timedelta:
    return timedelta(days=parameters().value(key, account.division, local_date(now)).integer)


def is_dormant(account: Account, now: datetime) -> bool:
    """Whether nobody has used the account for so long that it is stopped; a new one and one let in again count from then."""
    times = (account.last_login, account.password_set_at, account.reactivated_at, account.created_at)
    last = max(each for each in times if each is not None)
    return now - last > _days("account_dormant_days", account, now)


def is_password_old(account: Account, now: datetime) -> bool:
    """Whether the password has to be changed before anything else."""
    since = account.password_set_at
    return since is not None and now - since > _days("password_max_days", account, now)
