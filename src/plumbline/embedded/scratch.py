"""Where a platform is laid that lives no longer than one run: tests, drills, measurements (临时平台的位置)."""

from __future__ import annotations

import os
from pathlib import Path

#: Names the folder; unset, it is on the disk, where a drill or a measurement says something of the disk.
VARIABLE = "PLUMB_SCRATCH"
#: Short, so that a socket below it fits into the 107 bytes of its address.
DISK = "/tmp"  # noqa: S108 - mkdtemp makes a private folder of mode 0700
MEMORY = "/dev/shm"  # noqa: S108 - the same
#: What two lanes of tests take at most, with the write-ahead logs of their servers, and as much again for the tests themselves.
ROOM = 6 << 30
SPARE = 10 << 30


def scratch() -> str:
    """The folder in which temporary platforms are made."""
    return os.environ.get(VARIABLE) or DISK


def in_memory() -> str:
    """The file system in memory where there is one with room to spare, else the disk.

    For tests: a platform there is made three times as fast, and nearly all of what they do is making platforms (0045).
    """
    return MEMORY if _is_tmpfs(MEMORY) and _free(MEMORY) >= ROOM and _available() >= SPARE else DISK


def _is_tmpfs(folder: str) -> bool:
    try:
        mounts = Path("/proc/mounts").read_text("utf-8", errors="replace")
    except OSError:
        return False
    found = [line.split()[2:4] for line in mounts.splitlines() if line.split()[1:2] == [folder]]
    # The last line is the mount on top. Files of tests are mapped into programs, which `noexec` forbids.
    return bool(found) and found[-1][0] == "tmpfs" and "noexec" not in found[-1][1].split(",")


def _free(folder: str) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize if os.access(folder, os.W_OK | os.X_OK) else 0


def _available() -> int:
    """Bytes of memory that could be had now, as the kernel reckons; 0 where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return 0
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kilobytes[0] << 10 if kilobytes else 0
