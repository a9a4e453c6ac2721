"""Anchors as a reader meets them: what a node may answer, what a list may hold (上链核验)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from plumbline.evidence.anchor import AnchorPlace, log_id
from plumbline.evidence.attachments import ANCHOR_TYPE, MAX_ATTACHMENT, format_attachment
from plumbline.evidence.checkpoint import Checkpoint, open_checkpoint, parse_note
from plumbline.evidence.testing import InMemoryLog
from plumbline.sdk.anchor.artefact import artefact
from plumbline.sdk.anchor.findings import AnchorFinding, anchor_findings
from plumbline.sdk.anchor.node import MAX_ANSWER, Node, NodeProblem
from plumbline.sdk.anchor.trust import contract_as_line, contract_from_line

CONTRACT = contract_from_line("anchor chain.test/1 1337 0x" + "ab" * 20 + " 某联盟链")
PLACE = AnchorPlace(
    chain_id=1337,
    contract=CONTRACT.contract,
    block_number=7,
    block_hash=b"\x07" * 32,
    block_time=1_790_000_000,
    transaction=b"\x01" * 32,
    log_index=0,
)


@pytest.fixture
def log() -> InMemoryLog:
    made = InMemoryLog("demo.log.test")
    made.grow(3)
    return made


def _chain(root: bytes, **other: Any) -> dict[str, Any]:
    """What a node answers whose contract holds a root."""
    held = f"0x{root.hex()}{7:064x}{1_790_000_000:064x}"
    told = {
        "eth_chainId": "0x539",
        "eth_blockNumber": "0x10",
        "eth_call": held,
        "eth_getCode": f"0x{artefact().deployed}",
    }
    return told | {"eth_getBlockByNumber": {"hash": f"0x{'07' * 32}"}} | other


def _asked(note: str, answers: dict[str, Any], contracts: Any = (CONTRACT,)) -> list[AnchorFinding]:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"result": answers[json.loads(request.content)["method"]]})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        return list(anchor_findings(note, contracts, Node("http://node", http)))


def test_the_state_of_the_contract_decides_and_the_line_only_says_where_to_look(log: InMemoryLog) -> None:
    note = log.checkpoint()
    root = Checkpoint.parse(parse_note(note).text).root
    line = format_attachment(CONTRACT.name, ANCHOR_TYPE, PLACE.encode())
    assert open_checkpoint(note + line, log.verifiers).checkpoint.size == 3
    for each in (note, note + line):
        (told,) = _asked(each, _chain(root))
        assert told.standing == "holds" and not told.is_moved and "第 7 块，其后又有 9 块" in told.zh
    moved = _asked(note + line, _chain(root, eth_getBlockByNumber={"hash": f"0x{'08' * 32}"}))
    assert moved[0].standing == "holds" and moved[0].is_moved and "换了块" in moved[0].zh
    earlier = replace(PLACE, block_time=PLACE.block_time - 86_400)
    (dated,) = _asked(note + format_attachment(CONTRACT.name, ANCHOR_TYPE, earlier.encode()), _chain(root))
    assert (dated.standing, dated.is_moved, dated.at) == (
        "holds",
        True,
        PLACE.at,
    ) and "以链上的为准" in dated.zh
    assert _asked(note + line, _chain(bytes(32)))[0].standing == "fails"
    assert _asked(note, _chain(bytes(32)))[0].standing == "unchecked"
    assert _asked(note, _chain(b"x" * 32))[0].standing == "fails"
    assert _asked(note, _chain(root, eth_getCode="0x00"))[0].standing == "fails"
    assert _asked(note + line, _chain(root, eth_chainId="0x1"))[0].standing == "unchecked"
    assert _asked(note + line, _chain(root), ())[0].standing == "unchecked"
    (claimed,) = anchor_findings(note + line, [CONTRACT], None)
    assert claimed.standing == "unchecked" and "--anchor" in claimed.zh


@pytest.mark.parametrize(
    "value",
    [None, 7, "0xzz", "no", "0x", "0x00", [], {"hash": 1}, True, "0x" + "f" * 5000, "-0x1", "0x" + "3" * 192],
)
@pytest.mark.parametrize("method", ["eth_chainId", "eth_blockNumber", "eth_call", "eth_getBlockByNumber"])
def test_whatever_a_node_answers_nothing_holds_by_it(log: InMemoryLog, method: str, value: Any) -> None:
    note = log.checkpoint()
    root = Checkpoint.parse(parse_note(note).text).root
    told = _asked(note, _chain(root, **{method: value}))
    assert all(each.standing != "holds" for each in told)


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: httpx.Response(200, content=b"0" * (MAX_ANSWER + 1)),
        lambda request: httpx.Response(200, content=b"<html>"),
        lambda request: httpx.Response(200, json=[]),
        lambda request: httpx.Response(200, content=b"[" * 100_000),
        lambda request: httpx.Response(500, json={"error": {"code": 1}}),
    ],
)
def test_a_node_that_answers_something_else_is_one_plain_sentence(
    answer: Callable[[httpx.Request], httpx.Response],
) -> None:
    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as http,
        pytest.raises(NodeProblem, match="节点"),
    ):
        Node("http://node", http).chain_id()
    with httpx.Client() as http, pytest.raises(NodeProblem, match="http"):
        Node("node:8545", http)


def test_a_place_has_112_bytes_and_a_line_of_the_list_four_words() -> None:
    assert AnchorPlace.decode(PLACE.encode()) == PLACE
    assert len(PLACE.encode()) == 112
    for spoilt in (b"", PLACE.encode()[:-1], b"\xff" * 112):
        with pytest.raises(ValueError, match=r"bytes|range"):
            AnchorPlace.decode(spoilt)
    for data in (b"", b"x" * (MAX_ATTACHMENT + 1)):
        with pytest.raises(ValueError, match="bytes"):
            format_attachment("a/1", ANCHOR_TYPE, data)
    assert contract_from_line(contract_as_line(CONTRACT)) == CONTRACT
    for line in (
        "anchor a/1 1337",
        "anchor a/1 x 0x" + "ab" * 20,
        "anchor a/1 1 0xab",
        "other a/1 1 0x" + "ab" * 20,
    ):
        with pytest.raises(ValueError, match=r"anchor|合同地址"):
            contract_from_line(line)
    assert len(log_id("demo.log.test")) == 32
