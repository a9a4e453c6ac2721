"""Roots along the walk (各检查点处的根): the same as of a log that ended there, whatever the steps."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.evidence.checkpoint import Checkpoint
from plumbline.evidence.tree import Frontier
from plumbline.supervision.journal.audit_checkpoints import Kept, checkpoint_problems
from plumbline.supervision.journal.audit_epochs import Epoch
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


class _Stored:
    """A connection that knows stored checkpoints and nothing else: whatever asks for nodes fails."""

    def __init__(self, rows: list[tuple[int, str]]) -> None:
        self._rows = rows

    def cursor(self, name: str) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __iter__(self) -> Any:
        return iter(self._rows)

    def execute(self, statement: str, _: object) -> None:
        assert "journal.checkpoint" in statement


def test_a_changed_leaf_contradicts_what_was_published_and_the_first_twenty_are_named() -> None:
    published, whole = Roots(), Roots()
    sizes = range(1, 101)
    published.append(Frontier.empty(), LEAVES, sizes)
    whole.append(Frontier.empty(), [*LEAVES[:50], bytes(32), *LEAVES[51:]], sizes)
    notes = [
        (size, Checkpoint("log", size, published.at(size) or b"").body() + "\n\u2014 log x\n")
        for size in sizes
    ]
    conn: Any = _Stored(notes)
    told = Epoch(epoch=1, size=100, root=b"", is_open=True, signed=100, row={})
    kept = Kept(marks=(), published={1: {*sizes}})
    assert checkpoint_problems(conn, "log", told, published, log_key=None, kept=kept) == []
    found = checkpoint_problems(conn, "log", told, whole, log_key=None, kept=kept)
    assert [each for each in found if each.startswith("日志前")] == found[:20]
    assert found[0] == "日志前 51 条与发布过的检查点不同"
    assert found[20:] == ["另有 30 份发布过的检查点也与日志不同"]
