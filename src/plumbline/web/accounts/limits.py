"""Limits of a sign-in (登录时限): how long it may be idle, how long it lasts, how many an account may have at once."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

#: Clocks of two hosts are never further apart; a session that began later than that began by a clock that was wrong.
_APART_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """The limits of one account's sign-ins; a product gives its own by `PLUMBLINE_SESSION_RULES`."""

    idle_s: int = 30 * 60
    absolute_s: int = 12 * 3600
    concurrent: int = 3
    #: The rule as a sentence, told to whoever was ended by it.
    word: str = ""

    def ended_because(self, *, since: float, seen: float, now: float) -> str:
        """Why a session that began at `since` and was last used at `seen` is over; empty while it is not."""
        if max(since, seen) - now > _APART_S:
            return "登录的时间在将来：服务器的时钟更正过，请重新登录。"
        if now - since > self.absolute_s:
            return f"登录已满 {self.absolute_s // 3600} 小时，请重新登录。{self.word}"
        if now - seen > self.idle_s:
            return f"已有 {self.idle_s // 60} 分钟没有操作，请重新登录。{self.word}"
        return ""


def session_rules(division: str) -> SessionRules:
    """The limits for an account of a division."""
    path = getattr(settings, "PLUMBLINE_SESSION_RULES", "")
    found: SessionRules = import_string(path)(division) if path else SessionRules()
    return found
