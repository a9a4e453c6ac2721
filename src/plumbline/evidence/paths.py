"""Inclusion and consistency proofs of the evidence log, RFC 6962 §2.1.1–2.1.2 (证明路径).

Proofs for any leaf and any two sizes come from complete subtrees alone. Verification follows RFC 9162
§2.1.3.2 and §2.1.4.2 and answers False for whatever it cannot read: it faces strangers' input.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, Self

#: Subtrees from this level up are stored; below it they are recomputed from at most 256 leaves.
BLOCK_LEVEL = 8
BLOCK_LEAVES = 1 << BLOCK_LEVEL


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right), RFC 6962 §2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MissingSubtree(LookupError):
    """A subtree or leaf that the proof needs is not stored."""


class SubtreeSource(Protocol):
    """Where the roots of complete subtrees come from.

    Contract: the answer is stable (the log only grows), refers to committed leaves only, and a subtree that
    cannot be had raises MissingSubtree, which means "stop": no proof may be guessed.
    """

    def subtree(self, level: int, start: int) -> bytes:
        """Root (32 bytes) of the complete subtree of 2**level leaves that begins at leaf ``start``."""
        ...


class LeafAndNodeSource:
    """Subtrees from stored nodes (level ≥ 8) and, below, from one block of at most 256 leaf hashes.

    A block is fetched once and kept for the life of this object: make one for each proof or each request.
    """

    def __init__(
        self,
        size: int,
        nodes: Callable[[int, int], bytes | None],
        leaf_hashes: Callable[[int, int], Sequence[bytes]],
    ) -> None:
        """``nodes(level, start)`` gives a stored root or None; ``leaf_hashes(start, end)`` those of a range.

        ``size`` is the tree size of the proof: no leaf at or after it is asked for.
        """
        self._size = size
        self._nodes = nodes
        self._leaf_hashes = leaf_hashes
        self._blocks: dict[int, Sequence[bytes]] = {}

    @classmethod
    def of(
        cls,
        size: int,
        nodes: Iterable[tuple[int, int, bytes]],
        leaf_hashes: Callable[[int, int], Sequence[bytes]],
    ) -> Self:
        """Source over rows ``(level, start, hash)`` fetched beforehand (see ``inclusion_subtrees``)."""
        stored = {(level, start): item for level, start, item in nodes}
        return cls(size, lambda level, start: stored.get((level, start)), leaf_hashes)

    def subtree(self, level: int, start: int) -> bytes:
        """Root of a complete subtree; MissingSubtree when node or leaves are absent."""
        if level >= BLOCK_LEVEL:
            stored = self._nodes(level, start)
            if stored is None or len(stored) != 32:
                raise MissingSubtree(f"no stored node of level {level} at leaf {start}")
            return stored
        first = start & -BLOCK_LEAVES
        row = list(self._block(first)[start - first : start - first + (1 << level)])
        if len(row) != 1 << level:
            raise MissingSubtree(f"no complete subtree of level {level} at leaf {start}")
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    def _block(self, first: int) -> Sequence[bytes]:
        if first not in self._blocks:
            end = min(first + BLOCK_LEAVES, self._size)
            leaves = self._leaf_hashes(first, end)
            if len(leaves) != end - first or any(len(item) != 32 for item in leaves):
                raise MissingSubtree(f"leaves {first} to {end} are not all stored")
            self._blocks[first] = leaves
        return self._blocks[first]


def _range_root(start: int, count: int, source: SubtreeSource) -> bytes:
    """MTH of ``count`` leaves from ``start``, which is aligned to a power of two ≥ ``count``."""
    parts: list[bytes] = []
    for level in range(count.bit_length() - 1, -1, -1):
        if count >> level & 1:
            parts.append(source.subtree(level, start))
            start += 1 << level
    root = parts.pop()
    while parts:
        root = node_hash(parts.pop(), root)
    return root


def inclusion_path(index: int, size: int, source: SubtreeSource) -> list[bytes]:
    """Path of leaf ``index`` in the tree of ``size`` leaves, the leaf's sibling first (RFC 6962 §2.1.1).

    ValueError unless 0 ≤ index < size; MissingSubtree from the source.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    path: list[bytes] = []
    node, last, level = index, size - 1, 0
    while last:
        sibling = node ^ 1
        if sibling <= last:
            start = sibling << level
            path.append(_range_root(start, min(1 << level, size - start), source))
        node, last, level = node >> 1, last >> 1, level + 1
    return path


