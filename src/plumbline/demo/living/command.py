"""The city's own process (演示城市进程): fills a platform that runs, core first, then lets the city work on in real time."""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg

from plumbline.demo.enrolment import Enrolment
from plumbline.demo.keys import institution_folder
from plumbline.demo.living.core import core_of, core_story
from plumbline.demo.living.enrol import enrol_city
from plumbline.demo.living.fill import Ended, Filled, fill
from plumbline.demo.living.frauds.planting import planted_truth, with_frauds
from plumbline.demo.living.frauds.stage import Planted
from plumbline.demo.living.progress import CORE, Course, Meter, broken_off, goes_on, whole
from plumbline.demo.living.senders import CitySenders
from plumbline.demo.living.story import Story, tell
from plumbline.demo.living.town import City, build_city
from plumbline.demo.printer import Printer
from plumbline.demo.real_time import work_on
from plumbline.demo.story import OPENED_BEFORE, SPAN, StationSender
from plumbline.demo.tools import resume_after_crash
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.lab.keys import InstitutionKeys
from plumbline.supervision.city_progress import Progress, core_file, read_progress, write_progress
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.demo_clock import begin_telling, end_telling
from plumbline.supervision.memory import settle
from plumbline.supervision.roots import save_root

_log = logging.getLogger("plumbline.demo.city")


@dataclass(slots=True, kw_only=True)
class Filling:
    """One run that fills a platform with its city; safe to begin again at any moment."""

    platform: Platform
    city: City
    end: datetime
    ca: Path | None
    tell: Callable[[str], None]
    #: Called as soon as the core is there, the rest being under way.
    core_is_there: Callable[[], None] = lambda: None
    #: Called as soon as it is known what will happen.
    story_is_told: Callable[[], None] = lambda: None

    @property
    def folder(self) -> Path:
        """Where the city keeps what it remembers."""
        return self.platform.data_dir / "city"

    def run(self, patterns: Sequence[str] | None) -> tuple[Filled, list[Planted]]:
        """Core, then the rest of the parties, then the three months with the frauds named (None: all)."""
        known = read_progress(self.platform.data_dir)
        if known is None or known.phase == "stopped":  # else the city goes on where it was
            write_progress(self.platform.data_dir, goes_on(known) if known else CORE)
        with CitySenders(self.platform.data_dir, self.platform.public_url, self.ca) as senders:
            core = self._core(senders)
            self.core_is_there()
            enrolment = self._enrol(self.city, already=core_of(self.city))
            made, honest = tell(self.city, start=self.end - SPAN, end=self.end)
            story, planted = with_frauds(made, honest, patterns)
            self.tell(
                f"城市：{len(self.city.houses)} 家检测机构，{len(self.city.teams)} 个工程，"
                f"{len(story.placed) + len(core.results)} 份报告，植入 {len(planted)} 处"
            )
            ended = Ended(self.folder / "ended.jsonl")
            reached = NewestTime(self.platform)
            self.story_is_told()
            with closing(reached):
                meter = self._meter(story, ended, core, reached)
                with Printer() as press:
                    filled = fill(story, senders, enrolment, progress=meter, ended=ended, press=press)
            for house in self.city.houses:
                keys = institution_folder(self.city.team_of(0, house.number).cast, self.platform.data_dir)
                senders.ledger(house.number).save(keys / "ledger.json")
        filled.results.update(core.results)
        return filled, planted

    def _core(self, senders: CitySenders) -> Filled:
        story = core_story(self.city, end=self.end)
        enrolment = self._enrol(story.city)
        return fill(story, senders, enrolment, ended=Ended(self.folder / "core.jsonl"))

    def _enrol(self, city: City, already: City | None = None) -> Enrolment:
        desk = StationSender(self.platform)
        try:
            at = self.end - OPENED_BEFORE + timedelta(hours=1)
            enrolment = enrol_city(city, desk, data_dir=self.platform.data_dir, at=at, already=already)
        finally:
            desk.close()
        trust_institutions(self.platform, city)
        return enrolment

    def _meter(self, story: Story, ended: Ended, core: Filled, reached: NewestTime) -> Callable[[str], None]:
        """Takes the filler's sign of life once a second and writes what the page and the terminal show."""
        more = len(core.results)
        meter = Meter(
            course=Course(story),
            total=len(story.placed) + more,
            reached=reached,
            done=lambda: len(ended.results) + more,
        )

        def look(text: str) -> None:
            del text
            seen = meter.look()
            write_progress(self.platform.data_dir, seen)
            self.tell(seen.text)

        return look


