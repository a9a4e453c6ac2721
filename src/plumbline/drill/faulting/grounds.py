"""What the faults are made with (故障手段): a small disk, clocks that can be set, system calls that fail."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plumbline.drill.faulting.course import NotTried
from plumbline.embedded.processes import wait_until, working_in

DISK_MB = 420
_BLOCK = b"\0" * (1 << 16)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of its own under the whole data folder, so that it can be filled; raises :class:`NotTried` where mounting is forbidden."""
    argv = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "plumbline-drill", str(folder)]
    made = _run(argv)
    if made:
        raise NotTried(f"挂不上小磁盘（{made}）")
    try:
        yield
    finally:
        wait_until(lambda: not _run(["umount", str(folder)]), 20)


def _run(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, encoding="utf-8", errors="replace", check=False)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or str(done.returncode))


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Not a byte is free on the disk of `folder` until the block ends."""
    path = folder / "ballast"
    try:
        with contextlib.suppress(OSError), path.open("wb", buffering=0) as ballast:
            while True:
                ballast.write(_BLOCK)
        with contextlib.suppress(OSError), path.open("ab", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * 4096)
        yield
    finally:
        path.unlink(missing_ok=True)


@dataclass(slots=True)
class Clocks:
    """Clocks of the platform's processes and of the database, each set by what a file says."""

    folder: Path
    library: Path

    def file(self, name: str) -> Path:
        """The file of one clock: seconds ahead of the real time, as the library reads them."""
        path = self.folder / name
        if not path.exists():
            path.write_bytes(struct.pack("=q", 0))
            path.chmod(0o644)
        return path

    def set(self, name: str, seconds: int) -> None:
        """So many seconds ahead of the real time, at once; in place, for the file is mapped."""
        with self.file(name).open("rb+", buffering=0) as file:
            file.write(struct.pack("=q", seconds))

    def environment(self, name: str) -> dict[str, str]:
        """What makes a process see this clock."""
        return {"LD_PRELOAD": str(self.library), "PLUMB_DRILL_CLOCK": str(self.file(name))}


@contextmanager
def own_clocks() -> Iterator[Clocks]:
    """Clocks that can be set; the database takes the clock `database` as soon as it starts inside the block."""
    folder = Path(tempfile.mkdtemp(prefix="plc-", dir="/tmp"))
    try:
        folder.chmod(0o755)  # the database's own identity reads it too
        clocks = Clocks(folder, _compiled(folder))
        before = dict(os.environ)
        os.environ.update(clocks.environment("database"))
        try:
            yield clocks
        finally:
            for name in clocks.environment("database"):
                os.environ.pop(name, None)
                if name in before:
                    os.environ[name] = before[name]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compiled(folder: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        raise NotTried("没有 C 编译器（apt install gcc libc6-dev），拨不了进程的时钟")
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    if failed := _run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source)]):
        raise NotTried(f"可拨的时钟没有编译成：{failed[:200]}")
    library.chmod(0o755)
    return library


@contextmanager
def failing_calls(pgdata: Path, call: str) -> Iterator[None]:
    """A system call of every process of a database fails with EIO until the block ends."""
    if shutil.which("strace") is None:
        raise NotTried("没有 strace")
    pids = working_in(pgdata)
    with tempfile.TemporaryFile() as words:
        argv = [
            "strace",
            "-f",
            "-qq",
            "-e",
            f"trace={call}",
            "-e",
            f"inject={call}:error=EIO",
            "-o",
            "/dev/null",
        ]
        argv += [word for pid in pids for word in ("-p", str(pid))]
        tracer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        try:
            if not wait_until(lambda: tracer.poll() is not None or all(map(_is_traced, pids)), 20):
                raise NotTried("strace 没有接上数据库")
            if tracer.poll() is not None:
                words.seek(0)
                raise NotTried(f"strace 不能用：{words.read().decode('utf-8', 'replace').strip()[:200]}")
            yield
        finally:
            tracer.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                tracer.wait(10)
            if tracer.poll() is None:
                tracer.kill()
                tracer.wait(10)


def _is_traced(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return True
    return "TracerPid:\t0" not in status


def log_since(path: Path, place: int) -> str:
    """What a log says beyond a place."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(place)
        return file.read(2_000_000).decode("utf-8", "replace")
    return ""


def said(path: Path, place: int, word: str, seconds: float) -> bool:
    """Whether a log comes to say something within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if word in log_since(path, place):
            return True
        time.sleep(0.05)
    return word in log_since(path, place)
