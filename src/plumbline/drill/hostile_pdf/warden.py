"""A process that judges one file after the other, each in a process of its own under limits (看守).

Everything is loaded once; a forked child then pays for its file alone. The limits are wider than what is promised: a child
that comes close is measured and told, and not helped by a refusal that the code under test would catch.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from plumbline.drill.hostile_pdf.roads import Desk, Offline, Online, Vendor, as_json, offline, online, vendor

#: So much wider than the promise are the limits.
_WIDER = 3
#: On a busy machine a process waits; a promise of seconds is one of its own seconds.
_WALL_S = 60
_MEGABYTE = 1024 * 1024


def main() -> None:
    """`python -m … FOLDER SECONDS MEGABYTES`: on every line a road and a file, answered by one line of JSON."""
    folder, seconds, megabytes = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    desk = Desk.load(folder)
    # Whatever is loaded when it is first needed is loaded now.
    warm = folder / "warm.pdf"
    for road in ("offline", "online", "vendor"):
        _answer(road, warm, desk)
    gc.freeze()
    for line in sys.stdin:
        road, path = line.split()
        print(
            json.dumps(_judged(road, Path(path), desk, (seconds, megabytes)), ensure_ascii=False),
            flush=True,
        )


def _judged(road: str, path: Path, desk: Desk, limits: tuple[float, int]) -> dict[str, Any]:
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _judge(road, path, desk, limits, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status, used = os.wait4(child, 0)
    answer: dict[str, Any] = json.loads(text) if text else {"peak_mb": 0.0}
    return answer | {
        "killed": os.waitstatus_to_exitcode(status) != 0 or not text,
        "cpu_s": used.ru_utime + used.ru_stime,
        "wall_s": time.monotonic() - started,
        "rss_mb": used.ru_maxrss / 1024,
    }


def _judge(road: str, path: Path, desk: Desk, limits: tuple[float, int], pipe: int) -> NoReturn:
    """In the child: one file, one road, then the end."""
    seconds, megabytes = limits
    bound = int(seconds * _WIDER) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (bound, bound))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * _WIDER * _MEGABYTE,) * 2)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_WALL_S)
    try:
        answer = as_json(_answer(road, path, desk)) | {"peak_mb": _peak_mb()}
        with os.fdopen(pipe, "wb") as out:
            out.write(json.dumps(answer, ensure_ascii=False).encode("utf-8"))
        os._exit(0)
    except BaseException:
        os._exit(1)


def _answer(road: str, path: Path, desk: Desk) -> Offline | Online | Vendor:
    if road == "offline":
        return offline(path, path.parent)
    return online(path.read_bytes(), desk) if road == "online" else vendor(path.read_bytes(), desk)


def _peak_mb() -> float:
    """The largest address space of this process so far."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmPeak:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
