"""Power cuts for files (断电演练): uploads go on while all processes are killed and the file system forgets what was not made durable.

The files, marks and subject keys of the platform lie on :mod:`lossy_files`. PostgreSQL does not: it is killed now and then, and its
settings (`fsync`, `full_page_writes`, `synchronous_commit`) are held by the platform's own start.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from plumbline.drill.kill.invariants import find_file, signed
from plumbline.drill.kill.ledger import Ledger, Upload
from plumbline.drill.kill.lossy_files import cut_power
from plumbline.drill.kill.site import Site
from plumbline.drill.kill.storm import Load, send_once
from plumbline.embedded.processes import wait_until
from plumbline.evidence.mark import HeadMark, MarkRefused

_MOUNTED_S = 15.0
#: Where an upload is killed before it is sent again.
_STEPS = (
    "file.after_write",
    "file.after_fsync",
    "file.after_rename",
    "file.after_directory_fsync",
    "file.after_row",
    "file.after_entry",
)
#: Folders of the platform whose contents must outlive a power cut.
_FOLDERS = ("files", "marks", "subjects", "destroyed")


class NoFuse(RuntimeError):
    """The file system cannot be mounted here; the message says why."""


@contextmanager
def lossy_folders(site: Site) -> Iterator[Path]:
    """The platform's folders on a lossy file system for as long as the block runs; raises :class:`NoFuse`."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise NoFuse("没有 /dev/fuse，断电演练不能做")
    mounted = site.platform.data_dir / "lossy"
    mounted.mkdir()
    with tempfile.TemporaryFile() as words:
        argv = [sys.executable, "-m", "plumbline.drill.kill.lossy_files", str(mounted)]
        server = subprocess.Popen(argv, stdout=words, stderr=words, stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: mounted.is_mount() or server.poll() is not None, _MOUNTED_S)
            if not mounted.is_mount():
                words.seek(0)
                last = words.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
                raise NoFuse(f"断电文件系统没有挂上：{last or '超时'}")
            for name in _FOLDERS:
                _move(site.platform.data_dir / name, mounted / name)
            yield mounted
        finally:
            _unmount(mounted, server)


def _move(folder: Path, to: Path) -> None:
    """Copy a folder durably and leave a link in its place."""
    to.mkdir(mode=0o700)
    if folder.exists():
        for path in folder.iterdir():
            if path.is_file():
                shutil.copyfile(path, to / path.name)
                _sync(to / path.name)
        folder.rename(folder.with_name(f"{folder.name}.before"))
    _sync(to)
    _sync(to.parent)
    folder.symlink_to(to)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unmount(mounted: Path, server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(5)
    if mounted.is_mount():
        subprocess.run(["umount", "-l", str(mounted)], check=False)
    if server.poll() is None:
        server.kill()
        server.wait(5)


@dataclass(slots=True)
class PowerCuts:
    """Cuts the power while a load runs."""

    site: Site
    mounted: Path
    chance: random.Random
    between: tuple[float, float] = (0.3, 1.5)
    #: What was acknowledged, against which the mark is held after each cut.
    ledger: Ledger = field(default_factory=Ledger)
    cuts: int = 0
    broken: list[str] = field(default_factory=list)

    def during(self, load: Load, limit: int = 1_000_000) -> None:
        """Cut until the load is done or `limit` cuts are; from the main thread."""
        while load.is_running:
            self.site.wait_back()
            until = time.monotonic() + self.chance.uniform(*self.between)
            while time.monotonic() < until and load.is_running:
                self.site.tend()
                time.sleep(0.02)
            if load.is_running and self.cuts < limit:
                self.cut()

    def after_each_step(self, steps: Sequence[str] = _STEPS) -> None:
        """Killed at a step, sent again and acknowledged by what the kill left, then the power is cut: the file must be there."""
        ledger = self.ledger
        for number, point in enumerate(steps):
            upload = ledger.file(4000 + number)
            self.site.wait_for_gateway(0)
            self.site.wait(partial(self._arm, point), point)
            with self.site.client(0) as client:
                send_once(client, self.site, upload, ledger)
            self.site.wait(partial(self._again, upload, ledger), f"{point} 之后重发得到答复")
            self.cut()
            self.site.wait_back()
            if find_file(self.site, upload) != "entry":
                self.broken.append(f"{point} 被击杀、重发得到答复、断电之后：{find_file(self.site, upload)}")

    def _arm(self, point: str) -> bool:
        return self.site.arm("gateway-0", {point: "kill"}) is not None

    def _again(self, upload: Upload, ledger: Ledger) -> bool:
        with self.site.client(0) as client:
            return send_once(client, self.site, upload, ledger)

    def cut(self) -> None:
        """Kill everything that holds files, and now and then the database; then the file system forgets."""
        names = [f"gateway-{number}" for number in range(len(self.site.ports))] + ["worker"]
        pids = [pid for name in names if (pid := self.site.pid(name)) is not None]
        for name in names:
            self.site.kill(name)
        if self.site.cluster is not None and self.chance.random() < 0.3:
            self.site.kill_postmaster()
        if not wait_until(lambda: not any(_holds(pid, self.mounted) for pid in pids), 10):
            raise RuntimeError("a killed process still holds files")
        cut_power(self.mounted)
        self.cuts += 1
        self._mark_kept()

    def _mark_kept(self) -> None:
        """The mark still knows of every head that an answer has shown to somebody."""
        answers = [each.answer or {} for each in self.ledger.acknowledged]
        shown = max((signed(str(each["receipt"]))[0] for each in answers if "receipt" in each), default=0)
        try:
            mark = HeadMark(self.mounted / "marks" / "local.mark").read()
        except MarkRefused as refused:
            self.broken.append(f"第 {self.cuts} 次断电之后水位读不出来：{refused.reason}")
            return
        if shown > (mark.size if mark else 0):
            kept = mark.size if mark else 0
            self.broken.append(f"第 {self.cuts} 次断电之后水位是 {kept} 条，而签出过 {shown} 条的检查点")


def _holds(pid: int, mounted: Path) -> bool:
    """Whether any process of this group is still alive: until it is gone it may still write."""
    with contextlib.suppress(OSError):
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _is_alive_in(entry, pid):
                return True
    return False


def _is_alive_in(entry: Path, group: int) -> bool:
    try:
        fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[2]) == group and fields[0] not in ("Z", "X")
