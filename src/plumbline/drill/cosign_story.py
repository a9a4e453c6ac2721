"""What happens in the drill of the cosigners (联署演练的情节)."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from plumbline.cosign.cosigner import Cosigner, initialise
from plumbline.domain.basics.identifiers import party_id
from plumbline.drill.outcome import Outcome
from plumbline.embedded.ports import free_port
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.scratch import scratch
from plumbline.embedded.supervisor import Supervisor
from plumbline.evidence.checkpoint import open_checkpoint, parse_verifier
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.uids import new_uid
from plumbline.sdk.client.receipts import ReceiptStore
from plumbline.supervision.boot import DATABASE, DEMO_OPERATOR, Settings, prepare, write_trust_roots
from plumbline.supervision.config import Platform
from plumbline.supervision.cosigner_entries import enter
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.cosigners import Configured, write_cosigners
from plumbline.supervision.journal.heads import CheckpointSigner, root_at
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.run import Serving, process_specs

WAIT_S = 60.0
_CAUGHT_UP = "SELECT 1 FROM ops.cosigner c, journal.head h WHERE c.name = %s AND c.size = h.size"
STATION = party_id(DEMO_OPERATOR.uscc).hex()


class Stage:
    """A platform with its processes, a cosigner of ours, and whoever keeps receipts."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.data, self.serving = folder, folder / "platform", Serving(port=port)
        self.cluster = Cluster(self.data)
        settings = Settings(
            origin="demo.drill.plumbline", public_url=self.serving.url, demo=True, operator=DEMO_OPERATOR
        )
        self.platform: Platform = prepare(self.data, self.cluster.start(), settings)
        self.keys = PlatformKeys.load(self.platform.folder("keys"))
        self.marks = self.platform.folder("marks")
        self.supervisor: Supervisor | None = None
        self.cosigner: subprocess.Popen[str] | None = None
        self.port = free_port()
        self.home = folder / "cosigner"
        initialise(self.home, name="drill.cosigner/1", trust_domain="演练", log_keys=self.log_keys())
        self.configured = Configured(
            url=f"http://127.0.0.1:{self.port}",
            keys=Cosigner(self.home).verifier_keys,
            trust_domain="演练",
        )
        enter(self.platform, self.keys, self.configured.name, self.configured, because="联署演练")
        self.receipts = ReceiptStore(folder / "receipts")

    def signer(self) -> CheckpointSigner:
        """A signer of a process that has just started."""
        return CheckpointSigner(self.keys.log, self.marks)

    def log_keys(self) -> list[str]:
        """The log's key of the first epoch."""
        return self.signer().verifier_keys(f"{self.platform.origin}/1")

    def list_cosigners(self, *cosigners: Configured) -> None:
        """`cosigners.toml` and `trust.txt`."""
        write_cosigners(self.marks, cosigners)
        write_trust_roots(self.platform, self.keys)

    def start(self) -> None:
        """Projector, worker, web, gateway."""
        specs = process_specs(self.platform, self.serving, free_port())
        wanted = [each for each in specs if each.name in ("worker", "gateway")]
        self.supervisor = Supervisor(wanted, self.platform.folder("logs"), report=lambda text: None)
        self.supervisor.start()

    def stop(self) -> None:
        """End them."""
        if self.supervisor is not None:
            self.supervisor.stop()
            self.supervisor = None

    def start_cosigner(self) -> None:
        """The cosigner's process."""
        command = [
            sys.executable,
            "-m",
            "plumbline.cli",
            "cosign",
            "serve",
            str(self.home),
            "--port",
            str(self.port),
        ]
        self.cosigner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.cosigner.stdout is not None
        self.cosigner.stdout.readline()

    def kill_cosigner(self) -> None:
        """SIGKILL."""
        if self.cosigner is not None:
            self.cosigner.kill()
            self.cosigner.wait(30)
            if self.cosigner.stdout:
                self.cosigner.stdout.close()
            self.cosigner = None

    def append(self, count: int, *, keep: bool = True) -> list[str]:
        """Entries, whose receipts are kept by the sender; their entry ids."""
        journal = Journal(self.platform.conninfo("plumb_gateway"), self.signer())
        sender = PlatformSender(journal, self.keys.signer("web"))
        try:
            outcomes = sender.append([sender.pending(_message()) for _ in range(count)])
        finally:
            journal.close()
        made = [each for each in outcomes if isinstance(each, Accepted)]
        for each in made if keep else []:
            self.receipts.keep(each.entry.hex(), each.receipt)
        return [each.entry.hex() for each in made]

    def rows(self, statement: str, *values: object) -> list[Any]:
        """Rows as the gateway's role sees them."""
        with psycopg.connect(self.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
            return conn.execute(statement.encode(), list(values)).fetchall()

    def await_cosigned(self, name: str = "drill.cosigner/1") -> bool:
        """Whether the cosigner comes up to the head."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            if self.rows(_CAUGHT_UP, name):
                return True
            time.sleep(0.1)
        return False

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`plumbline …` as a user types it."""
        command = [sys.executable, "-m", "plumbline.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    def check_receipts(self) -> subprocess.CompletedProcess[str]:
        """`plumbline receipts check`."""
        trust = ["--trust", str(self.data / "trust.txt")]
        return self.command("receipts", "check", str(self.receipts.folder), "--url", self.serving.url, *trust)

    def copy_database(self, source: str, target: str) -> None:
        """`target` becomes a copy of `source`; nobody is connected."""
        running = self.cluster.running()
        assert running is not None
        with psycopg.connect(running.dsn(), dbname="postgres", autocommit=True) as conn:
            conn.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)'.encode())
            conn.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"'.encode())

    def close(self) -> None:
        """End everything."""
        self.stop()
        self.kill_cosigner()
        self.cluster.stop()


def _message() -> PartyRegistered:
    now = datetime.now(UTC)
    return PartyRegistered(
        v=1,
        uid=new_uid(now),
        sender=STATION,
        occurred_at=now,
        party=STATION,
        uscc=DEMO_OPERATOR.uscc,
        name=DEMO_OPERATOR.name,
        roles=["station"],
        division=DEMO_OPERATOR.division,
    )


class Story:
    """The scenes in order; what breaks a promise is a sentence in `broken`."""

    def __init__(self, stage: Stage, arguments: argparse.Namespace) -> None:
        self.stage, self.arguments = stage, arguments
        self.dice = random.Random(arguments.seed)  # noqa: S311 (a drill that can be repeated)
        self.counts: dict[str, int | float | str] = {}
        self.broken: list[str] = []
        self.left_out: list[str] = []
        self.lacking: list[str] = []

    def require(self, held: object, sentence: str) -> None:
        """One promise."""
        if not held:
            self.broken.append(sentence)

    def killings(self) -> None:
        """The cosigner dies again and again while the log grows and checkpoints are on their way."""
        stage, rounds = self.stage, self.arguments.rounds
        for _ in range(rounds):
            stage.start_cosigner()
            for _ in range(self.dice.randrange(1, 4)):
                stage.append(self.dice.randrange(1, 20))
                time.sleep(self.dice.random() * 1.2)
            stage.kill_cosigner()
        stage.start_cosigner()
        stage.append(1)
        began = time.monotonic()
        self.require(stage.await_cosigned(), "联署方恢复以后没有赶上")
        self.counts["杀死联署方"] = rounds
        self.counts["恢复后赶上（秒）"] = round(time.monotonic() - began, 1)
        self._require_no_contradiction()

    def _require_no_contradiction(self) -> None:
        """Every cosignature that was kept is of the one history, and the cosigner remembers at least the largest."""
        stage = self.stage
        rows = stage.rows(
            "SELECT c.origin, c.size, c.note || s.line FROM journal.cosignature s JOIN journal.checkpoint c USING (origin, size) "
            "WHERE s.name = 'drill.cosigner/1' ORDER BY c.size"
        )
        keys = [parse_verifier(each) for each in [*stage.log_keys(), *stage.configured.keys]]
        with psycopg.connect(stage.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
            for _, size, note in rows:
                opened = open_checkpoint(note, keys)
                good = opened.cosigned_by and opened.checkpoint.root == root_at(conn, 1, size)
                self.require(good, f"{size} 条的联署不成立，或属于另一段历史")
        kept = Cosigner(stage.home).heads()[0]
        self.require(kept.size >= rows[-1][1], f"联署方只记得 {kept.size} 条，却签过 {rows[-1][1]} 条")
        self.require(not (stage.home / "contradictions").exists(), "没有人造假，联署方却记下了矛盾")
        self.counts["联署"] = len(rows)
        self.counts["日志条数"] = stage.rows("SELECT size FROM journal.head")[0][0]

    def outage(self) -> None:
        """The cosigner is away; what it missed is made up for by one signature."""
        stage = self.stage
        stage.kill_cosigner()
        for _ in range(10):
            stage.append(60)
        self.require(stage.check_receipts().returncode == 0, "没有人造假，回执对账却说对不上")
        before = len(stage.rows("SELECT 1 FROM journal.cosignature"))
        stage.start_cosigner()
        self.require(stage.await_cosigned(), "停机以后没有赶上")
        self.counts["停机期间的条数"] = 600
        self.counts["补上停机用的联署"] = len(stage.rows("SELECT 1 FROM journal.cosignature")) - before

    def restored(self) -> None:
        """The whole host goes back to a backup, its mark too; only the cosigner remembers."""
        stage = self.stage
        stage.stop()
        stage.copy_database(DATABASE, "backup")
        mark = (stage.marks / "local.mark").read_bytes()
        stage.start()
        self.lost = stage.append(self.dice.randrange(5, 30))
        self.require(stage.await_cosigned(), "备份以后的条目没有联署")
        self.require(stage.check_receipts().returncode == 0, "没有人造假，回执对账却说对不上")
        stage.stop()
        stage.copy_database("backup", DATABASE)
        (stage.marks / "local.mark").write_bytes(mark)
        answer = stage.command("log", "checkpoint", "--data-dir", str(stage.data))
        self.require(answer.returncode == 1 and "联署方" in answer.stderr, "恢复到以前的日志没有被联署方拦下")
        plan = stage.command("log", "resume", "--data-dir", str(stage.data))
        self.require(f"缺少：{len(self.lost)} 条" in plan.stdout, "另开一期时说的缺少条数不对")
        self.counts["恢复以后缺少"] = len(self.lost)

    def rewritten(self) -> None:
        """The operator strikes the cosigner off and signs another history with the same key."""
        stage = self.stage
        stage.list_cosigners()
        stage.append(len(self.lost) + 10, keep=False)
        stage.start()
        time.sleep(1.5)
        found = stage.check_receipts()
        named = sum(entry in found.stdout for entry in self.lost)
        self.require(found.returncode == 1, "换了历史，报送单位的回执对账没有发现")
        self.require(named == len(self.lost), f"缺少 {len(self.lost)} 条，回执对账只点出 {named} 条")
        self.require("历史被改写" in found.stdout, "回执对账没有说历史被改写")
        stage.list_cosigners(stage.configured)
        until, problem = time.monotonic() + WAIT_S, ""
        while not problem and time.monotonic() < until:
            problem = next((row[0] for row in stage.rows("SELECT problem FROM ops.cosigner")), "")
            time.sleep(0.2)
        self.require("改写" in problem or "分了叉" in problem, f"联署方没有拒绝另一段历史：{problem}")
        self.require((stage.home / "contradictions").exists(), "联署方没有留下日志自己签过的证据")
        self.counts["回执对账点出"] = named
        self.counts["联署方的话"] = problem
        stage.stop()

    def oracle(self) -> None:
        """A C2SP implementation that is not ours: its witness follows our log, its verifier reads our cosigner."""
        path: Path | None = self.arguments.oracle
        if path is None or not (path / "aics_witness").is_dir():
            self.lacking.append("没有给出别人写的 C2SP 实现（--oracle），没有互证")
            return
        from plumbline.drill.cosign_oracle import run_oracle

        found, broken = run_oracle(self.stage, path)
        self.counts |= found
        self.broken += broken


def run_story(arguments: argparse.Namespace) -> Outcome:
    """All scenes on one stage."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cosign-", dir=scratch()) as folder:
        stage = Stage(Path(folder), arguments.port)
        story = Story(stage, arguments)
        try:
            stage.list_cosigners(stage.configured)
            stage.start()
            scenes = (
                ("联署方被杀", story.killings),
                ("联署方停机", story.outage),
                ("与别人的实现互证", story.oracle),
                ("整台主机恢复到备份", story.restored),
                ("另写一段历史", story.rewritten),
            )
            if not any(arguments.until in name for name, _ in scenes):
                raise SystemExit(f"--until {arguments.until}：没有这一场；有 {'、'.join(dict(scenes))}")
            for number, (name, scene) in enumerate(scenes, 1):
                print(f"联署演练：{name}", flush=True)
                scene()
                if arguments.until and arguments.until in name:
                    story.left_out += [f"{each}（这次只做到“{name}”）" for each, _ in scenes[number:]]
                    break
        finally:
            stage.close()
    return Outcome(
        drill="cosign",
        seed=arguments.seed,
        seconds=time.monotonic() - began,
        counts=story.counts,
        broken=tuple(story.broken),
        left_out=tuple(story.left_out),
        lacking=tuple(story.lacking),
    )
