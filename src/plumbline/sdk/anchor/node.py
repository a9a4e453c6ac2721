"""Asking a node of an EVM chain (问链上节点): JSON-RPC by HTTP, four questions, no library of the chain's own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from plumbline.evidence.anchor import MAX_SECONDS
from plumbline.sdk.anchor.artefact import artefact

#: Bytes that are read of an answer: a block without its transactions' contents, a receipt.
MAX_ANSWER = 1024 * 1024
TIMEOUT_S = 15.0


class NodeProblem(RuntimeError):
    """A node does not answer, or not with what was asked; the message is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the contract holds of a log at a size."""

    root: bytes
    block_number: int
    block_time: int


class Node:
    """One node that the reader named; what it says is its word, and the chain's makers'."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        if not url.startswith(("http://", "https://")):
            raise NodeProblem(f"节点地址 {url!r} 应以 http:// 或 https:// 开头")
        self._url, self._http = url, http

    def chain_id(self) -> int:
        """The number of the chain."""
        return _number(self._ask("eth_chainId"))

    def height(self) -> int:
        """The number of the newest block."""
        return _number(self._ask("eth_blockNumber"))

    def code(self, contract: bytes) -> str:
        """The code at an address, hexadecimal without 0x; empty where there is none."""
        return _text(self._ask("eth_getCode", f"0x{contract.hex()}", "latest"))

    def held(self, contract: bytes, log: bytes, size: int) -> Held | None:
        """What the contract holds; None when nothing was anchored at that size."""
        selector = artefact().methods["anchorOf(bytes32,uint64)"]
        data = f"0x{selector}{log.hex()}{size:064x}"
        told = _text(self._ask("eth_call", {"to": f"0x{contract.hex()}", "data": data}, "latest"))
        if len(told) != 3 * 64:
            raise NodeProblem("那个地址上的合同不是上链合同：答复的长短不对")
        root, number, at = bytes.fromhex(told[:64]), _number(told[64:128]), _number(told[128:])
        if at > MAX_SECONDS:
            raise NodeProblem("节点的答复读不懂：区块的时间不合理")
        return Held(root=root, block_number=number, block_time=at) if any(root) else None

    def block_hash(self, number: int) -> bytes:
        """The hash of a block of the chain as it stands."""
        block = self._ask("eth_getBlockByNumber", hex(number), False)
        if not isinstance(block, dict):
            raise NodeProblem(f"节点没有第 {number} 块")
        return bytes.fromhex(_text(block.get("hash")))

    def _ask(self, method: str, *parameters: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        until, data = time.monotonic() + TIMEOUT_S, bytearray()
        try:
            headers = {"Accept-Encoding": "identity"}
            with self._http.stream("POST", self._url, json=body, headers=headers) as answer:
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise NodeProblem("节点的答复是压缩过的，没有要求它压缩")
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > MAX_ANSWER or time.monotonic() > until:
                        raise NodeProblem("节点的答复太长或太慢")
                told = json.loads(data)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NodeProblem(f"节点没有答复（{type(error).__name__}）") from error
        except (ValueError, RecursionError) as error:
            raise NodeProblem("节点的答复读不懂，不是 JSON-RPC") from error
        if not isinstance(told, dict) or told.get("error") or "result" not in told:
            raise NodeProblem(f"节点拒绝了 {method}")
        return told["result"]


def _text(value: Any) -> str:
    """Hexadecimal without 0x."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise NodeProblem("节点的答复读不懂")
    digits = value[2:]
    try:
        bytes.fromhex(digits)
    except ValueError as error:
        raise NodeProblem("节点的答复读不懂") from error
    return digits


def _number(value: Any) -> int:
    try:
        number = int(value, 16)
    except (TypeError, ValueError) as error:
        raise NodeProblem("节点的答复读不懂") from error
    if not 0 <= number < 2**63:
        raise NodeProblem("节点的答复读不懂：数目大得不合理")
    return number