def consistency_path(old: int, new: int, source: SubtreeSource) -> list[bytes]:
    """Proof that the tree of ``old`` leaves is a prefix of the tree of ``new`` leaves (RFC 6962 §2.1.2).

    Empty for equal sizes and for ``old`` = 0. ValueError unless 0 ≤ old ≤ new; MissingSubtree from the
    source.
    """
    if not 0 <= old <= new:
        raise ValueError(f"no consistency proof from {old} to {new} leaves")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, count, at_root = 0, new, True
    # Down towards the boundary between old and new leaves; what is passed on the other side is remembered.
    while (rest := old - start) != count:
        half = 1 << ((count - 1).bit_length() - 1)
        if rest <= half:
            path.append(_range_root(start + half, count - half, source))
            count = half
        else:
            path.append(_range_root(start, half, source))
            start, count, at_root = start + half, count - half, False
    if not at_root:
        path.append(_range_root(start, count, source))
    path.reverse()
    return path


class _Recorder:
    """A source that answers nothing useful and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def subtree(self, level: int, start: int) -> bytes:
        self.asked.append((level, start))
        return bytes(32)


def inclusion_subtrees(index: int, size: int) -> list[tuple[int, int]]:
    """The (level, start) that ``inclusion_path`` will ask for: lets a store fetch all nodes in one query."""
    recorder = _Recorder()
    inclusion_path(index, size, recorder)
    return recorder.asked


def consistency_subtrees(old: int, new: int) -> list[tuple[int, int]]:
    """The (level, start) that ``consistency_path`` will ask for."""
    recorder = _Recorder()
    consistency_path(old, new, recorder)
    return recorder.asked


def _are_hashes(items: Sequence[bytes]) -> bool:
    return all(isinstance(item, bytes) and len(item) == 32 for item in items)


def _are_sizes(*numbers: int) -> bool:
    return all(type(number) is int and 0 <= number < 2**63 for number in numbers)


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """True if ``path`` leads from the leaf hash at ``index`` to ``root`` in a tree of ``size`` leaves.

    RFC 9162 §2.1.3.2. Never raises: malformed input is simply not a proof.
    """
    if not _are_sizes(index, size) or index >= size or not isinstance(path, (list, tuple)):
        return False
    if len(path) > 64 or not _are_hashes([leaf_hash, root, *path]):
        return False
    node, last, result = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and hmac.compare_digest(result, root)


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """True if ``path`` proves that the tree (old, old_root) is a prefix of (new, new_root).

    RFC 9162 §2.1.4.2; the empty tree is a prefix of every tree, with an empty path. Never raises.
    """
    if not _are_sizes(old, new) or old > new or not isinstance(path, (list, tuple)):
        return False
    if len(path) > 128 or not _are_hashes([old_root, new_root, *path]):
        return False
    if old == 0:
        return not path and old_root == hashlib.sha256(b"").digest() and (new > 0 or new_root == old_root)
    if old == new:
        return not path and hmac.compare_digest(old_root, new_root)
    return _leads_to_both(old, new, path, (old_root, new_root))


def _leads_to_both(old: int, new: int, path: Sequence[bytes], roots: tuple[bytes, bytes]) -> bool:
    """The walk of RFC 9162 §2.1.4.2 for 0 < old < new."""
    # A complete old tree is itself the first node, and the proof leaves out what the verifier holds.
    steps = [roots[0], *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and hmac.compare_digest(first, roots[0]) and hmac.compare_digest(second, roots[1])
