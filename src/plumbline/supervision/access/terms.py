"""How long an account and its password are good for (账号和密码的期限): days of the security profile, dated and per jurisdiction."""

from __future__ import annotations

from datetime import datetime

from plumbline.supervision.access.profile import profile_at
from plumbline.web.accounts.models import Account


def is_dormant(account: Account, now: datetime) -> bool:
    """Whether nobody has used the account for so long that it is stopped; a new one and one let in again count from then."""
    times = (account.last_login, account.password_set_at, account.reactivated_at, account.created_at)
    last = max(each for each in times if each is not None)
    return profile_at(account.division, now).is_dormant(last, now)


def is_password_old(account: Account, now: datetime) -> bool:
    """Whether the password has to be changed before anything else."""
    return profile_at(account.division, now).is_password_old(account.password_set_at, now)
