from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.evidence.leaf import leaf_hash
from plumbline.evidence.testing import InMemorySubtrees
from plumbline.evidence.tree import (
    EMPTY_ROOT,
    Frontier,
    LeafAndNodeSource,
    MissingSubtree,
    Node,
    batch_inclusion_paths,
    consistency_path,
    consistency_subtrees,
    inclusion_path,
    inclusion_subtrees,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

SIZES = st.integers(0, 700)


def hashes_of(size: int) -> list[bytes]:
    return [leaf_hash(index.to_bytes(4, "big")) for index in range(size)]


LEAVES = hashes_of(1300)


# The definitions of RFC 6962 §2.1, §2.1.1 and §2.1.2, written down as they stand there.


def split(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def reference_root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + reference_root(leaves[:k]) + reference_root(leaves[k:])).digest()


def reference_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*reference_path(index, leaves[:k]), reference_root(leaves[k:])]
    return [*reference_path(index - k, leaves[k:]), reference_root(leaves[:k])]


def reference_consistency(old: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [reference_root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*reference_consistency(old, leaves[:k], whole), reference_root(leaves[k:])]
    return [*reference_consistency(old - k, leaves[k:], False), reference_root(leaves[:k])]


def frontier_of(size: int) -> Frontier:
    return Frontier.empty().append(LEAVES[:size]).frontier


def test_the_roots_are_those_published_for_certificate_transparency() -> None:
    data = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    leaves = [leaf_hash(bytes.fromhex(item)) for item in data]
    roots = [Frontier.empty().append(leaves[:size]).frontier.root().hex() for size in (1, 2, 3, 8)]
    assert roots == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]


@pytest.mark.parametrize("size", [*range(70), 255, 256, 257, 511, 512, 513, 1300])
def test_the_root_is_that_of_the_definition(size: int) -> None:
    assert frontier_of(size).root() == reference_root(LEAVES[:size])


def test_the_root_is_that_of_pymerkle() -> None:
    pymerkle = pytest.importorskip("pymerkle", minversion="7")
    oracle, frontier = pymerkle.InmemoryTree(algorithm="sha256"), Frontier.empty()
    for index in range(130):
        data = index.to_bytes(4, "big")
        oracle.append_entry(data)
        frontier = frontier.append([leaf_hash(data)]).frontier
        assert frontier.root() == oracle.get_root()


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier.empty().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


@given(st.lists(st.integers(0, 300), max_size=6))
@settings(max_examples=60, deadline=None)
def test_batches_of_any_size_give_the_same_frontier_and_the_same_nodes(batches: list[int]) -> None:
    frontier, nodes = Frontier.empty(), list[Node]()
    for count in batches:
        appended = frontier.append(LEAVES[:1300][frontier.size : frontier.size + count])
        frontier, nodes = appended.frontier, [*nodes, *appended.nodes]
    whole = Frontier.empty().append(LEAVES[: frontier.size])
    assert frontier == whole.frontier
    assert set(nodes) == set(whole.nodes)
    assert len(nodes) == len(set(nodes))


def test_every_complete_subtree_from_level_8_is_handed_out_once() -> None:
    nodes = Frontier.empty().append(LEAVES[:1025]).nodes
    assert {(item.level, item.start) for item in nodes} == {
        *((8, start) for start in (0, 256, 512, 768)),
        *((9, start) for start in (0, 512)),
        (10, 0),
    }
    for item in nodes:
        assert item.hash == reference_root(LEAVES[item.start : item.start + (1 << item.level)])


@pytest.mark.parametrize(("size", "count"), [(255, 0), (256, 1), (511, 1), (512, 3)])
def test_a_node_appears_with_the_leaf_that_completes_it(size: int, count: int) -> None:
    assert len(frontier_of(size).append([]).nodes) == 0
    assert len(Frontier.empty().append(LEAVES[:size]).nodes) == count


