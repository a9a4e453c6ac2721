"""The Merkle tree of the evidence log, RFC 6962 §2.1 with SHA-256 (默克尔树).

A log never holds its tree in memory: the *frontier* (the roots of the complete subtrees that tile the leaves,
at most 63 hashes) is enough to append and to prove what was just appended. Older proofs read stored subtrees
through a ``SubtreeSource`` (module ``plumbline.evidence.paths``). Level l means a subtree of 2**l leaves;
``start`` is the index of its first leaf.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from plumbline.evidence.paths import (
    BLOCK_LEAVES,
    BLOCK_LEVEL,
    LeafAndNodeSource,
    MissingSubtree,
    SubtreeSource,
    consistency_path,
    consistency_subtrees,
    inclusion_path,
    inclusion_subtrees,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

__all__ = [
    "BLOCK_LEAVES",
    "BLOCK_LEVEL",
    "EMPTY_ROOT",
    "Appended",
    "Frontier",
    "LeafAndNodeSource",
    "MissingSubtree",
    "Node",
    "SubtreeSource",
    "batch_inclusion_paths",
    "consistency_path",
    "consistency_subtrees",
    "inclusion_path",
    "inclusion_subtrees",
    "node_hash",
    "verify_consistency",
    "verify_inclusion",
]

#: Root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
EMPTY_ROOT = hashlib.sha256(b"").digest()

#: Sizes are kept in signed 64-bit columns.
MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Node:
    """Root of one complete subtree of 2**level leaves that begins at leaf ``start``."""

    level: int
    start: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append leaves behind: the new frontier, and the stored nodes (level ≥ 8) that it completed."""

    frontier: Frontier
    nodes: tuple[Node, ...]


def _parents(row: list[bytes]) -> list[bytes]:
    """Hashes of the pairs of ``row``, whose length must be even."""
    sha, pairs = hashlib.sha256, iter(row)
    return [sha(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The roots of the complete subtrees that tile the first ``size`` leaves, largest first; immutable.

    There is one hash for each 1-bit of ``size``.
    """

    size: int
    hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise ValueError(f"tree size {self.size} is out of range")
        if len(self.hashes) != self.size.bit_count():
            raise ValueError(
                f"a frontier of {self.size} leaves has {self.size.bit_count()} hashes, not {len(self.hashes)}"
            )
        if any(len(item) != 32 for item in self.hashes):
            raise ValueError("a frontier hash must be 32 bytes")

    @classmethod
    def empty(cls) -> Self:
        """The frontier of the tree without leaves."""
        return cls(0, ())

    def append(self, leaf_hashes: Sequence[bytes]) -> Appended:
        """Append leaf hashes (32 bytes each) in order; ValueError if one has another length.

        Works level by level: one list comprehension per level is about twice as fast as leaf by leaf.
        """
        row = list(leaf_hashes)
        _require_hashes(row)
        stack = list(self.hashes)
        index, level = self.size, 0
        completed: list[bytes] = []
        nodes: list[Node] = []
        while row:
            if index & 1:
                row.insert(0, stack.pop())
                index -= 1
            if len(row) & 1:
                completed.append(row.pop())
            row = _parents(row)
            index >>= 1
            level += 1
            if level >= BLOCK_LEVEL:
                nodes.extend(Node(level, index + i << level, item) for i, item in enumerate(row))
        completed.reverse()
        return Appended(Frontier(self.size + len(leaf_hashes), (*stack, *completed)), tuple(nodes))

    def root(self) -> bytes:
        """Root of the tree at this size (RFC 6962 MTH)."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def encode(self) -> bytes:
        """Size as u64 big-endian, then the hashes, largest subtree first."""
        return struct.pack(">Q", self.size) + b"".join(self.hashes)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Frontier of ``encode``'s bytes; ValueError with the reason for anything else."""
        if len(data) < 8 or (len(data) - 8) % 32:
            raise ValueError(f"a frontier cannot have {len(data)} bytes")
        (size,) = struct.unpack_from(">Q", data)
        return cls(size, tuple(data[at : at + 32] for at in range(8, len(data), 32)))


def _require_hashes(row: list[bytes]) -> None:
    if any(len(item) != 32 for item in row):
        raise ValueError("a leaf hash must be 32 bytes")


def batch_inclusion_paths(before: Frontier, leaf_hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Inclusion paths of the new leaves against the head after the batch, from frontier and batch alone.

    ``before`` is the frontier ahead of the batch; the i-th path belongs to leaf ``before.size + i`` in the
    tree of ``before.size + len(leaf_hashes)`` leaves. Order of a path: the leaf's sibling first (RFC 6962
    §2.1.1).
    """
    row = list(leaf_hashes)
    _require_hashes(row)
    if not row:
        return []
    stack, index = list(before.hashes), before.size
    rows: list[tuple[int, list[bytes]]] = []
    while index or len(row) > 1:
        lead = index & 1
        if lead:
            row.insert(0, stack.pop())
        rows.append((lead, row))
        # A last node without a sibling is no hash of its own: it stands for its parent, one level up.
        alone = [row[-1]] if len(row) & 1 else []
        row = _parents(row[: len(row) - len(alone)]) + alone
        index >>= 1
    paths: list[list[bytes]] = [[]]
    for lead, row in reversed(rows):
        paths = _paths_one_level_down(row, paths, lead)
    return paths


def _paths_one_level_down(row: list[bytes], above: list[list[bytes]], lead: int) -> list[list[bytes]]:
    """Paths of a row's new nodes: the sibling, then the parent's path. ``lead`` old nodes are left out."""
    last = len(row) - 1
    return [
        [row[at ^ 1], *above[at >> 1]] if at ^ 1 <= last else above[at >> 1] for at in range(lead, len(row))
    ]
