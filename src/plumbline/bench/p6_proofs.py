"""P6: proofs of inclusion (存证日志的证明): from a stored log beside pymerkle's stored tree; steps of one as the log grows."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from math import log2
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from plumbline.bench.goals import Goal
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.p6_log import Sizes, StoredLog
from plumbline.bench.report import Measured, number
from plumbline.bench.stats import Comparison, interleave
from plumbline.embedded.scratch import scratch
from plumbline.evidence import paths
from plumbline.evidence.paths import BLOCK_LEAVES, LeafAndNodeSource, inclusion_path, verify_inclusion

#: pymerkle is under the GPL and is no part of this program: it runs in a process of its own, when it is installed. It proves the picked
#: leaves from its SQLite file without remembering subtrees, as many as it can in its time, and again once it has all of them in its
#: cache; it verifies each proof itself.
_PEER = """
import json, sys, time
try:
    import pymerkle
except ImportError:
    print(json.dumps(None)); sys.exit()
folder, n, picks, least, most_s = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
name = f"{folder}/peer-{n}.sqlite"
plain = pymerkle.SqliteTree(name, disable_cache=True)
if plain.get_size() == 0:
    plain.append_entries(i.to_bytes(145, "big") for i in range(n))
filled = pymerkle.SqliteTree(name)
root = filled.get_root()
def prove(tree, picks, most_s=float("inf")):
    begin, proofs = time.perf_counter(), []
    for each in picks:
        proofs.append(tree.prove_inclusion(each + 1))
        took = time.perf_counter() - begin
        if took > most_s and len(proofs) >= least:
            break
    for each, proof in zip(picks, proofs):
        pymerkle.verify_inclusion(tree.get_leaf(each + 1), root, proof, index=each + 1, size=n)
    return len(proofs) / took, [[step.hex() for step in proof.path] for proof in proofs]
plain.prove_inclusion(picks[-1] + 1)  # nothing is remembered, but its connection is as warm as ours
plain_rate, paths = prove(plain, picks, most_s)
prove(filled, picks[:len(paths)])
filled_rate, again = prove(filled, picks[:len(paths)])
assert again == paths
print(json.dumps({"plain": plain_rate, "filled": filled_rate, "root": root.hex(), "paths": paths}))
"""
#: Leaves of the smaller log that are proven for information.
_FEW = 20


class SqliteLog:
    """The log in an SQLite file, laid out as in the database: leaf hashes, nodes from level 8 up. Nothing is remembered between proofs."""

    def __init__(self, file: Path, log: StoredLog) -> None:
        self._size = len(log.leaves)
        self._conn = sqlite3.connect(file)
        self._conn.execute("CREATE TABLE leaf (idx INTEGER PRIMARY KEY, hash BLOB)")
        self._conn.execute(
            "CREATE TABLE node (level INTEGER, start INTEGER, hash BLOB, PRIMARY KEY (level, start)) WITHOUT ROWID"
        )
        self._conn.executemany("INSERT INTO leaf VALUES (?, ?)", enumerate(log.leaves))
        nodes = ((level, start, digest) for (level, start), digest in log.nodes.items())
        self._conn.executemany("INSERT INTO node VALUES (?, ?, ?)", nodes)
        self._conn.commit()

    def prove(self, index: int) -> list[bytes]:
        """The inclusion path of a leaf."""
        return inclusion_path(index, self._size, LeafAndNodeSource(self._size, self._node, self._leaves))

    def close(self) -> None:
        """Close the file."""
        self._conn.close()

    def _node(self, level: int, start: int) -> bytes | None:
        row = self._conn.execute(
            "SELECT hash FROM node WHERE level = ? AND start = ?", (level, start)
        ).fetchone()
        return row[0] if row else None

    def _leaves(self, start: int, end: int) -> list[bytes]:
        rows = self._conn.execute(
            "SELECT hash FROM leaf WHERE idx >= ? AND idx < ? ORDER BY idx", (start, end)
        )
        return [digest for (digest,) in rows]


def peer_proofs(
    folder: Path, size: int, picks: Sequence[int], least: int, most_s: float
) -> dict[str, Any] | None:
    """Rates, root and paths of pymerkle's SQLite tree over the same leaves, of the first of `picks`: `least` and what it can in `most_s`.

    None when it is not installed. Raises :class:`Lost`.
    """
    argv = [
        sys.executable,
        "-c",
        _PEER,
        str(folder),
        str(size),
        json.dumps(list(picks)),
        str(least),
        str(most_s),
    ]
    done = subprocess.run(argv, capture_output=True, encoding="utf-8", timeout=600, check=False)
    if done.returncode:
        raise Lost(f"the peer's proofs failed: {done.stderr[-300:]}")
    told: dict[str, Any] | None = json.loads(done.stdout)
    return told


def check_peer(told: dict[str, Any], log: StoredLog, picks: Sequence[int]) -> None:
    """The peer's root and proofs are ours, and hold. Its path begins with the leaf itself. Raises :class:`Lost`."""
    root, size = log.frontier.root(), len(log.leaves)
    if told["root"] != root.hex():
        raise Lost("the peer's root over the same leaves is another one")
    for index, steps in zip(picks, told["paths"], strict=True):
        leaf, *path = (bytes.fromhex(step) for step in steps)
        if path != inclusion_path(index, size, log.source()):
            raise Lost(f"the peer proves leaf {index} by another path")
        if leaf != log.leaves[index] or not verify_inclusion(leaf, index, size, path, root):
            raise Lost(f"the proof of leaf {index} does not verify")


