"""Time as a port (时钟): PostgreSQL's clock under the head lock; in a demo log the sender's stated time, in order.

Only a log whose origin begins `demo.` may run a shifted clock; the origin stands in every checkpoint and receipt, and the
verifier prints 演示数据.

What cannot be told: a process that was started after the step has no baseline, so that it takes a forward step of database and host
together for time that passed; a step of the database alone shows against the host's clock (2 s). A step that the log has already taken
in, because another process saw it confirmed, is no step any more: time is then measured from the log's own last entry.

A confirmation is an instant at which a person held the clock against another one. It is kept with the host's time since boot, so that
every process of that host measures from it as from its own last look, however long ago that was: one confirmation is enough for all of
them, and a later step is a step again. Another host cannot compare the time since boot; there it holds for ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import psycopg

MAX_STEP_BACK = timedelta(seconds=5)
MAX_HOST_SKEW = timedelta(seconds=2)
MAX_STEP_FORWARD = timedelta(hours=1)
#: How long a confirmation holds where its time since boot cannot be compared.
CONFIRMED_FOR = timedelta(minutes=10)
#: Between the look at the clock and the entry that corrects the log to it.
CORRECTED_WITHIN = timedelta(minutes=1)
#: The newest confirmation of this host (`boot`), without one the newest of any; and the newest of another host: that of one displaces
#: no other's. By number, for the time of some may be a wrong one.
NEWEST_CONFIRMED = """
SELECT at, boot, since_boot,
       (SELECT o.at FROM ops.clock_confirmed o WHERE o.boot IS DISTINCT FROM %(boot)s ORDER BY o.number DESC LIMIT 1) AS elsewhere
  FROM ops.clock_confirmed ORDER BY (boot IS NOT DISTINCT FROM %(boot)s) DESC, number DESC LIMIT 1
"""


#: The database's clock, the log's newest time and the newest confirmations. What a demo's clock is put forward by is no fault of any clock.
CLOCKS = f"""
SELECT clock_timestamp(), last_time - COALESCE((SELECT ahead FROM ops.demo_clock), '0'), c.at, c.boot, c.since_boot, c.elsewhere
  FROM journal.head LEFT JOIN ({NEWEST_CONFIRMED}) c ON true
 WHERE single
"""


class ClockProblem(RuntimeError):
    """The clock took a step that nobody explained; nothing is appended until it is settled."""


class Clock(Protocol):
    """What instant an entry is logged at."""

    def now(self) -> datetime:
        """This host's time, UTC; used for receiving, never for the log."""
        ...


class SystemClock:
    """The host's real time."""

    def now(self) -> datetime:
        """UTC now."""
        return datetime.now(UTC)


def _since_boot() -> float:
    """Seconds that passed, those in which the machine slept included; where the system has no such clock, monotonic time."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@cache
def boot_id() -> str:
    """What tells this start of the machine from every other one; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def confirm(conn: psycopg.Connection, by: str) -> None:
    """Keep that the clock was looked at now, as plumb_owner on the host whose clock it is."""
    conn.execute(
        "INSERT INTO ops.clock_confirmed (by_whom, boot, since_boot) VALUES (%s, %s, %s)",
        [by, boot_id() or None, _since_boot()],
    )


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A person held the clock against another one: at this instant of the database's clock it was right."""

    at: datetime
    #: Which start of which machine, and its seconds since then; empty and None where that is not known.
    boot: str = ""
    since_boot: float | None = None
    #: The newest of another host, as its `at`; None where there is none.
    elsewhere: datetime | None = None

    @classmethod
    def of(cls, row: Sequence[Any]) -> Confirmed | None:
        """From a row of `NEWEST_CONFIRMED`; None where there is none."""
        at, boot, since, elsewhere = row
        return None if at is None else cls(at, boot or "", since, elsewhere)

    @property
    def is_of_this_boot(self) -> bool:
        """Whether its time since boot may be held against ours."""
        return bool(self.boot) and self.boot == boot_id() and self.since_boot is not None

    def holds_for_another(self, now: datetime) -> bool:
        """Whether a person looked at the clock on another host a short time ago."""
        at = self.elsewhere if self.is_of_this_boot else self.at
        return at is not None and timedelta(0) <= now - at <= CONFIRMED_FOR


def require_plausible(database_now: datetime, last_time: datetime, host_now: datetime) -> None:
    """Raise :class:`ClockProblem` when the clocks cannot be right: behind the log's last entry, or apart from each other."""
    if last_time - database_now > MAX_STEP_BACK:
        raise ClockProblem(
            f"数据库时钟比日志最后一条慢 {last_time - database_now}；"
            "核对过现在的时钟是对的、是以前走快了，请两人执行 plumbline log clock-correct"
        )
    require_same_time(database_now, host_now)


def require_same_time(database_now: datetime, host_now: datetime) -> None:
    """Raise :class:`ClockProblem` when the host's clock is not the database's."""
    if abs(host_now - database_now) > MAX_HOST_SKEW:
        raise ClockProblem(f"本机时钟与数据库相差 {host_now - database_now}")


@dataclass(slots=True)
class ClockWatch:
    """Remembers the last batch to tell a real step of the database's clock from time that passed.

    `began`: this host's time when the process started, against which the first batch is held.
    """

    began: InitVar[datetime | None] = None
    _seen: tuple[float, datetime] | None = field(default=None, init=False)

    def __post_init__(self, began: datetime | None) -> None:
        """A process that has appended nothing yet has seen time pass all the same."""
        if began is not None:
            self._seen = (_since_boot(), began)

    def check(
        self, database_now: datetime, last_time: datetime, host_now: datetime, *, confirmed: Confirmed | None
    ) -> datetime:
        """`logged_at` for a batch: max(database_now, last_time), or :class:`ClockProblem` with the reason (PROTOCOL §2.3)."""
        require_plausible(database_now, last_time, host_now)
        passed = _since_boot()
        if database_now - last_time > MAX_STEP_FORWARD:
            self._require_explained(passed, database_now, confirmed)
        self._seen = (passed, database_now)
        return max(database_now, last_time)

    def _require_explained(self, passed: float, now: datetime, confirmed: Confirmed | None) -> None:
        """Time must have passed since this process last looked, or since a person did, whichever is later."""
        if self._seen is None:
            return
        unexplained = _unexplained(self._seen, passed, now)
        if confirmed is not None and confirmed.is_of_this_boot:
            assert confirmed.since_boot is not None
            told = _unexplained((confirmed.since_boot, confirmed.at), passed, now)
            # Where the clock has been put back since, what was confirmed is of a time that is no more.
            if confirmed.since_boot >= self._seen[0] and told >= -MAX_STEP_FORWARD:
                unexplained = told
        if confirmed is not None and confirmed.holds_for_another(now):
            return
        if unexplained > MAX_STEP_FORWARD:
            raise ClockProblem(f"数据库时钟向前跳了 {unexplained}，请核对后执行 plumbline log clock-confirm")


def _unexplained(base: tuple[float, datetime], passed: float, now: datetime) -> timedelta:
    """What of the time between two looks (seconds since boot, the clock) did not pass."""
    return (now - base[1]) - timedelta(seconds=passed - base[0])
