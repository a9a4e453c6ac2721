"""P3: what growth costs (增长代价): P1a into a journal of many entries beside P1a into an empty one, and the WAL of a message."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bench.gateways import Gateways
from plumbline.bench.goals import Goal
from plumbline.bench.growth import grow_journal
from plumbline.bench.p1a_accept import Accepting, check_counts, check_survivors
from plumbline.bench.report import Measured, number
from plumbline.bench.stats import TURNS, interleave
from plumbline.bench.world import World


@dataclass(slots=True)
class _Side:
    """One journal under load, and the write-ahead log that its messages took."""

    accepting: Accepting
    first: int
    wal_bytes: float = 0.0

    def rate(self, round_: int) -> float:
        """Messages a second; a PostgreSQL checkpoint stands right before the timed leg."""
        before = self._wal()
        rate = self.accepting.ours(round_)
        if round_ >= 0:
            self.wal_bytes += self._wal() - before
        return rate

    def _wal(self) -> float:
        with self.accepting.world.connect() as conn:
            row = conn.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return float(row[0])

    @property
    def wal_per_message(self) -> float:
        """Bytes."""
        return self.wal_bytes / self.accepting.timed


def measure(worlds: tuple[World, World], goal: Goal, rounds: int, count: int, entries: int) -> Measured:
    """Rate at `entries` ÷ rate at none, on a platform each; both durable over HTTP. Raises :class:`Lost`."""
    empty, grown = worlds
    grow_journal(grown, entries)
    with grown.connect() as conn:
        conn.execute("VACUUM (ANALYZE) journal.entry, journal.leaf, journal.node")
    one, two = Gateways(empty), Gateways(grown)
    try:
        small = _Side(Accepting(empty, count, one), empty.counts()[0])
        large = _Side(Accepting(grown, count, two), grown.counts()[0])
        comparison = interleave(small.rate, large.rate, rounds, warm=rounds > 1, turns=TURNS)
    finally:
        one.stop()
        two.stop()
    verified = 0
    for side in (small, large):
        check_counts(side.accepting, side.first)
        verified += check_survivors(side.accepting)
    with grown.connect() as conn:
        size = conn.execute("SELECT pg_database_size(current_database())").fetchone()
    assert size is not None
    notes = [
        f"{number(large.first)} entries, {size[0] / 1e9:.1f} GB, beside {small.first}; {count} messages a round; "
        f"{number(verified)} receipts verified over the grown log",
        f"WAL a message {number(large.wal_per_message)} B beside {number(small.wal_per_message)} B: "
        f"{large.wal_per_message / small.wal_per_message:.2f} ×",
    ]
    cpu = large.accepting.server_s / large.accepting.timed * 1e6
    return Measured(goal=goal, comparison=comparison, cpu_us=cpu, notes=notes)
