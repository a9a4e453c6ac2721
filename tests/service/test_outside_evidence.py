"""Time stamps and anchors of a platform's checkpoints: kept, carried by receipts, audited, caught up, told (外部证据)."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from plumbline.domain.basics.identifiers import party_id
from plumbline.embedded.ports import free_port
from plumbline.evidence.anchor import log_id
from plumbline.evidence.attachments import STAMP_TYPE, attachments
from plumbline.evidence.checkpoint import parse_note
from plumbline.evidence.proof import parse_proof
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.uids import new_uid
from plumbline.sdk.anchor.findings import anchor_findings
from plumbline.sdk.anchor.node import Node
from plumbline.sdk.bundle.trust import read_trust
from plumbline.sdk.timestamp.findings import stamp_findings
from plumbline.supervision.anchor_commands import run_anchors
from plumbline.supervision.boot import DEMO_OPERATOR
from plumbline.supervision.dossier.build import _receipts
from plumbline.supervision.journal.anchoring import CHAINS
from plumbline.supervision.journal.audit import audit_journal
from plumbline.supervision.journal.audit_checkpoints import Kept
from plumbline.supervision.journal.lookup import newest_checkpoint
from plumbline.supervision.journal.outside_lists import ListProblem
from plumbline.supervision.journal.receipts import receipts_of
from plumbline.supervision.journal.stamping import SOURCES
from plumbline.supervision.reading.outside import anchor_sentence, is_late, stamp_sentence
from plumbline.supervision.stamp_commands import run_timestamps
from plumbline.supervision.worker.anchoring import AnchorRounds
from plumbline.supervision.worker.evm import Account, ChainProblem
from plumbline.supervision.worker.stamping import StampRounds
from plumbline.timestamp.authority import Authority
from plumbline.timestamp.command import run_timestamp
from plumbline.timestamp.serve import AuthorityServer

pytestmark = pytest.mark.service
STATION = party_id(DEMO_OPERATOR.uscc).hex()
NAME = "tsa.test/1"


class OutsideKit:
    """A quiet platform: entries, receipts, audits, and what the worker's round leaves behind."""

    #: table of the journal, and of ops
    evidence, standing = "", ""

    def __init__(self, tested: Any) -> None:
        self.tested = tested
        self.gateway = tested.platform.conninfo("plumb_gateway")
        self.marks = tested.platform.folder("marks")

    def append(self) -> tuple[Any, bytes]:
        """An entry, a checkpoint over it, and its identity."""
        now, sender = datetime.now(UTC), self.tested.sender()
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
        sender.append([sender.pending(message)])
        newest_checkpoint(self.gateway, self.tested.signer)
        return message.uid, bytes.fromhex(STATION)

    def looked(self, rounds: Any) -> dict[str, Any]:
        """A round of the worker, and the row that the page reads."""
        with psycopg.connect(self.gateway, autocommit=True) as conn:
            rounds.round(conn)
        with psycopg.connect(
            self.tested.platform.conninfo("plumb_worker"), row_factory=psycopg.rows.dict_row
        ) as conn:
            row = conn.execute(f"SELECT *, clock_timestamp() AS now FROM {self.standing}".encode()).fetchone()
        assert row is not None
        return row

    def changed(self, change: str) -> None:
        """A change that only whoever holds the server can make."""
        with self._as_administrator() as conn:
            conn.execute(change.encode())
            conn.commit()

    def audited(self, change: str = "") -> list[str]:
        """What an audit says after a change that is taken back."""
        kept = Kept.of(self.marks)
        with self._as_administrator() as conn:
            if change:
                conn.execute(f"UPDATE {self.evidence} SET {change}".encode())
            return audit_journal(conn, kept)

    @contextmanager
    def _as_administrator(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.tested.administrator, dbname=self.tested.platform.database.name) as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            yield conn
            conn.rollback()

    def receipt(self, identity: Any) -> str:
        """A receipt as the gateway gives it."""
        with psycopg.connect(self.gateway, autocommit=True) as conn:
            return receipts_of(conn, self.tested.signer, [identity], attested=True)[identity].receipt


