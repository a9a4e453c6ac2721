"""What happens in the drill of the anchors (上链演练的情节)."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from plumbline.domain.basics.identifiers import party_id
from plumbline.drill.evm_chain import EvmProcess, enlist
from plumbline.drill.node_option import NODE_REMEDY
from plumbline.drill.outcome import Outcome
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.scratch import scratch
from plumbline.evidence.anchor import log_id
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.uids import new_uid
from plumbline.sdk.anchor.findings import anchor_findings
from plumbline.sdk.anchor.node import Node
from plumbline.supervision.boot import DATABASE, DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.journal.anchoring import CHAINS
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.lookup import newest_checkpoint
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.worker.anchoring import AnchorRounds
from plumbline.supervision.worker.evm import Account

NAME = "drill.chain/1"
STATION = party_id(DEMO_OPERATOR.uscc).hex()
_STANDING = "SELECT state, size, problem FROM ops.anchor_chain"
_KEPT = """
SELECT c.note FROM journal.anchor a JOIN journal.checkpoint c ON c.origin = a.origin AND c.size = a.size ORDER BY a.size
"""


class Stage:
    """A platform without processes, a node, and the worker's rounds."""

    def __init__(self, folder: Path, program: Path, seed: int) -> None:
        self.cluster = Cluster(folder / "platform")
        settings = Settings(
            origin="demo.drill.plumbline", public_url="http://127.0.0.1:1", demo=True, operator=DEMO_OPERATOR
        )
        running = self.cluster.start()
        self.administrator = psycopg.conninfo.make_conninfo(running.dsn(), dbname=DATABASE)
        self.platform = prepare(folder / "platform", running, settings)
        self.gateway = self.platform.conninfo("plumb_gateway")
        keys = PlatformKeys.load(self.platform.folder("keys"))
        self.signer = CheckpointSigner(keys.log, self.platform.folder("marks"))
        self.journal = Journal(self.gateway, self.signer)
        self.sender = PlatformSender(self.journal, keys.signer("web"))
        self.node = EvmProcess(program, folder / "chain")
        self.random = random.Random(seed)  # noqa: S311 - which fault comes next
        self.rounds = self._new_rounds()
        self.seen: Counter[str] = Counter()

    def _new_rounds(self) -> AnchorRounds:
        return AnchorRounds(self.platform.folder("marks"), self.platform.folder("keys"))

    def restart_worker(self) -> None:
        """A worker that knows nothing of the one before it."""
        self.rounds.close()
        self.rounds = self._new_rounds()

    def register(self) -> None:
        """The contract and the list, as an operator makes them."""
        enlist(self.platform, self.node, NAME, confirmations=2)

    def append(self) -> None:
        """A few entries and a checkpoint."""
        now = datetime.now(UTC)
        for _ in range(self.random.randint(1, 4)):
            message = PartyRegistered(
                v=1,
                uid=new_uid(now),
                sender=STATION,
                occurred_at=now,
                party=STATION,
                uscc=DEMO_OPERATOR.uscc,
                name="某站",
                roles=["station"],
                division="610300",
            )
            self.sender.append([self.sender.pending(message)])
            self.seen["入账"] += 1
        newest_checkpoint(self.gateway, self.signer)

    def look(self) -> tuple[str, int, str]:
        """A round of the worker: (state, confirmed size, problem)."""
        self.rounds._paused.clear()
        with psycopg.connect(self.gateway, autocommit=True) as conn:
            self.rounds.round(conn)
            row = conn.execute(_STANDING).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    def pass_time(self) -> None:
        """Two hours go by."""
        with psycopg.connect(self.administrator) as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute("UPDATE journal.anchor SET received_at = received_at - interval '2 hours'")
            conn.execute("UPDATE ops.anchor_chain SET sent_at = sent_at - interval '2 hours'")

    def head(self) -> int:
        """Entries in the log."""
        with psycopg.connect(self.gateway) as conn:
            row = conn.execute("SELECT size FROM journal.head").fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """End everything."""
        self.rounds.close()
        self.node.kill()
        self.node.http.close()
        self.journal.close()
        self.cluster.stop()


def _lose(stage: Stage, *, sent: bool) -> None:
    """The worker dies between keeping what it sends and sending it, or before it hears that the node took it."""
    real = Account.send

    def send(account: Account, signed: Any) -> None:
        if sent:
            real(account, signed)
        raise ConnectionError("the process ended here")

    Account.send = send  # type: ignore[method-assign]
    try:
        stage.look()
    except ConnectionError:
        stage.seen["后台在发送中途退出"] += 1
    finally:
        Account.send = real  # type: ignore[method-assign]
    stage.restart_worker()


