"""P6: the log in memory (存证日志): batch append beside the bare hash loop and beside pymerkle."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

from plumbline.bench.goals import Goal
from plumbline.bench.report import Measured, number
from plumbline.bench.stats import interleave
from plumbline.evidence.leaf import leaf_hash
from plumbline.evidence.paths import LeafAndNodeSource, inclusion_path, verify_inclusion
from plumbline.evidence.tree import Frontier, batch_inclusion_paths

BATCH = 256
LEAF_BYTES = 145
#: pymerkle is under the GPL and is no part of this program: it runs in a process of its own, when it is
#: installed.
_PEER = """
import json, sys, time
try:
    import pymerkle
except ImportError:
    print(json.dumps(None)); sys.exit()
n = int(sys.argv[1])
data = [i.to_bytes(145, "big") for i in range(n)]
tree = pymerkle.InmemoryTree(algorithm="sha256")
begin = time.perf_counter()
for each in data:
    tree.append_entry(each)
took = time.perf_counter() - begin
root = tree.get_state().hex()
picks = [1 + i * 7919 % n for i in range(500)]
begin = time.perf_counter()
for each in picks:
    tree.prove_inclusion(each)
print(json.dumps({"append": n / took, "prove": len(picks) / (time.perf_counter() - begin), "root": root}))
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many leaves each part takes."""

    leaves: int = 200_000
    #: Turns of a round: legs last a fifth of a second, a burst longer (decision 0047).
    turns: int = 20
    peer: int = 20_000
    peer_turns: int = 9
    small: int = 1000
    proofs: int = 2000
    #: Of the logs that lie in files beside each other.
    stored: int = 200_000
    #: Leaves of it that are proven, all different.
    proven: int = 180
    #: So many of them a peer proves a round at least, and as many as it can in so many seconds: each costs it as much as its whole tree.
    peer_proofs: int = 6
    peer_s: float = 2.0
    #: A smaller one of which it makes a few more, for information; 0: none.
    stored_few: int = 20_000
    #: Up to so many leaves the steps of a proof are counted.
    steps: int = 1_000_000


def leaf_data(count: int) -> list[bytes]:
    """Leaves of the real length, all different."""
    return [each.to_bytes(LEAF_BYTES, "big") for each in range(count)]


def two_hash_loop(data: Sequence[bytes]) -> float:
    """Leaves a second of the bare minimum: one leaf hash and, amortised, one node hash each."""
    sha = hashlib.sha256
    begin = time.perf_counter()
    for each in data:
        leaf = sha(b"\x00" + each).digest()
        sha(b"\x01" + leaf + leaf).digest()
    return len(data) / (time.perf_counter() - begin)


def batch_append(data: Sequence[bytes]) -> tuple[float, Frontier]:
    """Leaves a second of our log in memory, 256 a batch: leaf hashes, frontier, stored nodes; and where it
    ended."""
    frontier = Frontier.empty()
    begin = time.perf_counter()
    for at in range(0, len(data), BATCH):
        frontier = frontier.append([leaf_hash(each) for each in data[at : at + BATCH]]).frontier
    return len(data) / (time.perf_counter() - begin), frontier


def measure_append(goal: Goal, sizes: Sizes, rounds: int) -> Measured:
    """Ours ÷ the 2-hash loop."""
    data = leaf_data(sizes.leaves)
    comparison = interleave(
        lambda _: two_hash_loop(data),
        lambda _: batch_append(data)[0],
        rounds,
        warm=rounds > 1,
        turns=sizes.turns,
    )
    return Measured(goal=goal, comparison=comparison, notes=_proof_notes(sizes))


def peer_rates(count: int) -> dict[str, float | str] | None:
    """Rates of pymerkle's tree in memory over the same leaves, with its root; None when it is not
    installed."""
    done = subprocess.run(
        [sys.executable, "-c", _PEER, str(count)],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    if done.returncode:
        return None
    rates: dict[str, float | str] | None = json.loads(done.stdout)
    return rates


def measure_peer(goal: Goal, sizes: Sizes, rounds: int) -> Measured | None:
    """Ours ÷ pymerkle over the same leaves, whose roots must agree; None when the peer is absent."""
    data, first = leaf_data(sizes.peer), peer_rates(sizes.peer)
    if first is None:
        return None
    root = batch_append(data)[1].root().hex()
    if first["root"] != root:
        raise RuntimeError("the peer's root over the same leaves is another one")
    provers: list[float] = []

    def theirs(_: int) -> float:
        rates = peer_rates(sizes.peer)
        assert rates is not None
        provers.append(float(rates["prove"]))
        return float(rates["append"])

    comparison = interleave(
        theirs, lambda _: batch_append(data)[0], rounds, warm=False, turns=sizes.peer_turns
    )
    notes = [
        f"pymerkle in memory, n = {number(sizes.peer)}, same leaves, same root; its proofs {number(max(provers))}/s"
    ]
    return Measured(goal=goal, comparison=comparison, notes=notes)


def _proof_notes(sizes: Sizes) -> list[str]:
    """Proofs a second at two sizes, from stored nodes and leaf blocks, and those of a batch just appended."""
    rates = {n: stored_proof_rate(n, sizes.proofs) for n in (sizes.small, sizes.leaves)}
    small, large = rates[sizes.small], rates[sizes.leaves]
    growth = log2(sizes.leaves) / log2(sizes.small)
    return [
        "proofs from stored nodes and 256-leaf blocks: "
        + " · ".join(f"n = {number(n)}: {number(rate)}/s" for n, rate in rates.items())
        + f"  (cost × {small / large:.2f} while log₂ n × {growth:.2f})",
        f"proofs of a batch of {BATCH} at n = {number(sizes.leaves)}: {number(batch_proof_rate(sizes.leaves))}/s",
    ]


class StoredLog:
    """A log as the database keeps it: leaf hashes, and nodes from level 8 up; here in memory."""

    def __init__(self, count: int) -> None:
        self.leaves: list[bytes] = []
        self.frontier = Frontier.empty()
        #: (level, start) → hash.
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.grow_to(count)

    def grow_to(self, count: int) -> None:
        """Append leaves until there are so many."""
        hashes = [leaf_hash(each.to_bytes(LEAF_BYTES, "big")) for each in range(len(self.leaves), count)]
        grown = self.frontier.append(hashes)
        self.leaves += hashes
        self.frontier = grown.frontier
        self.nodes |= {(each.level, each.start): each.hash for each in grown.nodes}

    def source(self) -> LeafAndNodeSource:
        """A fresh source, as each request has its own."""
        return LeafAndNodeSource(
            len(self.leaves),
            lambda level, start: self.nodes.get((level, start)),
            lambda start, end: self.leaves[start:end],
        )


def stored_proof_rate(size: int, count: int) -> float:
    """Inclusion proofs a second for scattered leaves of a log of `size`; every proof is verified
    afterwards."""
    log, chance = StoredLog(size), random.Random(size)  # noqa: S311 - picks leaves
    picks = [chance.randrange(size) for _ in range(count)]
    begin = time.perf_counter()
    paths = [inclusion_path(each, size, log.source()) for each in picks]
    took = time.perf_counter() - begin
    root = log.frontier.root()
    for each, path in zip(picks, paths, strict=True):
        if not verify_inclusion(log.leaves[each], each, size, path, root):
            raise RuntimeError(f"the proof of leaf {each} does not verify")
    return count / took


def batch_proof_rate(size: int, repeats: int = 20) -> float:
    """Proofs a second when they are made at the append, from frontier and batch alone."""
    frontier = Frontier.empty().append([leaf_hash(each) for each in leaf_data(size)]).frontier
    batch = [leaf_hash(each) for each in leaf_data(BATCH)]
    begin = time.perf_counter()
    for _ in range(repeats):
        batch_inclusion_paths(frontier, batch)
    return repeats * BATCH / (time.perf_counter() - begin)


__all__ = ["BATCH", "Sizes", "StoredLog", "measure_append", "measure_peer"]
