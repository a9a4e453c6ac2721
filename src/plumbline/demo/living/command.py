"""`plumbline demo city` (演示城市命令): fill a platform that runs, or start one and fill it in the background."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx

from plumbline.demo.living.enrol import enrol_city
from plumbline.demo.living.fill import Ended, Filled, fill
from plumbline.demo.living.frauds.planting import planted_truth, with_frauds
from plumbline.demo.living.senders import CitySenders
from plumbline.demo.living.story import tell
from plumbline.demo.living.town import City, build_city
from plumbline.demo.story import OPENED_BEFORE, SPAN, StationSender
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.lab.keys import InstitutionKeys
from plumbline.supervision.boot import DATABASE
from plumbline.supervision.config import DatabasePlace, Platform
from plumbline.supervision.roots import save_root

_log = logging.getLogger("plumbline.demo.city")


def running_platform(data_dir: Path) -> Platform | None:
    """The demo platform that runs on this folder; None when none does. EmbeddedProblem for a production folder."""
    kept = data_dir / "platform.json"
    if not kept.exists():
        return None
    if not json.loads(kept.read_text("utf-8"))["demo"]:
        raise EmbeddedProblem(
            f"{data_dir} 里是正式平台的数据，不能放演示城市。请用 --data-dir 换一个文件夹。",
            "This folder holds a production platform; choose another --data-dir.",
        )
    running = Cluster(data_dir).running()
    if running is None:
        return None
    place = DatabasePlace(host=str(running.socket_dir), port=running.port, name=DATABASE)
    platform = Platform.open(data_dir, place)
    try:
        httpx.get(f"{platform.public_url}/healthz", trust_env=False, verify=False).raise_for_status()  # noqa: S501 (asks only whether it is up)
    except httpx.HTTPError:
        return None
    return platform


def fill_platform(
    platform: Platform,
    *,
    seed: int,
    scale: float,
    ca: Path | None = None,
    now: datetime | None = None,
    patterns: Sequence[str] | None = None,
    progress: Callable[[str], None] = print,
) -> Filled:
    """Enrol the city, send its three months up to `now`, and write what was planted beside the data.

    `patterns` names the frauds to plant; None: all of them. EmbeddedProblem when the folder holds another city.
    """
    kept = platform.data_dir / "city" / "city.json"
    told = _remembered(kept, seed, scale, now or datetime.now(UTC))
    city = build_city(seed, scale, date.fromisoformat(told["today"]))
    end = datetime.fromisoformat(told["end"])
    desk = StationSender(platform)
    try:
        at = end - OPENED_BEFORE + timedelta(hours=1)
        enrolment = enrol_city(city, desk, data_dir=platform.data_dir, at=at)
    finally:
        desk.close()
    trust_institutions(platform, city)
    made, honest = tell(city, start=end - SPAN, end=end)
    story, planted = with_frauds(made, honest, patterns)
    progress(
        f"城市：{len(city.houses)} 家检测机构，{len(city.teams)} 个工程，{len(story.placed)} 份报告，植入 {len(planted)} 处"
    )
    with CitySenders(platform.data_dir, platform.public_url, ca) as senders:
        filled = fill(
            story, senders, enrolment, progress=progress, ended=Ended(kept.with_name("ended.jsonl"))
        )
    truth = planted_truth(planted, filled.results)
    path = platform.data_dir / "city" / "planted.json"
    path.write_text(json.dumps(truth, ensure_ascii=False, indent=1), "utf-8")
    progress(f"完成，用时 {filled.seconds:.0f} 秒：{dict(filled.states)}，另有 {filled.under_way} 份在办")
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
    """The process that fills a platform which its parent has started."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--ca", default=None)
    parser.add_argument("--honest", action="store_true")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    platform = Platform.from_env()
    fill_platform(
        platform,
        seed=arguments.seed,
        scale=arguments.scale,
        ca=Path(arguments.ca) if arguments.ca else None,
        patterns=() if arguments.honest else None,
        progress=lambda text: _tell(progress_file(platform.data_dir), text),
    )
    return 0


def progress_file(data_dir: Path) -> Path:
    """Where the filling process writes its newest line, for the process that has the terminal."""
    return data_dir / "city" / "progress.txt"


def _tell(path: Path, text: str) -> None:
    _log.info("%s", text)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
