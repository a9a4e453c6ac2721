"""The machine under the rod (测量环境): versions, fsync honesty, processor time of process trees."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from plumbline import __version__

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
#: A disk that syncs more often than this answers from a cache that a power cut may empty.
WRITE_BACK = 5000
_FDATASYNC = re.compile(r"^\s+fdatasync\s+([0-9.]+) ops/sec", re.MULTILINE)


def description(postgres: str) -> dict[str, str]:
    """Host, cores and versions that a figure depends on."""
    return {
        "host": platform.node(),
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postgresql": postgres,
        "plumbline": __version__,
    } | {name: _version(name) for name in ("granian", "psycopg", "msgspec", "cryptography")}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.+)$", lines, re.MULTILINE)
    return found[1] if found else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def fdatasync_rate(program: str, folder: Path) -> float | None:
    """Syncs of one 8 kB block a second by pg_test_fsync in `folder`, or None where the program is not
    there."""
    if not Path(program).is_file():
        return None
    probe = folder / "fsync-probe"
    result = subprocess.run(
        [program, "-s", "1", "-f", str(probe)], capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    probe.unlink(missing_ok=True)
    found = _FDATASYNC.search(result.stdout)
    return float(found[1]) if found else None


def fsync_line(rate: float | None) -> str:
    """The figure with its warning: a fast sync is a cache, not a fast disk."""
    if rate is None:
        return "fdatasync: pg_test_fsync is not there"
    note = "  ! write-back cache: durable only as far as it is" if rate > WRITE_BACK else ""
    return f"fdatasync {rate:,.0f}/s (pg_test_fsync){note}"


def cpu_seconds(roots: list[int]) -> float:
    """Processor time used so far by these processes, their living descendants and the ended children of all
    of them."""
    parents: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path(f"/proc/{entry}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry))
        used[int(entry)] = sum(int(ticks) for ticks in fields[11:15]) * _TICK_S
    total, left = 0.0, list(roots)
    while left:
        process = left.pop()
        total += used.get(process, 0.0)
        left += parents.get(process, [])
    return total
