"""Clock and outage tools of a demo (时钟与断网工具): put the clock forward, cut and heal a line, stop the platform for days.

Refused on everything but a demo that runs and whose city is whole.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from plumbline.demo.cast import PartyKey
from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.clients import PARTIES, Clients, Sender, open_clients
from plumbline.demo.keys import institution_folder
from plumbline.demo.lateness import Outage, Upload, counted
from plumbline.demo.live_press import live_plan
from plumbline.demo.living.enrol import city_enrolment
from plumbline.demo.living.town import City, Team, build_city
from plumbline.demo.outbox import Outbox, QueueingSender
from plumbline.demo.running import running_platform
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.supervision.city_progress import read_progress
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.demo_clock import DemoClock, read_demo_clock, set_demo_clock
from plumbline.web.formats import local_time

LONGEST_AHEAD = timedelta(days=60)
_SPAN = re.compile(r"([1-9][0-9]{0,3})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
#: Before the stop one institution keeps a test to itself for this long: it is late, and no outage explains it.
KEPT_BACK = timedelta(hours=30)


def _refuse(chinese: str, english: str) -> EmbeddedProblem:
    return EmbeddedProblem(chinese, english)


def span_of(text: str) -> timedelta:
    """``3d``, ``12h``, ``30m``. EmbeddedProblem for anything else."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise _refuse(f"时长 {text!r} 不对：写成 3d、12h 或 30m。", "A span is written 3d, 12h or 30m.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo that runs, with its city."""

    platform: Platform
    city: City

    @classmethod
    def open(cls, data_dir: Path) -> Stage:
        """The demo of a folder. EmbeddedProblem: production data, nothing running, no city, or one that is still being filled."""
        platform = running_platform(data_dir)
        if platform is None or not platform.demo:
            raise _refuse(
                "这个文件夹没有正在运行的演示。时钟和断网工具只用于演示，请先 ./plumb demo。",
                "No demo runs on this folder; these tools are for demos alone.",
            )
        kept, known = platform.data_dir / "city" / "city.json", read_progress(platform.data_dir)
        if not kept.exists() or known is None or known.phase != "done":
            raise _refuse(
                "演示城市还没有补齐，时间还在它的故事里。等终端或首页说完成以后再用。",
                "The city is still being filled; wait until it is whole.",
            )
        told = json.loads(kept.read_text("utf-8"))
        return cls(platform, build_city(told["seed"], told["scale"], date.fromisoformat(told["today"])))

    @property
    def folder(self) -> Path:
        """Where cuts and outages are kept."""
        return self.platform.data_dir / "city"

    def clock(self) -> DemoClock:
        """The demo's clock as it is now."""
        with psycopg.connect(self.platform.conninfo("plumb_gateway")) as conn:
            return read_demo_clock(conn)

    def set_clock(self, clock: DemoClock, action: str) -> None:
        """Set it, with an audit event."""
        with psycopg.connect(self.platform.conninfo("plumb_migrate")) as conn:
            set_demo_clock(
                conn, by="cli", ahead=clock.ahead, stopped_since=clock.stopped_since, action=action
            )

    def team(self, name: str) -> Team:
        """A project of the institution of that full or short name. EmbeddedProblem lists the names that there are."""
        for house in self.city.houses:
            if name in (house.organisation.name, house.organisation.short_name):
                return self.team_of(house.number)
        names = "、".join(house.organisation.short_name for house in self.city.houses)
        raise _refuse(f"没有叫 {name!r} 的检测机构。有：{names}。", "There is no institution of that name.")

    def team_of(self, house: int) -> Team:
        """The first project of an institution."""
        own = (team for team in self.city.teams if team.house.number == house)
        return next(own, None) or self.city.team_of(0, house)

    def outbox(self, team: Team) -> Outbox:
        """The queue of a team's institution."""
        return Outbox(institution_folder(team.cast, self.platform.data_dir) / "outbox")

    def clients(self, team: Team) -> Clients:
        """Senders of a team's parties; a context manager."""
        ca = self.platform.data_dir / "tls" / "ca.pem"
        is_tls = self.platform.public_url.startswith("https")
        return open_clients(
            team.cast, self.platform.data_dir, self.platform.public_url, ca if is_tls else None
        )

    def chain(self, team: Team, clients: Clients) -> Chain:
        """The work of a team."""
        at = datetime.fromisoformat((self.folder / "enrolled").read_text("utf-8"))
        return Chain(clients, team.cast, city_enrolment(self.city, self.platform.data_dir, at))


