"""Which contract the reader believes (受信任的上链合同): a chain and an address, from the reader's own list."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plumbline.evidence.note import require_key_name

#: First word of its line in `trust.txt`.
USE = "anchor"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedContract:
    """One contract whose owner is the log's operator: what it holds for a log was anchored by nobody else."""

    name: str
    chain_id: int
    contract: bytes
    #: who keeps the chain, in the reader's words
    trust_domain: str


def address_from(text: str) -> bytes:
    """20 bytes of a `0x…` address; ValueError for anything else."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} 不是合同地址：应是 0x 加 40 位十六进制数字")
    return bytes.fromhex(text[2:])


def contract_from_line(line: str) -> TrustedContract:
    """From `anchor <name> <chain id> <address> <trust domain>`; ValueError for anything else."""
    parts = line.split(maxsplit=4)
    if len(parts) < 4 or parts[0] != USE or not (parts[2].isascii() and parts[2].isdigit()):
        raise ValueError("上链合同一行要写：anchor 名称 链号 合同地址 信任域")
    return TrustedContract(
        name=require_key_name(parts[1]),
        chain_id=int(parts[2]),
        contract=address_from(parts[3]),
        trust_domain=parts[4] if len(parts) > 4 else "",
    )


def contract_as_line(contract: TrustedContract) -> str:
    """The line of `trust.txt`."""
    return f"{USE} {contract.name} {contract.chain_id} 0x{contract.contract.hex()} {contract.trust_domain}".rstrip()