@given(SIZES)
def test_a_frontier_comes_back_from_its_bytes(size: int) -> None:
    assert Frontier.decode(frontier_of(size).encode()) == frontier_of(size)


@given(st.binary(max_size=120))
def test_decoding_a_frontier_gives_the_same_bytes_or_a_value_error(data: bytes) -> None:
    try:
        decoded = Frontier.decode(data)
    except ValueError:
        return
    assert decoded.encode() == data


def test_a_frontier_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="2 hashes"):
        Frontier(3, (bytes(32),))
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier(1, (bytes(31),))
    with pytest.raises(ValueError, match="out of range"):
        Frontier(2**63, (bytes(32),))


def test_a_leaf_hash_of_another_length_is_refused() -> None:
    for append in (Frontier.empty().append, lambda row: batch_inclusion_paths(Frontier.empty(), row)):
        with pytest.raises(ValueError, match="32 bytes"):
            append([bytes(32), bytes(31)])


@given(SIZES, st.integers(0, 130))
@settings(max_examples=80, deadline=None)
def test_the_paths_of_a_fresh_batch_need_only_frontier_and_batch(size: int, count: int) -> None:
    batch, whole = LEAVES[size : size + count], LEAVES[: size + count]
    paths = batch_inclusion_paths(frontier_of(size), batch)
    assert len(paths) == count
    root = frontier_of(size).append(batch).frontier.root()
    for at, path in enumerate(paths):
        assert verify_inclusion(batch[at], size + at, len(whole), path, root)
    for at in {0, count // 2, count - 1} if count else ():
        assert paths[at] == reference_path(size + at, whole)


def test_the_paths_of_small_batches_are_those_of_the_definition() -> None:
    for size in range(20):
        for count in range(1, 20):
            paths = batch_inclusion_paths(frontier_of(size), LEAVES[size : size + count])
            expected = [reference_path(size + at, LEAVES[: size + count]) for at in range(count)]
            assert paths == expected


@given(st.data(), st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_an_inclusion_path_is_that_of_the_definition_and_verifies(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, InMemorySubtrees(LEAVES[:size]))
    assert path == reference_path(index, LEAVES[:size])
    assert verify_inclusion(LEAVES[index], index, size, path, frontier_of(size).root())


@given(st.data(), st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_a_consistency_path_is_that_of_the_definition_and_verifies(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new))
    path = consistency_path(old, new, InMemorySubtrees(LEAVES[:new]))
    assert path == reference_consistency(old, LEAVES[:new])
    assert verify_consistency(old, new, path, frontier_of(old).root(), frontier_of(new).root())


@pytest.mark.clause("CECS 7.2.3")
def test_small_trees_are_consistent_with_all_their_prefixes_and_nothing_else() -> None:
    source, roots = InMemorySubtrees(LEAVES[:24]), [frontier_of(size).root() for size in range(25)]
    for new in range(25):
        for old in range(new + 1):
            path = consistency_path(old, new, source)
            assert verify_consistency(old, new, path, roots[old], roots[new])
            assert old == 0 or not verify_consistency(old, new, path, bytes(32), roots[new])
            assert old == 0 or not verify_consistency(old, new, path, roots[old], bytes(32))
            assert not verify_consistency(old, new, [*path, bytes(32)], roots[old], roots[new])
            assert not path or not verify_consistency(old, new, path[:-1], roots[old], roots[new])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_path(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_path(index, size, InMemorySubtrees(LEAVES[:3]))


def test_a_shrinking_tree_has_no_consistency_proof() -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_path(4, 3, InMemorySubtrees(LEAVES[:4]))
    assert not verify_consistency(4, 3, [], frontier_of(4).root(), frontier_of(3).root())


class CountingLeaves:
    """Leaf hashes of ranges that remembers what was fetched."""

    def __init__(self, size: int) -> None:
        self.fetched: list[tuple[int, int]] = []
        self.size = size

    def __call__(self, start: int, end: int) -> list[bytes]:
        self.fetched.append((start, end))
        return LEAVES[start : min(end, self.size)]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600, 1024, 1300])
def test_stored_nodes_and_blocks_of_leaves_give_the_same_paths(size: int) -> None:
    nodes = [(item.level, item.start, item.hash) for item in Frontier.empty().append(LEAVES[:size]).nodes]
    for index in {0, 1, size // 3, size // 2, size - 1} & set(range(size)):
        leaves = CountingLeaves(size)
        source = LeafAndNodeSource.of(size, nodes, leaves)
        assert inclusion_path(index, size, source) == reference_path(index, LEAVES[:size])
        assert len(leaves.fetched) <= 2
        assert all(end - start <= 256 and end <= size for start, end in leaves.fetched)


def test_a_path_says_beforehand_which_subtrees_it_needs() -> None:
    source = InMemorySubtrees(LEAVES[:600])
    for size, index in ((600, 0), (600, 599), (257, 256), (1, 0)):
        for level, start in inclusion_subtrees(index, size):
            assert source.subtree(level, start)
    assert inclusion_subtrees(0, 600)[-3:] == [(6, 512), (4, 576), (3, 592)]
    assert consistency_subtrees(512, 600) == [(6, 512), (4, 576), (3, 592)]


def test_a_missing_node_or_leaf_stops_the_proof() -> None:
    with pytest.raises(MissingSubtree, match="level 9"):
        inclusion_path(599, 600, LeafAndNodeSource(600, lambda level, start: None, CountingLeaves(600)))
    with pytest.raises(MissingSubtree, match="not all stored"):
        inclusion_path(3, 200, LeafAndNodeSource(200, lambda level, start: None, CountingLeaves(199)))
    with pytest.raises(MissingSubtree, match="no complete subtree"):
        LeafAndNodeSource(3, lambda level, start: None, CountingLeaves(3)).subtree(1, 2)


def test_a_proof_for_one_leaf_fits_no_other_place_leaf_or_root() -> None:
    size, source = 13, InMemorySubtrees(LEAVES[:13])
    root = frontier_of(size).root()
    for index in range(size):
        path = inclusion_path(index, size, source)
        assert verify_inclusion(LEAVES[index], index, size, path, root)
        assert not any(
            verify_inclusion(LEAVES[index], at, size, path, root) for at in range(size) if at != index
        )
        assert not verify_inclusion(LEAVES[index + 1], index, size, path, root)
        assert not verify_inclusion(LEAVES[index], index, size, path, frontier_of(12).root())
        assert not verify_inclusion(LEAVES[index], index, size, path[:-1], root)
        assert not verify_inclusion(LEAVES[index], index, size, [*path, bytes(32)], root)


def test_an_inner_node_cannot_pass_for_a_leaf() -> None:
    inner = node_hash(LEAVES[0], LEAVES[1])
    root = frontier_of(4).root()
    path = inclusion_path(0, 4, InMemorySubtrees(LEAVES[:4]))[1:]
    assert not verify_inclusion(inner, 0, 4, path, root)


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=40)
)
HASHES = st.binary(min_size=32, max_size=32) | ANYTHING
PATHS = st.lists(HASHES, max_size=70) | st.tuples(HASHES) | ANYTHING


@given(HASHES, ANYTHING, ANYTHING, PATHS, HASHES)
@settings(max_examples=150)
def test_hostile_inclusion_proofs_are_false_and_never_raise(leaf, index, size, path, root) -> None:
    answer = verify_inclusion(leaf, index, size, path, root)
    assert answer is (answer and (index, size) == (0, 1) and leaf == root)


@given(st.integers(-1, 2**64), st.integers(-1, 2**64), PATHS, HASHES, HASHES)
@settings(max_examples=150)
def test_hostile_consistency_proofs_are_false_and_never_raise(old, new, path, old_root, new_root) -> None:
    answer = verify_consistency(old, new, path, old_root, new_root)
    assert answer is (answer and (old == new or old == 0))