def _fault(stage: Stage) -> None:
    """One thing that goes wrong."""
    match stage.random.choice(["kill", "outage", "shallow", "deep", "drop", "before", "after", "none"]):
        case "kill":
            stage.look()
            stage.node.kill()
            stage.node.start()
            stage.seen["节点被杀"] += 1
        case "outage":
            stage.node.kill()
            for _ in range(3):
                _, _, problem = stage.look()
                stage.append()
                stage.seen["停机没有点名"] += "节点没有答复" not in problem
            stage.node.start()
            stage.seen["节点停机"] += 1
        case "shallow" | "deep" as depth:
            snapshot = stage.node.call("evm_snapshot")
            stage.look()
            if depth == "deep":
                stage.node.call("evm_mine")
                stage.look()
            stage.node.call("evm_revert", snapshot)
            stage.seen["链重组（确认以前）" if depth == "shallow" else "链重组（确认以后）"] += 1
        case "drop":
            stage.node.call("miner_stop")
            stage.look()
            stage.pass_time()
            stage.look()  # in its own place, offering more
            stage.node.call("miner_start")
            stage.seen["交易没有人收"] += 1
        case "before" | "after" as when:
            _lose(stage, sent=when == "after")
        case _:
            stage.look()


def _catch_up(stage: Stage, broken: list[str]) -> None:
    """Until the chain holds the newest checkpoint; a fault may cost some rounds, never the way back."""
    head = stage.head()
    for rounds in range(1, 40):
        stage.pass_time()
        state, size, _ = stage.look()
        stage.node.call("evm_mine")
        if (state, size) == ("confirmed", head):
            stage.seen["补齐最多用的轮数"] = max(stage.seen["补齐最多用的轮数"], rounds)
            return
    broken.append(f"故障以后没有补齐：链上确认 {size} 条，日志 {head} 条")


def _compare(stage: Stage, broken: list[str]) -> None:
    """Every anchor that is kept stands on the chain; what the contract holds only grew."""
    (chain,) = CHAINS.read(stage.platform.folder("marks"))
    with psycopg.connect(stage.gateway) as conn:
        notes = [row[0] for row in conn.execute(_KEPT).fetchall()]
    for note in notes:
        (told,) = anchor_findings(note, [chain.trusted], Node(chain.url, stage.node.http))
        if told.standing != "holds":
            broken.append(told.zh)
    logs = stage.node.call("eth_getLogs", {"fromBlock": "0x0", "address": chain.contract})
    sizes = [int(each["data"][2:66], 16) for each in logs]
    if sizes != sorted(set(sizes)):
        broken.append(f"合同里的条数没有只往前：{sizes}")
    stage.seen["总账里的上链"], stage.seen["链上的上链"] = len(notes), len(sizes)


def _rewrite(stage: Stage, broken: list[str]) -> None:
    """Somebody with the account's key anchors another history; the next round names it and sends nothing."""
    (chain,) = CHAINS.read(stage.platform.folder("marks"))
    account = Account.open(chain, stage.platform.folder("keys"))
    log, size = log_id(f"{stage.platform.origin}/1"), stage.head()
    account.send(account.sign(log, size + 1, b"x" * 32, account.next_nonce()))
    account.close()
    _, _, behind = stage.look()
    stage.append()
    while stage.head() < size + 1:
        stage.append()
    _, _, forked = stage.look()
    if "被恢复到了以前" not in behind or "分了叉或被改写" not in forked:
        broken.append(f"链上与日志不同，没有点名：{behind!r}、{forked!r}")


def run_story(arguments: argparse.Namespace) -> Outcome:
    """All of it."""
    if not arguments.node.exists():
        raise SystemExit(f"没有 {arguments.node}：{NODE_REMEDY}")
    began, broken = time.monotonic(), list[str]()
    with tempfile.TemporaryDirectory(prefix="plumb-anchor-", dir=scratch()) as name:
        stage = Stage(Path(name), arguments.node, arguments.seed)
        try:
            stage.register()
            for done in range(arguments.rounds):
                stage.append()
                stage.pass_time()
                _fault(stage)
                if done % 5 == 4:
                    _catch_up(stage, broken)
            stage.append()
            _catch_up(stage, broken)
            _compare(stage, broken)
            _rewrite(stage, broken)
        finally:
            stage.close()
    if silent := stage.seen.pop("停机没有点名", 0):
        broken.append(f"节点停机时有 {silent} 轮没有点名")
    return Outcome(
        drill="anchor",
        seed=arguments.seed,
        seconds=time.monotonic() - began,
        counts={"故障": arguments.rounds, **dict(sorted(stage.seen.items()))},
        broken=tuple(broken),
        left_out=("公开链：只在本机的 ganache 上做",),
    )
