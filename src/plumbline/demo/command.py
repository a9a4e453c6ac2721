"""`plumbline demo` and `plumbline replay` (演示与重放): one address, one Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plumbline.demo.cast import build_cast
from plumbline.demo.clients import open_clients
from plumbline.demo.living.command import fill_platform, progress_file, running_platform
from plumbline.demo.public_check import check_public
from plumbline.demo.replay import replay
from plumbline.demo.story import OPENED_BEFORE, SEED, enrol_cast
from plumbline.embedded.ports import free_port
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.embedded.supervisor import ProcessSpec, Supervisor
from plumbline.supervision.boot import DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.config import DEMO_ORIGIN, Platform
from plumbline.supervision.run import Serving, process_specs, run
from plumbline.supervision.tls import serving_of


def _demo_settings(data_dir: Path, serving: Serving) -> Settings:
    kept = data_dir / "platform.json"
    if kept.exists() and not json.loads(kept.read_text("utf-8"))["demo"]:
        raise EmbeddedProblem(
            f"{data_dir} 里是正式平台的数据，不能用来演示。请用 --data-dir 换一个文件夹。",
            "This folder holds a production platform; choose another --data-dir.",
        )
    opened = datetime.now(UTC) - OPENED_BEFORE
    return Settings(
        origin=DEMO_ORIGIN, public_url=serving.url, demo=True, operator=DEMO_OPERATOR, opened_at=opened
    )


def run_demo(arguments: argparse.Namespace) -> int:
    """Start the demo and keep it running until Ctrl-C."""
    data_dir = Path(arguments.data_dir).absolute()
    began = time.monotonic()
    if arguments.reset:
        _reset(data_dir)
    serving = serving_of(arguments, data_dir)

    def story(platform: Platform) -> list[ProcessSpec]:
        if arguments.no_story:
            return []
        argv = [sys.executable, "-m", "plumbline.demo.story", "--reports", str(arguments.reports)]
        argv += ["--ca", str(serving.ca)] if serving.ca else []
        return [ProcessSpec("story", argv, platform.environment(), restart="on-failure")]

    def ready(platform: Platform, supervisor: Supervisor) -> None:
        print(f"\n准绳演示已启动（{time.monotonic() - began:.1f} 秒）：{platform.public_url}")
        if not arguments.no_story:
            print("演示报告正在后台生成，页面可以先用。")
        if serving.ca:
            print(f"手机首次访问请安装本地证书：{serving.ca}")
        print("按 Ctrl-C 停止，数据保留；--reset 重新开始。", flush=True)

    return run(data_dir, _demo_settings(data_dir, serving), serving, on_ready=ready, also=story)


def run_city(arguments: argparse.Namespace) -> int:
    """Fill the platform that runs on this folder with the city, or start one that is filled in the background."""
    data_dir = Path(arguments.data_dir).absolute()
    if not 0 < arguments.scale <= 20:
        raise EmbeddedProblem("--scale 应大于 0，不超过 20。", "--scale lies above 0 and up to 20.")
    if running := running_platform(data_dir):
        ca = data_dir / "tls" / "ca.pem"
        fill_platform(
            running,
            seed=arguments.seed,
            scale=arguments.scale,
            ca=ca if running.public_url.startswith("https") else None,
            patterns=() if arguments.honest else None,
        )
        return 0
    if arguments.reset:
        _reset(data_dir)
    serving = serving_of(arguments, data_dir)
    progress_file(data_dir).unlink(missing_ok=True)

    def filling(platform: Platform) -> list[ProcessSpec]:
        argv = [sys.executable, "-m", "plumbline.demo.living.command"]
        argv += ["--seed", str(arguments.seed), "--scale", str(arguments.scale)]
        argv += ["--honest"] if arguments.honest else []
        argv += ["--ca", str(serving.ca)] if serving.ca else []
        return [ProcessSpec("city", argv, platform.environment(), restart="on-failure")]

    def ready(platform: Platform, supervisor: Supervisor) -> None:
        print(f"\n准绳演示城市已启动：{platform.public_url}")
        print("城市正在后台生成，页面可以先用；按 Ctrl-C 停止，再运行接着生成。", flush=True)
        threading.Thread(target=_follow, args=(progress_file(data_dir),), daemon=True).start()

    return run(data_dir, _demo_settings(data_dir, serving), serving, on_ready=ready, also=filling)


def _follow(path: Path) -> None:
    """The newest line of progress, written over the one before."""
    shown = ""
    while not shown.startswith("完成"):
        time.sleep(1)
        text = path.read_text("utf-8") if path.exists() else ""
        if text and text != shown:
            shown = text
            print(f"\r\x1b[K{text}", end="\n" if text.startswith("完成") else "", flush=True)


def _reset(data_dir: Path) -> None:
    if not data_dir.exists():
        return
    kept = data_dir / "platform.json"
    if kept.exists() and not json.loads(kept.read_text("utf-8"))["demo"]:
        raise EmbeddedProblem(
            f"{data_dir} 是正式平台的数据，不会清空。", "This folder holds production data; not erased."
        )
    Cluster(data_dir).erase()
    shutil.rmtree(data_dir, ignore_errors=True)


def run_replay(arguments: argparse.Namespace) -> int:
    """Send recordings through a platform of its own and account for every one of them."""
    given = arguments.data_dir
    data_dir = Path(given).absolute() if given else Path(tempfile.mkdtemp(prefix="plumb-replay-", dir="/tmp"))
    serving = Serving(port=free_port())
    cluster = None if os.environ.get("DATABASE_URL") else Cluster(data_dir)
    try:
        running = cluster.start() if cluster else None
        settings = Settings(origin=DEMO_ORIGIN, public_url=serving.url, demo=True, operator=DEMO_OPERATOR)
        platform = prepare(data_dir, running, settings, print)
        supervisor = Supervisor(
            process_specs(platform, serving, free_port()), platform.folder("logs"), report=print
        )
        try:
            supervisor.start()
            return _replay_on(platform, Path(arguments.folder), print)
        finally:
            supervisor.stop()
    finally:
        if cluster:
            cluster.stop()
        if given or arguments.keep:
            print(f"数据保留在 {data_dir}")
        else:
            shutil.rmtree(data_dir, ignore_errors=True)


def _replay_on(platform: Platform, folder: Path, say: Callable[[str], None]) -> int:
    now = datetime.now(UTC)
    enrolment = enrol_cast(platform, at=now, stated=False, today=now.date())
    cast = build_cast(SEED, now.date())
    began = time.monotonic()
    with open_clients(cast, platform.data_dir, platform.public_url) as clients:
        report = replay(folder, clients, cast, enrolment, progress=say)
        answers = check_public(platform.public_url, report.results)
    say(report.table())
    say(answers.text())
    say(f"用时 {timedelta(seconds=round(time.monotonic() - began))}")
    return 1 if answers.faults else report.exit_status