class Kit(OutsideKit):
    """A platform, a time-stamp authority on its list, and what the worker does for them."""

    evidence, standing = "journal.stamp", "ops.stamp_authority"

    def __init__(self, tested: Any, folder: Path) -> None:
        super().__init__(tested)
        self.folder, self.port = folder, free_port()
        made = Namespace(what="init", folder=str(folder), name=NAME, trust_domain="某大学", policy="")
        assert run_timestamp(made) == 0
        self.rounds = StampRounds(self.marks)

    def command(self, what: str, name: str = "", **told: Any) -> int:
        """`plumbline timestamps`."""
        given = {"url": None, "certificate": None, "trust_domain": None, "own": False, "every": None}
        given |= {"policy": "", "by": "某人"} | told
        return run_timestamps(self.tested.platform, Namespace(what=what, name=name, **given))

    def listed(self) -> None:
        """The authority is put on the list as an operator does it."""
        root = str(self.folder / "root.cert.pem")
        url = f"http://127.0.0.1:{self.port}"
        assert self.command("add", NAME, url=url, certificate=root, trust_domain="某大学") == 0

    @contextmanager
    def served(self) -> Iterator[None]:
        """The authority answers."""
        server = AuthorityServer(("127.0.0.1", self.port), Authority(self.folder))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def round(self) -> dict[str, Any]:
        """What the worker does every few seconds, and the row that the page reads."""
        row = self.looked(self.rounds)
        return row | {"at": row["stamped_at"]}

    def pass_an_interval(self) -> None:
        """What was stamped was stamped two hours ago."""
        self.changed("UPDATE journal.stamp SET received_at = received_at - interval '2 hours'")
        self.rounds._paused.clear()


@pytest.fixture
def kit(quiet_platform: Any, tmp_path: Path) -> Kit:
    return Kit(quiet_platform, tmp_path / "tsa")


def test_a_checkpoint_is_stamped_at_its_interval_and_every_receipt_below_it_says_so(kit: Kit) -> None:
    first = kit.append()
    kit.listed()
    down = kit.round()
    assert (down["size"], down["problem"]) == (0, "没有答复（ConnectError）")
    assert is_late(down)
    kit.rounds._paused.clear()
    with kit.served():
        seen = kit.round()
        assert (seen["size"], seen["problem"], seen["behind_since"]) == (2, "", None)
        assert not is_late(seen)
        assert stamp_sentence(seen).startswith("某大学，盖到 ") and "每 1 小时一次" in stamp_sentence(seen)
        later = kit.append()
        assert kit.round()["size"] == 2  # the interval has not passed
        assert kit.round()["behind_since"] is not None
        kit.pass_an_interval()
        assert kit.round()["size"] == 3
        kit.pass_an_interval()
        assert kit.round()["size"] == 3  # nothing new: nothing is stamped
    trust = read_trust([str(kit.tested.platform.data_dir / "trust.txt")])
    notes = [parse_proof(kit.receipt(each)).checkpoint_note for each in (first, later)]
    assert [note.split("\n")[1] for note in notes] == ["2", "3"]  # the earliest that covers it says the most
    for note in notes:
        (told,) = stamp_findings(note, trust.authorities)
        assert told.standing == "holds" and "某大学" in told.zh
    assert kit.audited() == []
    for change in ("name = 'tsa.test/2'", "stamped_at = stamped_at + interval '1 s'", "size = size + 7"):
        (told,) = kit.audited(f"{change} WHERE size = 2")
        assert "条的时间戳：" in told, change
    (told,) = kit.audited("token = set_byte(token, 90, 0) WHERE size = 2")
    assert f"{NAME} 对 2 条的时间戳：" in told
    other = kit.folder.with_name("other")
    assert (
        run_timestamp(Namespace(what="init", folder=str(other), name=NAME, trust_domain="某大学", policy=""))
        == 0
    )
    root = str(other / "root.cert.pem")  # tokens that are kept are of the former root
    assert kit.command("add", NAME, url="http://tsa", certificate=root, trust_domain="某大学") == 1
    assert kit.command("remove", NAME) == 0
    assert kit.audited() == []  # its root stays on the list
    assert kit.command("list") == 0


