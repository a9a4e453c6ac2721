"""A small city that is audited while it grows (边写边核对): whatever an audit says of it is a false alarm."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline.supervision.city_progress import read_progress
from plumbline.supervision.commands import run_audit

CITY_WAIT_S = 1800.0
STOP_WAIT_S = 60.0


def audited(data_dir: Path, what: str = "all", checkpoint: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    """`plumbline audit` on a folder: exit status and the lines that it printed."""
    told = io.StringIO()
    asked = argparse.Namespace(data_dir=str(data_dir), what=what, checkpoint=list(checkpoint))
    with contextlib.redirect_stdout(told):
        status = run_audit(asked)
    return status, told.getvalue().splitlines()


@contextmanager
def growing_city(data_dir: Path, *, scale: float, port: int, seed: int) -> Iterator[Callable[[], bool]]:
    """The demo as its own process, which fills a city; yields what says whether it is full. Ended as Ctrl-C ends it."""
    command = [
        sys.executable,
        "-m",
        "plumbline.cli",
        "demo",
        "--data-dir",
        str(data_dir),
        "--port",
        str(port),
    ]
    command += ["--scale", str(scale), "--seed", str(seed)]
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    with (data_dir.parent / "city.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
        until = time.monotonic() + CITY_WAIT_S

        def is_full() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the city ended with {process.returncode}: see {log.name}")
            seen = read_progress(data_dir)
            if seen is not None and seen.phase == "done":
                return True  # it goes on living: a thousand audits take longer than filling it
            if time.monotonic() > until:
                raise TimeoutError("the city is not full yet")
            return False

        try:
            yield is_full
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def audit_while_it_grows(
    data_dir: Path, is_full: Callable[[], bool], runs: int, progress: Callable[[str], None]
) -> tuple[int, list[str]]:
    """(clean runs, false alarms): at least `runs`, and until the city is full."""
    clean, alarms = 0, list[str]()
    while not (data_dir / "city" / "progress.json").exists():
        is_full()
        time.sleep(0.5)
    full = False
    while not full or clean + len(alarms) < runs:
        full = is_full()
        status, lines = audited(data_dir)
        if status:
            alarms += [f"误报：{line}" for line in lines]
        else:
            clean += 1
        if clean % 10 == 0:
            progress(f"边写边核对：{clean} 次无误报")
    return clean, alarms