@contextmanager
def told_to_the_end(platform: Platform) -> Iterator[None]:
    """While the city's past is told, the log's newest entry is the present; when it breaks off, the progress says so."""
    with (platform.data_dir / "city" / "filling.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedProblem(
                "这座演示城市正在补齐，进度看首页或启动它的终端。", "This city is being filled already."
            ) from None
        with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
            begin_telling(conn, by="city")
        try:
            yield
        except BaseException:
            write_progress(platform.data_dir, broken_off(read_progress(platform.data_dir)))
            raise
        with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
            end_telling(conn, by="city")


def newest_time(platform: Platform) -> datetime | None:
    """Time of the newest entry of the log, asked once; None while the database does not answer."""
    with closing(NewestTime(platform)) as newest:
        return newest()


class NewestTime:
    """Time of the newest entry of the log, asked over one connection; None while the database does not answer."""

    def __init__(self, platform: Platform) -> None:
        self._conninfo = platform.conninfo("plumb_gateway")
        self._conn: psycopg.Connection | None = None

    def __call__(self) -> datetime | None:
        """The time as it is now."""
        try:
            if self._conn is None or self._conn.closed:
                self._conn = psycopg.connect(self._conninfo, autocommit=True)
            row = self._conn.execute("SELECT last_time FROM journal.head").fetchone()
        except psycopg.Error:
            self.close()
            return None
        return row[0] if row else None

    def close(self) -> None:
        """Drop the connection."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None


def fill_platform(
    platform: Platform,
    *,
    seed: int,
    scale: float,
    ca: Path | None = None,
    now: datetime | None = None,
    patterns: Sequence[str] | None = None,
    progress: Callable[[str], None] = print,
    core_is_there: Callable[[], None] = lambda: None,
    story_is_told: Callable[[], None] = lambda: None,
) -> Filled:
    """Enrol the city, send its core and its three months up to `now`, and write what was planted beside the data.

    `patterns` names the frauds to plant; None: all of them. EmbeddedProblem when the folder holds another city.
    """
    told = _remembered(platform.data_dir / "city" / "city.json", seed, scale, now or datetime.now(UTC))
    city = build_city(seed, scale, date.fromisoformat(told["today"]))
    end = datetime.fromisoformat(told["end"])
    run = Filling(
        platform=platform,
        city=city,
        end=end,
        ca=ca,
        tell=progress,
        core_is_there=core_is_there,
        story_is_told=story_is_told,
    )
    with told_to_the_end(platform):
        filled, planted = run.run(patterns)
    truth = planted_truth(planted, filled.results)
    path = run.folder / "planted.json"
    path.write_text(json.dumps(truth, ensure_ascii=False, indent=1), "utf-8")
    text = whole(filled.states, filled.under_way, filled.seconds)
    count = len(filled.results)
    write_progress(
        platform.data_dir,
        Progress(phase="done", done=count, total=count + filled.under_way, share=1.0, left_s=0, text=text),
    )
    progress(text)
    return filled


def _remembered(path: Path, seed: int, scale: float, now: datetime) -> dict[str, str]:
    """When this folder's city was begun, so that a run that was broken off goes on with the same story."""
    if path.exists():
        known = json.loads(path.read_text("utf-8"))
        if (known["seed"], known["scale"]) != (seed, scale):
            raise EmbeddedProblem(
                f"这个数据文件夹里已有种子 {known['seed']}、规模 {known['scale']} 的城市。请用 --data-dir 换一个文件夹。",
                "This folder holds another city; choose another --data-dir.",
            )
        return {name: str(value) for name, value in known.items()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = {"seed": seed, "scale": scale, "today": now.date().isoformat(), "end": now.isoformat()}
    path.write_text(json.dumps(told), "utf-8")
    return {name: str(value) for name, value in told.items()}


def trust_institutions(platform: Platform, city: City) -> None:
    """Put every institution's demo root on the platform's list."""
    for house in city.houses:
        folder = platform.data_dir / "institutions" / house.organisation.short_name / "keys"
        keys = InstitutionKeys.load(folder)
        save_root(platform.folder("roots"), f"demo-{house.prefix.lower()}", keys.export_root())


def main(argv: Sequence[str] | None = None) -> int:
    """The process that fills a platform which its parent has started, and then lets the city work on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--ca", default=None)
    parser.add_argument("--honest", action="store_true")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    settle()
    platform = Platform.from_env()
    ca = Path(arguments.ca) if arguments.ca else None
    resume_after_crash(platform)
    known = read_progress(platform.data_dir)
    if known is None or known.phase != "done":
        fill_platform(
            platform,
            seed=arguments.seed,
            scale=arguments.scale,
            ca=ca,
            patterns=() if arguments.honest else None,
            progress=lambda text: _log.info("%s", text),
            core_is_there=partial(core_file(platform.data_dir).touch, 0o600),
            story_is_told=settle,  # the story stays, too
        )
    told = json.loads((platform.data_dir / "city" / "city.json").read_text("utf-8"))
    work_on(platform, build_city(told["seed"], told["scale"], date.fromisoformat(told["today"])), ca, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