@dataclass(slots=True)
class _Peer:
    """pymerkle over the leaves of a log: each leg goes on in the list of leaves where the last one ended, and at its end begins anew."""

    folder: Path
    log: StoredLog
    picks: Sequence[int]
    sizes: Sizes
    filled: list[float] = field(default_factory=list)
    #: How many it proved in all.
    proven: int = 0

    def leg(self, _: int) -> float:
        """Proofs a second without its cache; raises :class:`Lost` when one of them is not ours."""
        at = self.proven % len(self.picks)
        picks = [*self.picks[at:], *self.picks[:at]]
        told = peer_proofs(
            self.folder, len(self.log.leaves), picks, self.sizes.peer_proofs, self.sizes.peer_s
        )
        assert told is not None
        count = len(told["paths"])
        if count < min(self.sizes.peer_proofs, len(picks)):
            raise Lost(f"the peer proves {count} leaves only")
        check_peer(told, self.log, picks[:count])
        self.proven += count
        self.filled.append(told["filled"])
        return float(told["plain"])


def measure_peer(goals: dict[str, Goal], sizes: Sizes, rounds: int) -> list[Measured]:
    """Ours ÷ pymerkle, each from an SQLite file over the same leaves; empty when the peer is absent. Raises :class:`Lost`."""
    with tempfile.TemporaryDirectory(prefix="plb-", dir=scratch()) as name:
        folder = Path(name)
        log, picks = StoredLog(sizes.stored), scattered(sizes.stored, min(sizes.proven, sizes.stored))
        if peer_proofs(folder, sizes.stored, picks[:1], 1, 0) is None:  # it also fills its file
            return []
        peer = _Peer(folder, log, picks, sizes)
        with closing(SqliteLog(folder / "ours.sqlite", log)) as stored:
            comparison = interleave(peer.leg, lambda _: _rate(stored, picks, log), rounds, warm=False)
        notes = [
            f"both from an SQLite file, n = {number(sizes.stored)}; {len(picks)} different leaves a round, the peer some "
            f"{peer.proven // rounds} of them, others each round, {min(peer.proven, len(picks))} in all; same root and paths, verified on "
            "both sides; the peer without its cache of subtrees, as we remember nothing between proofs",
            *_of_few(folder, sizes.stored_few),
        ]
    remembering = Comparison(ours=comparison.ours, limit=tuple(peer.filled))
    return [
        Measured(goal=goals["P6-proofs"], comparison=comparison, notes=notes),
        Measured(
            goal=goals["P6-proofs-filled"],
            comparison=remembering,
            notes=["the same, the peer with all large subtrees in its memory"],
        ),
    ]


def scattered(size: int, count: int) -> list[int]:
    """So many different leaves, picked by a fixed seed."""
    return random.Random(size).sample(range(size), count)  # noqa: S311 - picks leaves


def _rate(stored: SqliteLog, picks: Sequence[int], log: StoredLog) -> float:
    """Proofs a second, verified afterwards."""
    begin = time.perf_counter()
    proofs = [stored.prove(index) for index in picks]
    took = time.perf_counter() - begin
    root, size = log.frontier.root(), len(log.leaves)
    for index, path in zip(picks, proofs, strict=True):
        if not verify_inclusion(log.leaves[index], index, size, path, root):
            raise Lost(f"the proof of leaf {index} does not verify")
    return len(picks) / took


def _of_few(folder: Path, size: int) -> list[str]:
    if not size:
        return []
    log, picks = StoredLog(size), scattered(size, _FEW)
    told = peer_proofs(folder, size, picks, _FEW, 0)
    assert told is not None
    check_peer(told, log, picks)
    with closing(SqliteLog(folder / "few.sqlite", log)) as stored:
        ours = _rate(stored, picks, log)
    return [
        f"n = {number(size)}, {_FEW} leaves once: ours {number(ours)}/s, the peer {number(told['plain'])}/s: {ours / told['plain']:.0f} ×"
    ]


# Steps -----------------------------------------------------------------------------------------------

