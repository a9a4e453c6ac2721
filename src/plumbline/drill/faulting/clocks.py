"""Steps of the clock (时钟跳变): no entry in a time that was not; the sender is told to come again; nothing is started anew."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx

from plumbline.drill.faulting.course import Course

_DAY, _HOUR = 86_400, 3600
#: Clocks of gateways.
_GATEWAYS = {"host": 0, "other": 1}
#: What the real clock may say later than the log, and no more.
_SLACK = timedelta(seconds=2)


def _set(course: Course, **clocks: int) -> None:
    """Set clocks by name, and wait until those who have them see it."""
    for name, seconds in clocks.items():
        course.ground.set(name, seconds)
    for name, seconds in clocks.items():
        now = (
            partial(_gateway_now, course, _GATEWAYS[name])
            if name in _GATEWAYS
            else partial(_database_now, course)
        )
        course.site.wait(partial(_is_at, now, seconds), f"{name} 看到时钟")


def _all(course: Course, seconds: int) -> None:
    _set(course, host=seconds, other=seconds, database=seconds)


def _is_at(now: Callable[[], datetime], ahead: int) -> bool:
    return abs((now() - datetime.now(UTC)).total_seconds() - ahead) < 5


def _database_now(course: Course) -> datetime:
    now: datetime = course.site.rows("SELECT clock_timestamp()")[0][0]
    return now


def _gateway_now(course: Course, number: int) -> datetime:
    answer = httpx.get(f"http://127.0.0.1:{course.site.ports[number]}/x/v1/time", trust_env=False, timeout=5)
    return datetime.fromisoformat(answer.json()["now"])


def _in_order(course: Course, *, ahead: int = 0) -> None:
    """Times of the log never go back, and none lies in the future."""
    times = [row[0] for row in course.site.rows("SELECT logged_at FROM journal.leaf ORDER BY epoch, idx")]
    back = sum(later < earlier for earlier, later in itertools.pairwise(times))
    course.require(not back, f"入账时间倒退 {back} 次")
    latest = datetime.now(UTC) + timedelta(seconds=ahead) + _SLACK
    course.require(times[-1] <= latest, f"最后一条入账在将来：{times[-1]}")


def _refused_until_back(course: Course, what: str, *, gateways: tuple[int, ...] = (0, 1)) -> None:
    """While the clock is off, messages and files are refused; set right, the same processes take the same messages."""
    size, before = course.size(), course.pids()
    wanted = [(course.ledger.next(course.site), number) for number in gateways]
    files = [(course.ledger.file(5000 + number), number) for number in gateways]
    for upload, number in (*wanted, *files):
        course.must_come_again(upload, what, number)
    course.require(course.size() == size, f"{what}仍然入了账")
    _all(course, 0)
    for upload, number in (*wanted, *files):
        course.delivered(upload, number)
    _in_order(course)
    course.require(course.pids() == before, "时钟复原以后，有进程重新启动过")


def before_anything(course: Course) -> None:
    """Forward by a day, before any of the processes has appended anything."""
    _all(course, _DAY)
    _refused_until_back(course, "整机前进一天，")


def back_an_hour(course: Course) -> None:
    """Back by an hour, database and host together."""
    course.some(4)
    _all(course, -_HOUR)
    _refused_until_back(course, "整机倒退一小时，")


def forward_a_day(course: Course) -> None:
    """Forward by a day, database and host together."""
    course.some(4)
    _all(course, _DAY)
    _refused_until_back(course, "整机前进一天，")


def database_alone(course: Course) -> None:
    """The database's clock alone, in both directions."""
    course.some(2)
    for seconds in (-_HOUR, -30, 30, _DAY):
        _set(course, database=seconds)
        _refused_until_back(course, f"数据库时钟差 {seconds} 秒，")


def one_gateway(course: Course) -> None:
    """One gateway's clock: it takes nothing, the other goes on."""
    for seconds in (600, -600):
        _set(course, other=seconds)
        upload = course.ledger.next(course.site)
        course.delivered(upload, 0)
        _refused_until_back(course, f"这个网关的时钟差 {seconds} 秒，", gateways=(1,))


def confirmed(course: Course) -> None:
    """A step that is right: an operator looks, confirms it, and the log goes on from there."""
    course.some(2)
    _all(course, 2 * _HOUR)
    upload = course.ledger.next(course.site)
    course.must_come_again(upload, "整机前进两小时，", saying="clock-confirm")
    argv = [sys.executable, "-m", "plumbline.cli", "log", "clock-confirm", "--by", "演练值班员"]
    data_dir = str(course.site.platform.data_dir)
    done = subprocess.run(
        [*argv, "--data-dir", data_dir], capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    course.require(done.returncode == 0, f"plumbline log clock-confirm：{done.stderr[-200:]}")
    course.delivered(upload)
    _in_order(course, ahead=2 * _HOUR)


CLOCKS = {
    "时钟：整机前进一天，进程还没有入过账": before_anything,
    "时钟：整机倒退一小时": back_an_hour,
    "时钟：整机前进一天": forward_a_day,
    "时钟：只有数据库": database_alone,
    "时钟：只有一个网关": one_gateway,
    "时钟：前进两小时，经人确认": confirmed,
}