def test_in_a_bundle_one_entry_reaches_the_head_and_the_others_keep_their_stamps(kit: Kit) -> None:
    early = [kit.append(), kit.append()]
    kit.listed()
    with kit.served():
        assert kit.round()["size"] == 3
    signer, log = kit.tested.signer, [*early, kit.append()]
    for entries, stamped in ((log, [True, True, False]), (early, [False, True])):
        found = _receipts(kit.gateway, signer, entries, 4)
        notes = [parse_proof(found[each].receipt).checkpoint_note for each in entries]
        assert [bool(attachments(parse_note(note), STAMP_TYPE)) for note in notes] == stamped
        assert "\n4\n" in notes[stamped.index(False)]
    found = _receipts(kit.gateway, signer, early, 3)  # nothing newer is asked for: all keep theirs
    notes = [parse_proof(found[each].receipt).checkpoint_note for each in early]
    assert all(attachments(parse_note(note), STAMP_TYPE) for note in notes)


def test_an_authority_that_is_not_the_one_on_the_list_is_named_and_nothing_is_kept(
    kit: Kit, tmp_path: Path
) -> None:
    kit.append()
    other = Kit(kit.tested, tmp_path / "other")
    kit.listed()
    (source,) = SOURCES.read(kit.marks)
    with other.served():
        SOURCES.write(kit.marks, [replace(source, url=f"http://127.0.0.1:{other.port}")])
        told = kit.round()
    assert (told["size"], told["problem"]) == (0, "时间戳不是您信任的机构盖的")
    assert kit.append()  # reception knows nothing of it


def test_a_list_that_cannot_be_read_leaves_the_last_one_in_force_and_says_why(kit: Kit) -> None:
    kit.listed()
    path = kit.marks / SOURCES.file
    good = path.read_text("utf-8")
    for spoilt, word in (
        (good.replace("http:", "ftp:"), "http"),
        (good.replace("某大学", ""), "信任域"),
        (good.replace("every_minutes = 60", "every_minutes = 0"), "every_minutes"),
        (good.replace("BEGIN", "BEGUN"), "PEM"),
        (good.replace("url", "adress"), "adress"),
        (good.replace(NAME, "a b"), "空格"),
        (good + good, "同名"),
        ("[[authority", "读不懂"),
    ):
        path.write_text(spoilt, "utf-8")
        with pytest.raises(ListProblem, match=word):
            SOURCES.read(kit.marks)
        assert SOURCES.known(kit.marks)[0][0].name == NAME
    kit.append()
    assert "读不懂" in kit.round()["list_problem"]


CHAIN = "chain.test/1"
ROOT = Path(__file__).parents[2]
MODULES = ROOT / "tests" / "chain" / "node_modules"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / ".package-lock.json").is_file(),
    reason="没有 node 或 tests/chain/node_modules：请执行 npm ci --prefix tests/chain",
)


