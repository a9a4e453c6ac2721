"""What a node that lies, floods or asks too much can do to the worker (上链账户): nothing but one plain sentence."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plumbline.sdk.anchor.artefact import artefact
from plumbline.supervision.journal import anchoring, stamping
from plumbline.supervision.journal.anchoring import AnchorChain
from plumbline.supervision.journal.stamping import StampSource
from plumbline.supervision.worker.anchoring import _Visit
from plumbline.supervision.worker.evm import GWEI, MAX_ANSWER, Account, ChainProblem, read_key

KEY, LOG, ROOT = "17" * 32, b"l" * 32, b"\x22" * 32
HELD = "0x" + ROOT.hex() + f"{5:064x}"


class LyingNode:
    """Answers each method with what it was told: a result, a whole error, or raw bytes."""

    def __init__(self) -> None:
        told = self.told = dict[str, Any]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                value = told.get(asked["method"], "0x1")
                if not isinstance(value, bytes):
                    body = value if isinstance(value, dict) else {"result": value}
                    value = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **body}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(value)

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def node() -> Iterator[LyingNode]:
    made = LyingNode()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def account(node: LyingNode, tmp_path: Path) -> Iterator[Account]:
    chain = AnchorChain(
        name="c/1", url=node.url, trust_domain="某链", chain_id=1, contract="0x" + "ab" * 20, max_gwei=7
    )
    (tmp_path / chain.key_file).write_text(KEY)
    (tmp_path / chain.key_file).chmod(0o600)
    made = Account.open(chain, tmp_path)
    node.told |= {
        "eth_getCode": f"0x{artefact().deployed}",
        "eth_call": f"0x{made.key.address[2:].lower():0>64}",
    }
    yield made
    made.close()


def _problem(action: Any) -> str:
    with pytest.raises(ChainProblem) as told:
        action()
    assert str(told.value).isprintable()
    return str(told.value)


def test_whatever_a_node_answers_is_one_plain_sentence_without_its_words(
    node: LyingNode, account: Account
) -> None:
    account.require()
    spoilt = ["0x" + "f" * 5000, "-0x5", [], None, "0x", "zz", 3.5, b"", b"<html>", b"[" * (MAX_ANSWER - 9)]
    for value in (*spoilt, b"0" * (MAX_ANSWER + 1), {"error": {"code": 1, "message": "a\0\ud800\x1b said"}}):
        node.told["eth_chainId"] = value
        assert "said" not in _problem(account.require)
    node.told["eth_chainId"] = "0x1"
    for last in (f"{2**64 - 1:064x}", f"{2**62:064x}"):
        node.told["eth_call"] = HELD + last
        assert "时间" in _problem(lambda: account.held(LOG, 5))
    node.told["eth_call"] = f"{HELD}{1_790_000_000:064x}"
    held = account.held(LOG, 5)
    assert held is not None
    for logs in ([None], ["x"], {"a": 1}, "0x"):
        node.told["eth_getLogs"] = logs
        _problem(lambda: account.place(LOG, 5, held))


def test_neither_a_node_nor_a_stalled_chain_makes_the_account_offer_more_than_the_list_allows(
    node: LyingNode, account: Account
) -> None:
    node.told |= {"eth_estimateGas": "0x15f90", "eth_gasPrice": hex(GWEI)}
    for _ in range(40):
        account.sign(LOG, 5, ROOT, 0)
    assert account.offered == 7 * GWEI
    node.told["eth_gasPrice"] = hex(8 * GWEI)
    assert "max_gwei" in _problem(lambda: account.sign(LOG, 5, ROOT, 0))
    node.told["eth_chainId"] = "0x5"
    assert "节点属于链 5" in _problem(account.deploy)  # before anything is paid


def test_the_library_leaves_the_depth_of_the_process_as_it_was(account: Account) -> None:
    assert sys.getrecursionlimit() <= 10_000, "nested brackets of a hostile answer would end the process"


@pytest.mark.parametrize("text", ["", "17 " * 31 + "17", "00" * 32, "ff" * 32, "g" * 64])
def test_a_file_that_is_no_key_is_named_without_its_folder_and_what_it_holds(
    tmp_path: Path, text: str
) -> None:
    chain = AnchorChain(name="c/1", url="http://n", trust_domain="x", chain_id=1, contract="0x" + "ab" * 20)
    path = tmp_path / chain.key_file
    assert str(tmp_path) not in _problem(lambda: read_key(path))
    path.write_text(text)
    path.chmod(0o600)
    told = _problem(lambda: Account.open(chain, tmp_path))
    assert chain.key_file in told and str(tmp_path) not in told and (not text or text not in told)


@pytest.mark.parametrize(
    ("ago_s", "is_due"), [(-1, True), (0, False), (3599, False), (3600, True), (-5 * 365 * 86400, True)]
)
def test_stamps_and_anchors_are_due_after_their_interval_and_when_the_last_lies_ahead(
    ago_s: int, *, is_due: bool
) -> None:
    """A wrong clock dated the last one five years ahead: nothing waits until then."""
    now, ago = datetime(2026, 11, 23, tzinfo=UTC), timedelta(seconds=ago_s)
    chain = AnchorChain(
        name="c", url="http://n", trust_domain="x", chain_id=1, contract="0x" + "ab" * 20, every_minutes=60
    )
    source = StampSource(name="t", url="http://n", trust_domain="x", certificate="", every_minutes=60)
    assert anchoring.is_due(chain, now - ago, now) is is_due
    assert stamping.is_due(source, now - ago, now) is is_due


@pytest.mark.parametrize(("ago_s", "is_under_way"), [(-1, False), (0, True), (299, True), (300, False)])
def test_a_transaction_is_under_way_for_five_minutes_and_not_before_it_was_sent(
    ago_s: int, *, is_under_way: bool
) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    newest = SimpleNamespace(origin="log.test/1")
    row = ("sent", newest.origin, 9, now - timedelta(seconds=ago_s), now)
    visit = _Visit(None, None, None, newest, row)  # type: ignore[arg-type]
    assert visit._is_under_way(8) is is_under_way
    assert not visit._is_under_way(9)
