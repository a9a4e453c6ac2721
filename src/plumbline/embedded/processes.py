"""Facts about operating-system processes, and a child that dies with its parent (进程状态)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Loaded at import: between fork and exec nothing may be imported or allocated by the loader.
try:
    _LIBC: ctypes.CDLL | None = ctypes.CDLL(None)
except OSError:  # pragma: no cover - a platform without a shared libc
    _LIBC = None


def tied_to_parent(signum: int) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends `signum` to the child when the thread that started it ends.

    Start such children from a thread that lives as long as they should (the main thread). The setting
    survives `exec` and `unshare --user`. Linux only; elsewhere it does nothing.
    """
    parent = os.getpid()

    def set_death_signal() -> None:
        if _LIBC is not None and hasattr(_LIBC, "prctl"):
            _LIBC.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
            if os.getppid() != parent:  # the parent died before the call
                os.kill(os.getpid(), signal.SIGKILL)

    return set_death_signal


def state_of(pid: int) -> str | None:
    """The kernel's state letter of a process (`R`, `S`, `Z` …), or None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[0]


def is_alive(pid: int) -> bool:
    """True when the process runs; a zombie does not."""
    return state_of(pid) not in (None, "Z", "X")


def working_in(folder: Path) -> list[int]:
    """Live processes whose working directory is this folder; PostgreSQL's all sit in their data folder."""
    wanted = os.path.realpath(folder)
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{entry}/cwd") == wanted and is_alive(int(entry)):
                    found.append(int(entry))
    return found


def started_with(program: str, variable: str, value: str) -> list[int]:
    """Live processes of a program that were started with this variable of the environment; those of others cannot be read."""
    wanted, found = f"{variable}={value}".encode(), []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and program_of(int(entry)) == program and is_alive(int(entry)):
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
    return found


def program_of(pid: int) -> str:
    """Base name of the program that a process runs, or an empty string."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return ""


def wait_until(condition: Callable[[], bool], seconds: float, *, interval: float = 0.02) -> bool:
    """Poll until the condition holds; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True
