"""Roots along the walk (各检查点处的根): the same as of a log that ended there, whatever the steps."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.evidence.tree import Frontier
from plumbline.supervision.journal.audit_roots import Roots

LEAVES = [hashlib.sha256(bytes([each])).digest() for each in range(100)]


@given(st.sets(st.integers(1, 100)), st.sets(st.integers(1, 99)))
def test_a_root_is_that_of_a_log_that_ended_there(sizes: set[int], cuts: set[int]) -> None:
    roots, frontier, nodes = Roots(), Frontier.empty(), []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 100], strict=True):
        wanted = sorted(each for each in sizes if start < each <= end)
        for step in roots.append(frontier, LEAVES[start:end], wanted):
            nodes += step.nodes
            frontier = step.frontier
    assert frontier == Frontier.empty().append(LEAVES).frontier
    assert {(n.level, n.start, n.hash) for n in nodes} == {
        (n.level, n.start, n.hash) for n in Frontier.empty().append(LEAVES).nodes
    }
    for size in sizes:
        assert roots.at(size) == Frontier.empty().append(LEAVES[:size]).frontier.root()
    assert roots.at(0) is None
    assert roots.at(101) is None


def test_sizes_ascend() -> None:
    roots = Roots()
    frontier = Frontier.empty().append(LEAVES[:3]).frontier
    roots.keep(frontier)
    with pytest.raises(ValueError, match="ascending"):
        roots.keep(frontier)
