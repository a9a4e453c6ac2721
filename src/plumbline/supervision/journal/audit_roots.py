"""Roots of the log at every size that was published (各检查点处的根), taken while the leaves are walked once.

A log that lives for years publishes millions of checkpoints. Asking the stored nodes for each root costs a dozen
questions; the walk passes every size anyway. Forty bytes a size are kept.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from plumbline.evidence.tree import Appended, Frontier

_ROOT = 32


class Roots:
    """Size → root, for sizes that come in ascending order."""

    def __init__(self) -> None:
        self._sizes = array("q")
        self._roots = bytearray()

    def keep(self, frontier: Frontier) -> None:
        """Remember the root at the frontier's size; ValueError unless it is larger than those before."""
        if self._sizes and frontier.size <= self._sizes[-1]:
            raise ValueError("sizes come in ascending order")
        self._sizes.append(frontier.size)
        self._roots += frontier.root()

    def at(self, size: int) -> bytes | None:
        """The root at this size, None when the walk did not come by or was not asked to keep it."""
        place = bisect_left(self._sizes, size)
        if place == len(self._sizes) or self._sizes[place] != size:
            return None
        return bytes(self._roots[place * _ROOT : (place + 1) * _ROOT])

    def append(
        self, frontier: Frontier, leaf_hashes: Sequence[bytes], sizes: Iterable[int]
    ) -> list[Appended]:
        """Append the leaves, in steps that end at each of `sizes`, and keep the roots there; the last step is the whole.

        `sizes` ascend, all above the frontier's size and at most that of the whole.
        """
        start, steps = frontier.size, list[Appended]()
        for size in [*sizes, start + len(leaf_hashes)]:
            at = frontier.size - start
            if size - start > at:
                steps.append(frontier.append(leaf_hashes[at : size - start]))
                frontier = steps[-1].frontier
            if not self._sizes or self._sizes[-1] < frontier.size:
                self.keep(frontier)
        return steps
