"""Where a checkpoint stands in an EVM chain (上链凭据): the bytes of a line of the type `ANCHOR_TYPE`.

112 bytes, big-endian: chain id u64 · contract 20 · block number u64 · block hash 32 · block time u64 (seconds since 1970) ·
transaction 32 · log index u32.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

_FORM = struct.Struct(">Q20sQ32sQ32sI")
#: Last second of the year 9999.
MAX_SECONDS = 253_402_300_799


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorPlace:
    """One anchored checkpoint's place; what it holds follows from the checkpoint."""

    chain_id: int
    contract: bytes
    block_number: int
    block_hash: bytes
    block_time: int
    transaction: bytes
    log_index: int

    def encode(self) -> bytes:
        """The 112 bytes; ValueError for a number that does not fit."""
        try:
            return _FORM.pack(
                self.chain_id,
                self.contract,
                self.block_number,
                self.block_hash,
                self.block_time,
                self.transaction,
                self.log_index,
            )
        except struct.error as error:
            raise ValueError(f"not a place in a chain: {error}") from error

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The place of 112 bytes; ValueError for anything else."""
        if len(data) != _FORM.size:
            raise ValueError(f"a place in a chain has {_FORM.size} bytes")
        chain, contract, number, block, at, transaction, log = _FORM.unpack(data)
        if at > MAX_SECONDS:
            raise ValueError("the time of the block is out of range")
        return cls(
            chain_id=chain,
            contract=contract,
            block_number=number,
            block_hash=block,
            block_time=at,
            transaction=transaction,
            log_index=log,
        )

    @property
    def at(self) -> datetime:
        """Time of the block, as its makers state it; aware UTC."""
        return datetime.fromtimestamp(self.block_time, UTC)


def log_id(origin: str) -> bytes:
    """What the contract calls a log: SHA-256 of its origin line."""
    return hashlib.sha256(origin.encode()).digest()
