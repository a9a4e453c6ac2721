"""Steps of the clock (时钟跳变): no entry in a time that was not; the sender is told to come again; nothing is started anew."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import httpx

from plumbline.drill.faulting.course import Course
from plumbline.drill.faulting.second_factors import codes_of
from plumbline.drill.kill.ledger import Upload
from plumbline.exchange.messages.registry import RoleGranted

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
    """Times of the log never go back but at a correction, and the last does not lie in the future."""
    back = [index for index, kind in _steps_back(course) if kind != "clock.corrected"]
    course.require(not back, f"入账时间倒退 {len(back)} 次")
    last = course.site.rows("SELECT logged_at FROM journal.leaf ORDER BY epoch DESC, idx DESC LIMIT 1")[0][0]
    latest = datetime.now(UTC) + timedelta(seconds=ahead) + _SLACK
    course.require(last <= latest, f"最后一条入账在将来：{last}")


def _steps_back(course: Course) -> list[tuple[int, str]]:
    """Every entry that is earlier than the one before it: index and kind."""
    asked = (
        "SELECT l.idx, convert_from(e.message, 'UTF8')::jsonb->>'kind' FROM journal.entry e JOIN (SELECT idx, uid, sender_id, "
        "logged_at < lag(logged_at) OVER (ORDER BY epoch, idx) AS back FROM journal.leaf) l USING (uid, sender_id) WHERE l.back"
    )
    return list(course.site.rows(asked))


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
    _confirm(course)
    course.delivered(upload)
    _in_order(course, ahead=2 * _HOUR)


def _log(course: Course, *words: str, typed: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """`plumbline log …` as an operator calls it, who types these lines when asked."""
    argv = [sys.executable, "-m", "plumbline.cli", "log", *words]
    argv += ["--data-dir", str(course.site.platform.data_dir)]
    lines = "".join(f"{each}\n" for each in typed)
    return subprocess.run(argv, input=lines, capture_output=True, encoding="utf-8", timeout=120, check=False)


def _confirm(course: Course) -> None:
    done = _log(course, "clock-confirm", "--by", "演练值班员")
    course.require(done.returncode == 0, f"plumbline log clock-confirm：{done.stderr[-200:]}")


#: One confirms and corrects, one looks at it again.
_PEOPLE = {"drill.first": "1a" * 16, "drill.second": "2b" * 16}


def _hashed(password: str) -> str:
    """A password as accounts keep it; few iterations, since nobody is to be kept from finding it."""
    salt, iterations = secrets.token_hex(8), 1000
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return f"pbkdf2_sha256${iterations}${salt}${b64encode(digest).decode()}"


class Proof(NamedTuple):
    """What somebody types when asked who it is."""

    password: str
    #: Each replaces the authenticator once.
    codes: list[str]

    def lines(self) -> list[str]:
        """Password and a code that was not used before."""
        return [self.password, self.codes.pop()]


def _employ(course: Course) -> list[Proof]:
    """Two accounts that act for the operator; how each proves who it is."""
    site = course.site
    passwords = [secrets.token_urlsafe(18) for _ in _PEOPLE]
    for (login, person), password in zip(_PEOPLE.items(), passwords, strict=True):
        with course.as_owner() as conn:
            conn.execute(
                "INSERT INTO web.accounts_account (password, username, person, label, division, created_at, created_by, "
                "suspended_because, former_passwords) VALUES (%s, %s, %s, '值班', '610300', now(), 'drill', '', '[]')",
                [_hashed(password), login, person],
            )
        granted = {"person": person, "role": "officer", "party": site.station, "division": "610300"}
        site.desk(site.message(site.station, RoleGranted, **granted, capacity="值班员"))
    asked, people = "SELECT count(*) FROM fact.role_grant WHERE person = ANY (%s)", list(_PEOPLE.values())
    site.wait(lambda: site.rows(asked, people)[0][0] == len(people), "两个账号的角色入表")
    codes = codes_of(site.platform, list(_PEOPLE))
    return [Proof(*pair) for pair in zip(passwords, codes, strict=True)]


def lifted(course: Course) -> None:
    """A step that was wrong and confirmed all the same: entries are made, the clock is put right, two persons correct the log."""
    first, second = _employ(course)
    _all(course, _DAY)
    wrong = course.ledger.next(course.site)
    course.must_come_again(wrong, "整机前进一天，", saying="clock-confirm")
    _confirm(course)
    for number in _GATEWAYS.values():
        course.delivered(wrong if number == 0 else course.ledger.next(course.site), number)
    before = course.pids()
    _all(course, 0)
    size = course.size()  # nothing is entered from here on
    late = [(course.ledger.next(course.site), number) for number in _GATEWAYS.values()]
    for upload, number in late:
        course.must_come_again(upload, "时钟复原以后，", number, saying="clock-correct")
    signed = ["--by", "drill.first", "--because", "演练：时间源错了", "--yes"]
    alone = _log(course, "clock-correct", *signed, "--second", _PEOPLE["drill.first"])
    course.require(alone.returncode == 1 and course.size() == size, "一个人也能更正时钟")
    signed += ["--second", "drill.second"]
    for what, typed in (
        ("没有人输入密码", []),
        ("办理人输入的是别人的密码", second.lines()),
        ("办理人没有第二因素", [first.password, "0" * 8]),
        ("复核人没有输入密码", first.lines()),
        ("复核人输入的是办理人的密码", first.lines() + first.lines()),
        ("复核人没有第二因素", [*first.lines(), second.password, "0" * 8]),
    ):
        refused = _log(course, "clock-correct", *signed, typed=typed)
        course.require(refused.returncode == 1 and course.size() == size, f"{what}，也能更正时钟")
    done = _log(course, "clock-correct", *signed, typed=first.lines() + second.lines())
    course.require(done.returncode == 0, f"plumbline log clock-correct：{done.stderr[-200:]}")
    for upload, number in late:
        if not _soon(course, upload, number):
            course.require(False, f"更正以后，第 {number + 1} 个网关 {_SOON_S:.0f} 秒后仍不收")
            return
    again = _log(course, "clock-correct", *signed, typed=first.lines() + second.lines())
    course.require(again.returncode == 1, "没有走错的时间，仍然更正了一次")
    course.require(course.pids() == before, "更正以后，有进程重新启动过")
    steps = _steps_back(course)
    course.require(
        len(steps) == 1 and steps[0][0] >= size and steps[0][1] == "clock.corrected",
        f"入账时间应只在更正处回到现在，实际：{steps}",
    )
    _in_order(course)


#: Within so many seconds after a correction a message is taken, on a machine that is several times slower than ours.
_SOON_S = 40.0


def _soon(course: Course, upload: Upload, number: int) -> bool:
    until = time.monotonic() + _SOON_S
    while not course.attempt(upload, number).is_taken:
        if time.monotonic() > until:
            return False
        course.tend_for(0.3)
    return True


CLOCKS = {
    "时钟：整机前进一天，进程还没有入过账": before_anything,
    "时钟：整机倒退一小时": back_an_hour,
    "时钟：整机前进一天": forward_a_day,
    "时钟：只有数据库": database_alone,
    "时钟：只有一个网关": one_gateway,
    "时钟：走错并入了账，两个人更正": lifted,
    "时钟：前进两小时，经人确认": confirmed,
}
