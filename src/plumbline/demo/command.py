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

from plumbline.demo.cosigner import cosigner_process
from plumbline.demo.running import running_platform
from plumbline.demo.story import OPENED_BEFORE, SEED, enrol_cast
from plumbline.embedded.ports import free_port
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.embedded.scratch import scratch
from plumbline.embedded.supervisor import ProcessSpec, Supervisor
from plumbline.supervision.boot import DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.city_progress import Progress, core_file, read_progress
from plumbline.supervision.config import DEMO_ORIGIN, Platform
from plumbline.supervision.run import Serving, process_specs, run
from plumbline.supervision.tls import serving_of

#: The whole city, unless another size is asked for.
SCALE = 1.0
#: The address is told without the core when it takes longer than this.
CORE_WAIT_S = 60.0


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
    """Start the living city and keep it running until Ctrl-C; on a platform that runs, fill that one."""
    data_dir = Path(arguments.data_dir).absolute()
    began = time.monotonic()
    if arguments.scale is not None and not 0 < arguments.scale <= 20:
        raise EmbeddedProblem("--scale 应大于 0，不超过 20。", "--scale lies above 0 and up to 20.")
    running = running_platform(data_dir) if arguments.what == "city" else None
    if arguments.reset and running is None:
        _reset(data_dir)
    city = _known_city(data_dir, arguments)
    if running is not None:
        return _fill_running(running, arguments, city)
    serving = serving_of(arguments, data_dir)

    def filling(platform: Platform) -> list[ProcessSpec]:
        others = cosigner_process(platform)
        # The address does not wait for a cosigner: whatever it missed is made up for by its first cosignature.
        return others if arguments.empty else [_city_process(platform, serving, arguments, city), *others]

    def ready(platform: Platform, supervisor: Supervisor) -> None:
        print(f"\n准绳演示城市已启动（{time.monotonic() - began:.1f} 秒）：{platform.public_url}")
        if serving.ca:
            print(f"手机首次访问请安装本地证书：{serving.ca}")
        print("按 Ctrl-C 停止，数据保留，再运行接着来；--reset 重新开始。", flush=True)
        if not arguments.empty:
            threading.Thread(target=_follow, args=(data_dir,), daemon=True).start()

    return run(data_dir, _demo_settings(data_dir, serving), serving, on_ready=ready, also=filling)


def _fill_running(platform: Platform, arguments: argparse.Namespace, city: tuple[int, float]) -> int:
    # Here: typesetting and signing are a second to load, and who starts a city does without them.
    from plumbline.demo.living.command import fill_platform

    known = read_progress(platform.data_dir)
    if (
        known is not None and known.phase == "done"
    ):  # its institutions work on; their numbers must not start anew
        print(f"这座演示城市已经补齐：{platform.public_url}")
        return 0
    ca = platform.data_dir / "tls" / "ca.pem"
    fill_platform(
        platform,
        seed=city[0],
        scale=city[1],
        ca=ca if platform.public_url.startswith("https") else None,
        patterns=() if arguments.honest else None,
    )
    return 0


def _known_city(data_dir: Path, arguments: argparse.Namespace) -> tuple[int, float]:
    """Seed and scale: those asked for, else those of the city that the folder holds. EmbeddedProblem when they differ."""
    kept = data_dir / "city" / "city.json"
    known = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    seed = arguments.seed if arguments.seed is not None else int(known.get("seed", SEED))
    scale = arguments.scale if arguments.scale is not None else float(known.get("scale", SCALE))
    if known and (seed, scale) != (known["seed"], known["scale"]):
        raise EmbeddedProblem(
            f"这个文件夹里已有种子 {known['seed']}、规模 {known['scale']} 的城市。接着用它就不要写 --seed 和 --scale；"
            "要新的城市请加 --reset，或用 --data-dir 换一个文件夹。",
            "This folder holds another city: leave --seed and --scale out, add --reset, or choose another --data-dir.",
        )
    return seed, scale


def _city_process(
    platform: Platform, serving: Serving, arguments: argparse.Namespace, city: tuple[int, float]
) -> ProcessSpec:
    """The process that sends the city; the address is told when its core is there, or after a while without it."""
    argv = [sys.executable, "-m", "plumbline.demo.living.command"]
    argv += ["--seed", str(city[0]), "--scale", str(city[1])]
    argv += ["--honest"] if arguments.honest else []
    argv += ["--ca", str(serving.ca)] if serving.ca else []
    until = time.monotonic() + CORE_WAIT_S

    def core_is_there() -> bool:
        return core_file(platform.data_dir).exists() or time.monotonic() > until

    return ProcessSpec(
        "city",
        argv,
        platform.environment(),
        core_is_there,
        ready_timeout=CORE_WAIT_S + 15,
        restart="on-failure",
    )


def _follow(data_dir: Path) -> None:
    """The newest line of progress, written over the one before."""
    shown: Progress | None = None
    while shown is None or shown.phase != "done":
        time.sleep(1)
        seen = read_progress(data_dir)
        if seen is None or seen == shown:
            continue
        if seen.phase != "done" or shown is not None:  # a city that was finished before needs no word
            print(f"\r\x1b[K{seen.text}", end="\n" if seen.phase == "done" else "", flush=True)
        shown = seen


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
    data_dir = (
        Path(given).absolute() if given else Path(tempfile.mkdtemp(prefix="plumb-replay-", dir=scratch()))
    )
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
    from plumbline.demo.cast import build_cast
    from plumbline.demo.clients import open_clients
    from plumbline.demo.public_check import check_public
    from plumbline.demo.replay import replay

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