#: What the layout allows from 1 000 leaves on. A proof reads at most two blocks of 256 leaves, its own and the ragged last one, and hashes
#: at most 247 times in each (2⁰ − 1 + … + 2⁷ − 1): 1 006 steps, 101 · log₂ 1 000. What grows is outside of blocks: nodes read of the two
#: ways, each shorter than log₂ n, and the joins of the ragged one: 3 · log₂ n.
LEAST = 1000
OUTSIDE = 3
STEPS = 104


@dataclass(slots=True)
class Steps:
    """What a proof took; it is the source of its subtrees, too."""

    size: int
    log: StoredLog
    read: int = 0
    hashes: int = 0
    #: Of `hashes`, those made of the leaves of a block; of `read`, the leaves.
    in_blocks: int = 0
    _source: LeafAndNodeSource = field(init=False)

    def __post_init__(self) -> None:
        self._source = LeafAndNodeSource(self.size, self._node, self._leaves)

    @property
    def total(self) -> int:
        """Leaves and nodes read, hashes made."""
        return self.read + self.hashes

    @property
    def outside(self) -> int:
        """Those of them that are not of a block."""
        return self.total - self.in_blocks

    def subtree(self, level: int, start: int) -> bytes:
        """As the log's own source gives it."""
        before = self.hashes
        found = self._source.subtree(level, start)
        self.in_blocks += self.hashes - before
        return found

    def path(self, index: int) -> list[bytes]:
        """The inclusion path of a leaf, counted."""
        with _hashing(self._hash):
            return inclusion_path(index, self.size, self)

    def _hash(self, data: bytes) -> Any:
        self.hashes += 1
        return hashlib.sha256(data)

    def _node(self, level: int, start: int) -> bytes | None:
        self.read += 1
        return self.log.nodes.get((level, start))

    def _leaves(self, start: int, end: int) -> list[bytes]:
        self.read += end - start
        self.in_blocks += end - start
        return self.log.leaves[start:end]


@contextmanager
def _hashing(sha256: Callable[[bytes], Any]) -> Iterator[None]:
    """Proofs of this process hash by `sha256` meanwhile: what is counted is what the program does, not what it should do."""
    before = paths.hashlib
    paths.hashlib = SimpleNamespace(sha256=sha256)  # type: ignore[assignment]
    try:
        yield
    finally:
        paths.hashlib = before


def measure_steps(goal: Goal, sizes: Sizes) -> Measured:
    """What the layout allows ÷ what proofs take, at the worst leaf of the worst size; no clock is asked. Raises :class:`Lost`."""
    log, found = StoredLog(0), []
    for size in _tree_sizes(sizes.steps):
        log.grow_to(size)
        root = log.frontier.root()
        for index in _awkward(size):
            steps = Steps(size, log)
            path = steps.path(index)
            if not verify_inclusion(log.leaves[index], index, size, path, root):
                raise Lost(f"the proof of leaf {index} among {size} does not verify")
            found.append(steps)
    tightest = min(found, key=_allowance)
    first = max((each for each in found if each.size < 2 * LEAST), key=lambda each: each.total)
    last = max((each for each in found if each.size > sizes.steps // 2), key=lambda each: each.total)
    notes = [
        f"{len(found)} proofs of trees of {number(found[0].size)} to {number(found[-1].size)} leaves, all verified; tightest at n = "
        f"{number(tightest.size)}: {tightest.total} steps, {tightest.outside} of them outside of blocks",
        f"the worst proof: n = {number(first.size)}: {first.total} steps, n = {number(last.size)}: {last.total} "
        f"(× {last.total / first.total:.2f} while log₂ n × {log2(last.size) / log2(first.size):.2f})",
    ]
    comparison = Comparison(ours=(_allowance(tightest),), limit=(1.0,), is_counted=True)
    return Measured(goal=goal, comparison=comparison, notes=notes)


def _allowance(steps: Steps) -> float:
    """The least of what is allowed ÷ what was taken, of all steps and of those outside of blocks."""
    return min(STEPS * log2(steps.size) / steps.total, OUTSIDE * log2(steps.size) / max(1, steps.outside))


def _tree_sizes(most: int) -> list[int]:
    """Sizes up to `most`: around the powers of two, where a proof is the cheapest and the dearest, and ragged ones between."""
    start = min(LEAST, most)
    found = {start, most}
    power = 1 << start.bit_length()
    while power <= most:
        found |= {power - 1, power, power + 1, power + power // 3}
        power *= 2
    return sorted(size for size in found if size <= most)


def _awkward(size: int) -> list[int]:
    """Leaves at both ends, at the edge of the ragged last block, and some between."""
    edge = (size - 1) & -BLOCK_LEAVES
    return sorted({0, 1, size // 2, max(0, edge - 1), edge, size - 1, *scattered(size, 5)})
