"""The security profile (账号安全参数): passwords, lockout, sessions and administrators' addresses as one named, dated set.

Which set holds is the operator's choice (`--profile`); its numbers are parameters, so a place may have others from a day on.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from plumbline.domain.basics.calendar import local_date
from plumbline.supervision.config import DEFAULT_PROFILE
from plumbline.supervision.rules import parameters

#: Every set has it: by this a set is known.
_FIRST = "password_min_length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The numbers of one set that hold in one place on one day."""

    name: str
    password_min_length: int
    #: Of small letters, capital letters, digits and everything else: how many kinds a password has at least.
    password_classes: int
    #: How many passwords back one may not be taken again, the present one included.
    password_history: int
    #: 0 when passwords do not grow old.
    password_max_days: int
    lockout_failures: int
    lockout_minutes: int
    idle_minutes: int
    absolute_hours: int
    concurrent_sessions: int
    account_dormant_days: int
    #: Whether a list of the administrators' source addresses has to be configured.
    admin_addresses_required: bool

    @property
    def password_rule(self) -> str:
        """The rule for passwords in one sentence: page texts and refusals say the same."""
        kinds = (
            f"小写字母、大写字母、数字、其他字符至少 {self.password_classes} 类，"
            if self.password_classes > 1
            else ""
        )
        return (
            f"至少 {self.password_min_length} 位，{kinds}不能全是数字，不能是常见密码，不能含登录名、岗位和平台名，"
            f"不能与最近 {self.password_history} 个密码相同（{self.name}）。"
        )

    @property
    def lockout_rule(self) -> str:
        """What happens after wrong passwords, in one sentence."""
        return f"连续输错 {self.lockout_failures} 次要等 {self.lockout_minutes} 分钟，或请安全管理员解锁（{self.name}）。"

    @property
    def session_rule(self) -> str:
        """When a sign-in ends, in one sentence."""
        return (
            f"{self.idle_minutes} 分钟不动、满 {self.absolute_hours} 小时都要重新登录，"
            f"同一账号最多 {self.concurrent_sessions} 处同时登录（{self.name}）。"
        )

    def is_password_old(self, set_at: datetime | None, now: datetime) -> bool:
        """Whether a password set at this time has to be changed; at the last day it still holds."""
        if set_at is None or self.password_max_days == 0:
            return False
        return now - set_at > timedelta(days=self.password_max_days)

    def is_dormant(self, last_used: datetime, now: datetime) -> bool:
        """Whether an account last used then is stopped."""
        return now - last_used > timedelta(days=self.account_dormant_days)


def profile_names() -> list[str]:
    """The sets that there are."""
    return sorted(
        {name for each in parameters() for name, _, what in [each.key.partition(".")] if what == _FIRST}
    )


def profile_of(name: str, division: str, on: date) -> Profile:
    """The set of this name as it holds in a division on a day; raises `MissingParameterError` for an unknown one."""
    known = parameters()
    values: dict[str, int | bool] = {}
    for field, kind in Profile.__annotations__.items():
        if field != "name":
            found = known.value(f"{name}.{field}", division, on)
            values[field] = found.flag if kind == "bool" else found.integer
    return Profile(name=name, **values)  # type: ignore[arg-type]


def profile_at(division: str, now: datetime) -> Profile:
    """The set of the running platform for an account of a division."""
    from django.conf import settings

    platform = getattr(settings, "PLUMBLINE_PLATFORM", None)
    return profile_of(getattr(platform, "profile", DEFAULT_PROFILE), division or "CN", local_date(now))


def is_listed(address: str, networks: Sequence[str]) -> bool:
    """Whether an administrator may act from this address; without a list from anywhere. What is no address is on no list."""
    if not networks:
        return True
    try:
        own = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(own, "ipv4_mapped", None)
    return any((mapped or own) in ipaddress.ip_network(each) for each in networks)


def network_problem(text: str) -> str:
    """What is wrong with an address or network that an operator wrote; empty when nothing is."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return f"{text!r} 不是地址或网段，写成 10.1.2.0/24 或 10.1.2.3（网段的主机位要为 0）"
    if network.prefixlen == 0:
        return f"{text} 是所有地址，等于没有限制；不限制就不要写"
    return ""
