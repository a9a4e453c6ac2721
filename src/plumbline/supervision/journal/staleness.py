"""How long entries have waited for a cosigner (联署滞后): late is shown, too late stops codes, receiving never stops.

The rule counts external cosigners when there are any, and of them the one that is best up to date: one that follows is enough to make a
rewritten log show. Without a configured cosigner there is nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import psycopg

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.basics.parameters import ParameterSet

LATE, STOP = "cosigning.late", "cosigning.stop"
Level = Literal["fresh", "late", "stopped"]
_FOLLOWED = "SELECT name, is_external, behind_since, looked_at, clock_timestamp() AS now FROM ops.cosigner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far one cosigner has come."""

    name: str
    is_external: bool
    #: Since when entries wait for it; None when it has signed all.
    behind_since: datetime | None
    #: When the worker last looked after it.
    looked_at: datetime

    def waiting(self, now: datetime) -> timedelta:
        """How long the oldest entry has waited, or nobody has looked: what is not looked at may wait as well."""
        waits = now - self.behind_since if self.behind_since else timedelta(0)
        return max(waits, now - self.looked_at, timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The two limits in force somewhere on a day."""

    late: timedelta
    stop: timedelta
    clause: str

    @classmethod
    def of(cls, parameters: ParameterSet, division: str, on: date) -> Limits:
        """Both parameters are minutes."""
        late, stop = (parameters.value(key, division, on) for key in (LATE, STOP))
        return cls(
            late=timedelta(minutes=late.integer), stop=timedelta(minutes=stop.integer), clause=stop.clause
        )

    def level(self, waiting: timedelta | None) -> Level:
        """At a limit is still within it; None, no cosigner, is fresh."""
        if waiting is None or waiting <= self.late:
            return "fresh"
        return "late" if waiting <= self.stop else "stopped"


def backlog(followed: Iterable[Followed], now: datetime) -> timedelta | None:
    """How long entries have waited for the cosigner that is best up to date; None when there is no cosigner."""
    known = list(followed)
    counted = [each for each in known if each.is_external] or known
    return min((each.waiting(now) for each in counted), default=None)


def read_backlog(conn: psycopg.Connection[Any]) -> tuple[timedelta | None, datetime | None]:
    """(backlog, the database's now); the connection gives dictionaries."""
    found = conn.execute(_FOLLOWED).fetchall()
    if not found:
        return None, None
    now = found[0]["now"]
    fields = ("name", "is_external", "behind_since", "looked_at")
    return backlog([Followed(**{name: row[name] for name in fields}) for row in found], now), now


def stopping_reason(conn: psycopg.Connection[Any], parameters: ParameterSet, division: str) -> Finding | None:
    """Why no code is issued at the moment, or None."""
    waiting, now = read_backlog(conn)
    if waiting is None or now is None:
        return None
    limits = Limits.of(parameters, division, local_date(now))
    return reason(waiting, limits) if limits.level(waiting) == "stopped" else None


def reason(waiting: timedelta, limits: Limits) -> Finding:
    """The reason with which a code is withheld."""
    minutes, most = int(waiting.total_seconds() // 60), int(limits.stop.total_seconds() // 60)
    return Finding(
        code="log.not_cosigned",
        clause=limits.clause,
        severity=Severity.BLOCK,
        facts={"minutes": str(minutes), "limit": str(most)},
        sentence=f"存证日志已有 {minutes} 分钟没有得到外部联署，超过 {most} 分钟，暂停发码；报送照常接收",
        remedy="联署恢复后以新版本重新申请，或由监督人员放行；恢复与否见运行状态页",
    )
