"""All files through all roads under limits (过堂), and what came of it by class."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from plumbline.drill.hostile_pdf.case import Case
from plumbline.drill.hostile_pdf.judging import Faults, judge
from plumbline.drill.hostile_pdf.roads import Desk, Offline, Online, Vendor, offline, online, vendor

_ROADS = ("offline", "online", "vendor")
Show = Callable[[str], None]


@dataclass(slots=True)
class Tally:
    """Counts of one run."""

    files: Counter[str] = field(default_factory=Counter)
    genuine: int = 0
    accepted: int = 0
    passed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    reason: list[str] = field(default_factory=list)
    #: over a limit, or killed by one
    costly: list[str] = field(default_factory=list)
    worst_s: tuple[float, str] = (0.0, "")
    #: on the clock of the wall: other programs run too
    worst_wall_s: tuple[float, str] = (0.0, "")
    worst_mb: tuple[float, str] = (0.0, "")
    #: hostile files without any fault in the reasons
    right: int = 0

    def add(self, case: Case, faults: Faults) -> None:
        """One file judged."""
        self.passed += faults.passed
        self.refused += faults.refused
        self.reason += faults.reason
        if case.genuine:
            self.genuine += 1
            self.accepted += not faults.refused
        else:
            self.files[case.family] += 1
            self.right += not faults.all()

    @property
    def hostile(self) -> int:
        """How many hostile files were judged."""
        return sum(self.files.values())


class Warden:
    """The process that judges under limits; a context manager."""

    def __init__(self, folder: Path, seconds: float, megabytes: int) -> None:
        self.seconds, self.megabytes = seconds, megabytes
        self._folder = folder
        command = [
            sys.executable,
            "-m",
            "plumbline.drill.hostile_pdf.warden",
            str(folder),
            str(seconds),
            str(megabytes),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(60)
        if self._process.stdout:
            self._process.stdout.close()

    def ask(self, road: str, path: Path) -> dict[str, Any]:
        """One file on one road."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the warden has no pipes")
        self._process.stdin.write(f"{road} {path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the warden ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def try_here(cases: Iterable[Case], desk: Desk, folder: Path) -> Tally:
    """All roads in this process, without limits."""
    tally = Tally()
    desk.save(folder)
    for case in cases:
        path = folder / "case.pdf"
        path.write_bytes(case.data)
        tally.add(case, judge(case, offline(path, folder), online(case.data, desk), vendor(case.data, desk)))
    return tally


def try_under_limits(
    cases: Iterable[Case], desk: Desk, folder: Path, *, seconds: float, megabytes: int, show: Show = print
) -> Tally:
    """All roads, each file and road in a process of its own."""
    tally = Tally()
    desk.save(folder)
    with Warden(folder, seconds, megabytes) as warden:
        for number, case in enumerate(cases, 1):
            path = folder / "case.pdf"
            path.write_bytes(case.data)
            _try(case, path, warden, tally)
            if number % 100 == 0:
                show(f"  {number} 份，最慢 {tally.worst_s[0]:.2f} 秒，最多 {tally.worst_mb[0]:.0f} MB")
    return tally


def _try(case: Case, path: Path, warden: Warden, tally: Tally) -> None:
    answers = {road: warden.ask(road, path) for road in _ROADS}
    for road, answer in answers.items():
        tally.worst_s = max(tally.worst_s, (answer["cpu_s"], case.name))
        tally.worst_wall_s = max(tally.worst_wall_s, (answer["wall_s"], case.name))
        tally.worst_mb = max(tally.worst_mb, (answer["peak_mb"], case.name))
        used = f"{answer['cpu_s']:.1f} 秒，{answer['peak_mb']:.0f} MB"
        if answer["killed"] or answer["cpu_s"] > warden.seconds or answer["peak_mb"] > warden.megabytes:
            tally.costly.append(f"{case.name}（{road}）：{'被中止，' * answer['killed']}{used}")
    if any(answer["killed"] for answer in answers.values()):
        tally.add(case, Faults(reason=[f"{case.name}：没有结论"]))
        return
    off, on, other = (answers[road] for road in _ROADS)
    told = Online(
        presented=on["presented"], registered=on["registered"], found=tuple(on["found"]), words=on["words"]
    )
    copy = Vendor(presented=other["presented"], registered=other["registered"])
    tally.add(case, judge(case, Offline(off["status"], off["text"]), told, copy))
