"""Time as a port (时钟): PostgreSQL's clock under the head lock; in a demo log the sender's stated time, in order.

Only a log whose origin begins `demo.` may run a shifted clock; the origin stands in every checkpoint and receipt, and the
verifier prints 演示数据.

What cannot be told: a process that was started after the step has no baseline, so that it takes a forward step of database and host
together for time that passed; a step of the database alone shows against the host's clock (2 s). A step that the log has already taken
in, because another process saw it confirmed, is no step any more: time is then measured from the log's own last entry.
"""

from __future__ import annotations

import time
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

MAX_STEP_BACK = timedelta(seconds=5)
MAX_HOST_SKEW = timedelta(seconds=2)
MAX_STEP_FORWARD = timedelta(hours=1)


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


def require_plausible(database_now: datetime, last_time: datetime, host_now: datetime) -> None:
    """Raise :class:`ClockProblem` when the clocks cannot be right: behind the log's last entry, or apart from each other."""
    if last_time - database_now > MAX_STEP_BACK:
        raise ClockProblem(f"数据库时钟比日志最后一条慢 {last_time - database_now}")
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
        self, database_now: datetime, last_time: datetime, host_now: datetime, *, confirmed: bool
    ) -> datetime:
        """`logged_at` for a batch: max(database_now, last_time), or :class:`ClockProblem` with the reason (PROTOCOL §2.3)."""
        require_plausible(database_now, last_time, host_now)
        passed = _since_boot()
        is_new_to_the_log = database_now - last_time > MAX_STEP_FORWARD
        if self._seen is not None and is_new_to_the_log and not confirmed:
            unexplained = (database_now - self._seen[1]) - timedelta(seconds=passed - self._seen[0])
            if unexplained > MAX_STEP_FORWARD:
                raise ClockProblem(
                    f"数据库时钟向前跳了 {unexplained}，请核对后执行 plumbline log clock-confirm"
                )
        self._seen = (passed, database_now)
        return max(database_now, last_time)
