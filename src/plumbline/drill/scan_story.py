"""What happens in the drill of the virus scan (查毒演练的情节): its promises, checked against what was sent."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.drill.kill.site import Site, open_site
from plumbline.drill.outcome import Outcome
from plumbline.embedded.scratch import scratch
from plumbline.supervision.scanner import Policy, Scanner, ScannerProblem, withheld_because

#: The harmless test file of the anti-virus makers, in two parts so that no scanner takes this program for it.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
#: No network, no database of others: the one signature that the drill needs.
SIGNATURE = f"Plumbline.Eicar.Test:0:*:{EICAR.hex()}\n"
READY_S = 120.0
_SCANS = "SELECT encode(sha256, 'hex'), scan, scan_found FROM ops.file WHERE state <> 'announced'"
_EVENTS = "SELECT subject, count(*) FROM ops.audit_event WHERE action = 'file.quarantined' GROUP BY subject"
_TOLD = "SELECT detail->'scanner'->>'problem' FROM ops.process WHERE kind = 'worker' AND detail ? 'scanner'"


@dataclass
class Clamd:
    """The real daemon on a socket of its own."""

    program: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"unix:{self.folder}/s"

    def start(self) -> str:
        """Start it and wait until it answers; its version."""
        (self.folder / "own.ndb").write_text(SIGNATURE)
        lines = (
            "LocalSocket {0}/s",
            "DatabaseDirectory {0}",
            "PidFile {0}/pid",
            "FixStaleSocket yes",
            "Foreground yes",
        )
        settings = "\n".join(each.format(self.folder) for each in lines)
        (self.folder / "clamd.conf").write_text(f"{settings}\nUser {getpass.getuser()}\n")
        command = [self.program, "-c", str(self.folder / "clamd.conf")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + READY_S
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(ScannerProblem):
                return Scanner(self.address).version()
            time.sleep(0.1)
        raise RuntimeError("clamd 没有起来")

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None


@dataclass
class Story:
    """What was sent, and what does not hold."""

    site: Site
    clamd: Clamd
    chance: random.Random
    infected: dict[str, bool] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    kills: int = 0

    def require(self, holds: bool, sentence: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.broken.append(sentence)

    def upload(self, count: int) -> None:
        """Files of all sizes, every fifth with the test virus somewhere in it; each is acknowledged before the next."""
        with self.site.client(0) as client:
            for _ in range(count):
                data, is_bad = (
                    self.chance.randbytes(self.chance.randrange(1, 200_000)),
                    self.chance.random() < 0.2,
                )
                if is_bad:
                    cut = self.chance.randrange(len(data))
                    data = data[:cut] + EICAR + data[cut:]
                self.infected[client.upload(data, "application/octet-stream")] = is_bad

    def scans(self) -> dict[str, str | None]:
        """What the rows say of the files that were sent."""
        return {
            digest: scan
            for digest, scan, _ in self.site.rows(_SCANS, role="plumb_worker")
            if digest in self.infected
        }

    def caught_up(self) -> bool:
        """Whether each has a verdict."""
        scans = self.scans()
        return len(scans) == len(self.infected) and None not in scans.values()

    def judge(self) -> None:
        """Every verdict against what was sent; one event for each infected file and none for others."""
        for digest, scan in self.scans().items():
            wanted = "infected" if self.infected[digest] else "clean"
            self.require(scan == wanted, f"{digest[:16]}… 应为 {wanted}，查成了 {scan}")
        events = dict(self.site.rows(_EVENTS, role="plumb_worker"))
        bad = {digest for digest, is_bad in self.infected.items() if is_bad}
        self.require(set(events) == bad, f"带毒文件 {len(bad)} 份，审计事件记了 {len(events)} 份")
        self.require(set(events.values()) <= {1}, "有一份带毒文件记了两次")


def run_story(arguments: argparse.Namespace) -> Outcome:
    """The whole drill; without a clamd it says that nothing was tried."""
    program, begun = arguments.clamd or shutil.which("clamd"), time.monotonic()
    if not program:
        told = ("这台机器上没有 clamd：请装 clamav-daemon，或用 --clamd 给出程序",)
        return Outcome(drill="scan", seed=arguments.seed, seconds=0.0, counts={"上传": 0}, lacking=told)
    with _folder() as folder, _settings(f"unix:{folder}/s"), open_site() as site:
        clamd = Clamd(program, folder)
        story = Story(site, clamd, random.Random(arguments.seed))  # noqa: S311 - a drill repeats itself
        try:
            version = _acts(story, arguments.files)
        finally:
            clamd.kill()
    counts = {
        "clamd": version,
        "上传（全部收下）": len(story.infected),
        "带毒": sum(story.infected.values()),
        "杀死 clamd": story.kills,
    }
    return Outcome(
        drill="scan",
        seed=arguments.seed,
        seconds=time.monotonic() - begun,
        counts=counts,
        broken=tuple(story.broken),
        left_out=("签名库的更新（freshclam）：演练只用自己的一条签名",),
    )


def _acts(story: Story, files: int) -> str:
    """Away, come, killed again and again while files arrive, and back for good."""
    site, clamd = story.site, story.clamd
    site.start(gateways=1)
    story.upload(files // 3)
    site.wait(
        lambda: any(told for (told,) in site.rows(_TOLD, role="plumb_worker")), "运行状态说连不上病毒扫描"
    )
    scans = story.scans().values()
    story.require(set(scans) <= {None}, "没有扫描程序，却有文件查过了")
    story.require(
        all(withheld_because(each, Policy.REQUIRE) for each in scans), "没有查的文件，在 require 之下会提供"
    )
    version = clamd.start()
    site.wait(story.caught_up, "补查停机时收下的文件")
    story.judge()
    while len(story.infected) < files:
        clamd.kill()
        story.kills += 1
        story.upload(max(1, files // 30))
        clamd.start()
        story.upload(max(1, files // 30))
    site.wait(story.caught_up, "补查最后收下的文件")
    story.judge()
    return version


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="plc-", dir=scratch())
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _settings(address: str) -> Iterator[None]:
    """The environment of the platform's processes, as its operator would set it."""
    wanted = {"PLUMB_CLAMD": address, "PLUMB_SCAN": Policy.REQUIRE.value}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