class EvmNode:
    """A real node, ganache, with one funded account."""

    def __init__(self) -> None:
        self.port, self.key = free_port(), "0x" + "17" * 32
        command = ["node", str(MODULES / "ganache" / "dist" / "node" / "cli.js"), "--logging.quiet"]
        command += ["--server.port", str(self.port), f"--wallet.accounts={self.key},1000000000000000000000"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(trust_env=False, timeout=60)
        until = time.monotonic() + 120
        while True:
            try:
                assert self.call("eth_chainId") == "0x539"
                return
            except httpx.HTTPError:
                assert self.process.poll() is None, "ganache has ended: is this Node.js 18 or later?"
                assert time.monotonic() < until
                time.sleep(0.05)

    def call(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC question."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        return self.http.post(self.url, json=body).json()["result"]

    def stop(self) -> None:
        """End."""
        self.http.close()
        self.process.kill()
        self.process.wait(60)


class ChainKit(OutsideKit):
    """A platform whose checkpoints are anchored at a node."""

    evidence, standing = "journal.anchor", "ops.anchor_chain"

    def __init__(self, tested: Any, node: EvmNode) -> None:
        super().__init__(tested)
        self.node, self.keys = node, tested.platform.folder("keys")
        self.rounds = AnchorRounds(self.marks, self.keys)

    def command(self, what: str, name: str = "", **told: Any) -> int:
        """`plumbline anchors`."""
        given = {"url": self.node.url, "chain_id": 1337, "contract": None, "deploy": False}
        given |= {
            "trust_domain": "某联盟链",
            "every": None,
            "confirmations": 2,
            "max_gwei": None,
            "by": "某人",
        } | told
        return run_anchors(self.tested.platform, Namespace(what=what, name=name, **given))

    def listed(self) -> None:
        """A contract of the platform's own, put on the list as an operator does it."""
        (self.keys / "anchor-chain.test_1.key").write_text(self.node.key)
        (self.keys / "anchor-chain.test_1.key").chmod(0o600)
        assert self.command("add", CHAIN, deploy=True) == 0

    def round(self) -> dict[str, Any]:
        """A round of the worker, without the pauses after a failure."""
        self.rounds._paused.clear()
        row = self.looked(self.rounds)
        return row | {"at": row["anchored_at"]}

    def confirmed(self) -> dict[str, Any]:
        """Rounds and blocks until nothing is under way."""
        self.round()
        self.node.call("evm_mine")
        return self.round()

    def pass_time(self) -> None:
        """What was sent or confirmed was so two hours ago."""
        self.changed("UPDATE journal.anchor SET received_at = received_at - interval '2 hours'")
        self.changed("UPDATE ops.anchor_chain SET sent_at = sent_at - interval '2 hours'")

    def findings(self, identity: Any, *, listed: bool = True) -> Any:
        """What a reader with this list of contracts finds on the chain about an entry."""
        trust = read_trust([str(self.tested.platform.data_dir / "trust.txt")]).contracts if listed else []
        note = parse_proof(self.receipt(identity)).checkpoint_note
        return anchor_findings(note, trust, Node(self.node.url, self.node.http))


@pytest.fixture(scope="module")
def evm_node() -> Iterator[EvmNode]:
    made = EvmNode()
    yield made
    made.stop()


@pytest.fixture
def anchored(quiet_platform: Any, evm_node: EvmNode) -> Iterator[ChainKit]:
    made = ChainKit(quiet_platform, evm_node)
    made.listed()
    yield made
    made.rounds.close()


@pytest.mark.clause("CECS 4.1.2-d", "CECS 7.2.3")
@needs_node
@pytest.mark.chain
def test_one_transaction_anchors_all_that_came_before_and_a_reader_finds_it_on_the_chain(
    anchored: ChainKit,
) -> None:
    first = anchored.append()
    sent = anchored.round()
    assert (sent["state"], sent["sent_size"], sent["size"]) == ("sent", 2, 0)
    assert anchored.round()["confirmations"] == 1  # one block more is asked for
    anchored.node.call("evm_mine")
    done = anchored.round()
    assert (done["state"], done["size"], done["problem"]) == ("confirmed", 2, "")
    assert not is_late(done)
    assert "某联盟链，写到 " in anchor_sentence(done)
    (told,) = anchored.findings(first)
    assert told.standing == "holds" and "之前已存在" in told.zh and "某联盟链" in told.zh
    (unlisted,) = anchored.findings(first, listed=False)
    assert unlisted.standing == "unchecked"
    for _ in range(3):
        last = anchored.append()
    anchored.round()
    assert anchored.round()["sent_size"] == 2  # the interval has not passed
    anchored.pass_time()
    assert anchored.confirmed()["size"] == 5
    assert [each.standing for each in anchored.findings(last)] == ["holds"]
    assert anchored.audited() == []
    for change in ("name = 'other/1'", "anchored_at = anchored_at + interval '1 s'", "size = size + 9"):
        (said,) = anchored.audited(f"{change} WHERE size = 2")
        assert "条的上链：" in said, change
    assert anchored.command("check") == anchored.command("list") == 0
    (chain,) = CHAINS.read(anchored.marks)
    assert anchored.command("add", CHAIN, contract="0x" + "ab" * 20) == 1  # receipts speak of the contract
    CHAINS.write(anchored.marks, [replace(chain, chain_id=5)])
    assert anchored.command("check") == 1  # a node of another chain: named, not a crash
    CHAINS.write(anchored.marks, [chain])
    assert anchored.command("remove", CHAIN) == 0


@needs_node
@pytest.mark.chain
def test_outages_dropped_transactions_and_reorganisations_are_made_up_for(anchored: ChainKit) -> None:
    first = anchored.append()
    (chain,) = CHAINS.read(anchored.marks)
    CHAINS.write(anchored.marks, [replace(chain, url=f"http://127.0.0.1:{free_port()}")])
    down = anchored.round()
    assert down["problem"].startswith("节点没有答复") and is_late(down)
    anchored.append()  # reception knows nothing of it
    CHAINS.write(anchored.marks, [chain])
    snapshot = anchored.node.call("evm_snapshot")
    assert anchored.round()["sent_size"] == 3  # one transaction, whatever was missed
    assert anchored.node.call("evm_revert", snapshot)  # the block with the transaction is gone
    waiting = anchored.round()
    assert (waiting["state"], waiting["size"]) == ("sent", 0)
    anchored.pass_time()
    snapshot = anchored.node.call("evm_snapshot")
    assert anchored.confirmed()["size"] == 3
    assert anchored.node.call("evm_revert", snapshot)  # deeper than the operator reckoned with
    (gone,) = anchored.findings(first)
    assert gone.standing == "fails" and "链重组过" in gone.zh
    anchored.append()
    assert (
        "链重组过，正在重新写" in anchored.round()["problem"]
    )  # the very same one, for the sake of the receipts
    (again,) = anchored.findings(first)
    assert again.standing == "holds" and "链重组以后换了块" in again.zh
    assert (anchored.round()["state"], anchored.round()["problem"]) == ("confirmed", "")
    anchored.node.call("miner_stop")
    anchored.pass_time()
    assert anchored.round()["sent_size"] == 4
    offered = next(iter(anchored.rounds._accounts.values())).offered
    anchored.pass_time()  # nobody took it in: it is sent in its own place, offering more
    assert anchored.round()["problem"] == ""
    assert next(iter(anchored.rounds._accounts.values())).offered > offered
    anchored.node.call("miner_start")
    anchored.node.call("evm_mine")
    assert anchored.confirmed()["size"] == 4


@needs_node
@pytest.mark.chain
def test_another_chain_contract_owner_or_history_is_named_and_nothing_is_sent(anchored: ChainKit) -> None:
    entry = anchored.append()
    (chain,) = CHAINS.read(anchored.marks)
    for wrong, word in (
        (replace(chain, chain_id=5), "节点属于链 1337"),
        (replace(chain, contract="0x" + "ab" * 20), "没有上链合同"),
    ):
        CHAINS.write(anchored.marks, [wrong])
        assert word in anchored.round()["problem"]
    key = anchored.keys / chain.key_file
    CHAINS.write(anchored.marks, [replace(chain, every_minutes=61)])
    for text, mode, word in (
        ("22" * 32, 0o600, "合同的主人是"),
        ("22" * 32, 0o644, "别人也能读"),
        ("no key", 0o600, "不是账户密钥"),
    ):
        anchored.rounds.close()
        key.write_text(text)
        key.chmod(mode)
        assert word in anchored.round()["problem"]
    key.write_text(anchored.node.key)
    CHAINS.write(anchored.marks, [chain])
    assert anchored.confirmed()["size"] == 2
    account = Account.open(chain, anchored.keys)
    log = log_id(f"{anchored.tested.platform.origin}/1")
    with pytest.raises(ChainProblem, match="合同拒绝"):  # the contract never goes back
        account.sign(log, 2, b"x" * 32, account.next_nonce())
    account.send(
        account.sign(log, 3, b"x" * 32, account.next_nonce())
    )  # somebody with the key anchors another history
    assert "被恢复到了以前" in anchored.round()["problem"]
    forged = anchored.append()
    assert "分了叉或被改写" in anchored.round()["problem"]
    account.close()
    assert [each.standing for each in anchored.findings(entry)] == ["holds"]
    (told,) = anchored.findings(forged)
    assert told.standing == "fails" and "日志分了叉" in told.zh


@needs_node
@pytest.mark.chain
def test_the_committed_contract_is_what_its_source_compiles_to() -> None:
    folder = ROOT / "src" / "plumbline" / "sdk" / "anchor" / "contract"
    ran = subprocess.run(
        ["node", "compile.js", "--compare"],
        cwd=folder,
        env=os.environ | {"NODE_PATH": str(MODULES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (ran.returncode, ran.stdout) == (0, "the same\n"), ran.stderr