def work_cut_off(stage: Stage, team: Team, ends_at: datetime, number: int, *, everybody: bool) -> None:
    """A test by an institution whose line is cut (or, `everybody`, while the platform is stopped): all of it waits.

    It goes as far as a report goes without the platform's answer: to its approval.
    """
    outbox = stage.outbox(team)
    with stage.clients(team) as clients:
        parties: dict[PartyKey, Sender] = {
            key: QueueingSender(
                inner=clients.parties[key],
                party=key,
                outbox=outbox,
                is_cut=lambda key=key: everybody or key == "institution",  # type: ignore[misc]
            )
            for key in PARTIES
        }
        plan = live_plan(team.cast, ends_at, number)
        steps = stage.chain(team, replace(clients, parties=parties)).steps(plan)
        while next(steps) < plan.times.applied:
            pass
    outbox.remember(ends_at, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """What came of a queue."""

    messages: int
    #: Of these the platform had already; always 0 unless a run was broken off.
    repeated: int
    reports: tuple[ChainResult, ...]


def catch_up(stage: Stage, team: Team) -> CaughtUp:
    """Send what waits, in order, then ask for the codes that had to wait for it."""
    outbox = stage.outbox(team)
    with stage.clients(team) as clients:
        sent = outbox.drain(clients.parties)
        chain, results = stage.chain(team, clients), []
        unfinished = outbox.unfinished()
        for ends_at, number in unfinished:
            plan, now = live_plan(team.cast, ends_at, number), stage.clock().now()
            # Cut off a moment ago: the approval's moment is still to come, and nobody applies before it.
            at = max(now, plan.times.approved + timedelta(milliseconds=200))
            time.sleep((at - now).total_seconds())
            times = replace(plan.times, applied=at, registered=at + timedelta(milliseconds=200))
            # What was sent before is recognised by its uid; application and registration are new.
            results.append(chain.run(replace(plan, times=times)))
        outbox.finished(unfinished)
    return CaughtUp(messages=len(sent), repeated=sum(each.duplicate for each in sent), reports=tuple(results))


def run_time(arguments: argparse.Namespace, say: Callable[[str], None] = print) -> int:
    """Show the demo's clock, or put it forward."""
    if arguments.value:
        raise _refuse(
            f"time 后面的 {arguments.value!r} 没有用上：拨快写 --forward 3d，拨到某时刻写 --to 2026-11-20T08:00。",
            "time takes --forward or --to.",
        )
    stage = Stage.open(Path(arguments.data_dir).absolute())
    clock = stage.clock()
    now = clock.now()
    if not (arguments.to or arguments.forward):
        say(f"演示时间 {local_time(now, 'second')}（北京时间），比真实时间快 {_span_text(clock.ahead)}。")
        return 0
    wanted = _instant(arguments.to) if arguments.to else now + span_of(arguments.forward)
    if wanted <= now:
        raise _refuse(
            f"只能往前拨：演示时间已经是 {local_time(now, 'second')}。",
            "The clock of a demo runs forward only.",
        )
    ahead = clock.ahead + (wanted - now)
    if ahead > LONGEST_AHEAD:
        raise _refuse(
            f"最多比真实时间快 {LONGEST_AHEAD.days} 天。要从头来请用 ./plumb demo --reset。",
            f"A demo runs at most {LONGEST_AHEAD.days} days ahead; begin again with --reset.",
        )
    stage.set_clock(replace(clock, ahead=ahead), "demo.time")
    say(f"演示时间拨到 {local_time(wanted, 'second')}（北京时间）。到期的事由后台随即入账。")
    return 0


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _refuse(
            f"--to {text!r} 不是时刻：写成 2026-11-25T08:00+08:00。",
            "--to takes an instant such as 2026-11-25T08:00+08:00.",
        ) from None
    # A time without a zone is meant as the city reads its clocks.
    return at if at.tzinfo else at.replace(tzinfo=UTC) - timedelta(hours=8)


def _span_text(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{span.days} 天 {hours - 24 * span.days:.0f} 小时" if span.days else f"{hours:.1f} 小时"


def _kept(path: Path) -> dict[str, str]:
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def _keep_cuts(folder: Path, known: dict[str, str]) -> None:
    temporary = folder / "cuts.tmp"  # the city's process reads it at any moment
    temporary.write_text(json.dumps(known, ensure_ascii=False), "utf-8")
    os.replace(temporary, folder / "cuts.json")


def cuts(folder: Path) -> dict[str, str]:
    """Institutions whose line is cut: short name → since when."""
    return _kept(folder / "cuts.json")


def run_cut(arguments: argparse.Namespace, say: Callable[[str], None] = print) -> int:
    """Cut the line of one institution: what it makes from now on waits."""
    stage = Stage.open(Path(arguments.data_dir).absolute())
    team = stage.team(_named(arguments))
    name, known = team.house.organisation.short_name, cuts(stage.folder)
    if name in known:
        raise _refuse(f"{name} 已经断网，先 plumbline demo heal {name}。", "Its line is cut already.")
    since = stage.clock().now()
    with stage.clients(team) as clients:  # there before the line goes, as in every city that was filled
        stage.chain(team, clients).work.ensure_contract(team.works.key, since)
    _keep_cuts(stage.folder, known | {name: since.isoformat()})
    _audit(stage, "demo.cut", team.cast.party("institution"))
    work_cut_off(stage, team, since, 0, everybody=False)
    say(
        f"{name} 断网。它照常试验，刚做了 1 组，{stage.outbox(team).waiting()} 条在本机排队，采集时间照记。"
        f"恢复：plumbline demo heal {name}"
    )
    return 0


def run_heal(arguments: argparse.Namespace, say: Callable[[str], None] = print) -> int:
    """Heal the line: what waited goes out in its order, with its own capture times."""
    stage = Stage.open(Path(arguments.data_dir).absolute())
    team = stage.team(_named(arguments))
    name, known = team.house.organisation.short_name, cuts(stage.folder)
    first, outbox = _size(stage), stage.outbox(team)
    if name in known:
        begins = datetime.fromisoformat(known.pop(name))
        _declare(stage, Outage(party=team.cast.party("institution"), begins=begins, ends=stage.clock().now()))
        _keep_cuts(stage.folder, known)
        _audit(stage, "demo.heal", team.cast.party("institution"))
    elif not outbox.waiting() and not outbox.unfinished():  # else catching up was broken off, and goes on
        raise _refuse(f"{name} 没有断网，也没有待传的数据。", "Its line is not cut, and nothing waits.")
    _tell(stage, [catch_up(stage, team)], first, say)
    return 0


def run_stop(arguments: argparse.Namespace, say: Callable[[str], None] = print) -> int:
    """Stop the platform for days, time-compressed: the institutions go on, then everything is caught up."""
    stage = Stage.open(Path(arguments.data_dir).absolute())
    span, clock = span_of(_named(arguments)), stage.clock()
    if clock.ahead + span > LONGEST_AHEAD:
        raise _refuse(
            f"最多比真实时间快 {LONGEST_AHEAD.days} 天。", "That is too far ahead of the real time."
        )
    begins = clock.now()
    first, teams = _size(stage), [stage.team_of(house.number) for house in stage.city.houses]
    stage.set_clock(replace(clock, stopped_since=begins), "demo.stop_platform")
    say(f"平台停机：{local_time(begins)} 起 {_span_text(span)}，各机构照常试验，数据在本机排队。")
    try:
        for team in teams:
            for day in range(max(1, span.days)):
                # Each at an instant of its own, so that no two share a uid.
                at = (
                    begins + span * (day + 0.5) / max(1, span.days) + timedelta(minutes=7 * team.house.number)
                )
                work_cut_off(stage, team, at, day, everybody=True)
        work_cut_off(stage, teams[-1], begins - KEPT_BACK, 1, everybody=True)
    finally:
        running = replace(clock, ahead=clock.ahead + span, stopped_since=None)
        stage.set_clock(running, "demo.resume_platform")
        ends = begins + span
        _declare(stage, Outage(party=None, begins=begins, ends=ends))
    waiting = sum(stage.outbox(team).waiting() for team in teams)
    say(f"平台恢复：{local_time(ends)}，{waiting} 条在排队，开始补传。")
    _tell(stage, [catch_up(stage, team) for team in teams], first, say)
    return 0


def resume_after_crash(platform: Platform) -> None:
    """Open a platform again whose simulated stop was broken off before its end; called when a demo starts."""
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        clock = read_demo_clock(conn)
    if clock.stopped_since is not None:
        with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
            set_demo_clock(
                conn, by="city", ahead=clock.ahead, stopped_since=None, action="demo.resume_platform"
            )


def _named(arguments: argparse.Namespace) -> str:
    if not arguments.value:
        raise _refuse(
            f"请写明对象：plumbline demo {arguments.what} {'3d' if arguments.what == 'stop-platform' else '机构简称'}。",
            "Name the institution, or how long the platform is stopped.",
        )
    return str(arguments.value)


def _audit(stage: Stage, action: str, subject: str) -> None:
    with psycopg.connect(stage.platform.conninfo("plumb_gateway")) as conn:
        conn.execute(
            "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) VALUES ('cli', %s, %s, 'done', 'cli')",
            [action, subject],
        )


def _declare(stage: Stage, outage: Outage) -> None:
    line = {"party": outage.party, "begins": outage.begins.isoformat(), "ends": outage.ends.isoformat()}
    with (stage.folder / "outages.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def outages(folder: Path) -> list[Outage]:
    """Every outage that was declared."""
    path = folder / "outages.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return [
        Outage(
            party=each["party"],
            begins=datetime.fromisoformat(each["begins"]),
            ends=datetime.fromisoformat(each["ends"]),
        )
        for each in lines
    ]


def _size(stage: Stage) -> int:
    with psycopg.connect(stage.platform.conninfo("plumb_gateway")) as conn:
        row = conn.execute("SELECT size FROM journal.head").fetchone()
    return int(row[0]) if row else 0


def uploads_since(stage: Stage, first: int) -> list[Upload]:
    """Tests that were logged from a place of the log on: what has to be uploaded as it is made."""
    with psycopg.connect(stage.platform.conninfo("plumb_projector")) as conn:
        rows = conn.execute(
            "SELECT sender, occurred_at, logged_at FROM fact.event WHERE kind = 'run.recorded' AND idx >= %s",
            [first],
        ).fetchall()
    return [Upload(sender=sender, captured=captured, logged=logged) for sender, captured, logged in rows]


def _tell(stage: Stage, done: list[CaughtUp], first: int, say: Callable[[str], None]) -> None:
    reports = [report for each in done for report in each.reports]
    messages = sum(each.messages for each in done)
    repeated = sum(each.repeated for each in done)
    registered = sum(report.state == "registered" for report in reports)
    why = counted(uploads_since(stage, first), outages(stage.folder))
    for report in reports:
        if report.state != "registered":
            say(f"{report.number} 没有登记（{report.state}）：{'；'.join(report.reasons) or '没有说明'}")
    say(
        f"补传 {messages} 条，其中平台早已收过的 {repeated} 条；报告 {len(reports)} 份，登记 {registered} 份。"
    )
    say(
        f"试验 {sum(why.values())} 组：停机或断网补传 {why['outage']}，无故迟传 {why['late']}，及时 {why['in_time']}。"
    )
