"""An anchor in the city (城市里的上链): the demo names no chain, so the drill runs a node of its own for as long as it changes rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg

from plumbline.drill.evm_chain import EvmProcess, enlist
from plumbline.drill.tampering.acts import Audit, Tally
from plumbline.embedded.scratch import scratch
from plumbline.evidence.anchor import AnchorPlace
from plumbline.supervision.anchor_commands import unheld
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.anchoring import CHAINS
from plumbline.supervision.worker.anchoring import AnchorRounds

_NAME, _ROUNDS = "drill.chain/1", 6


class NotAnchored(RuntimeError):
    """The rounds left no anchor: the drill would say nothing of anchors without anybody noticing."""


@contextmanager
def anchored(platform: Platform, program: Path) -> Iterator[Audit]:
    """The newest checkpoint stands in a chain, as a worker writes it; yields what asks the chain for every anchor that is kept."""
    with tempfile.TemporaryDirectory(prefix="pld-evm-", dir=scratch()) as name:
        node = EvmProcess(program, Path(name))
        try:
            enlist(platform, node, _NAME, confirmations=1)
            _anchor_newest(platform, node)
            chains = CHAINS.read(platform.folder("marks"))
            yield lambda conn: unheld(conn, chains)[1]
        finally:
            node.kill()
            node.http.close()


def _anchor_newest(platform: Platform, node: EvmProcess) -> None:
    rounds = AnchorRounds(platform.folder("marks"), platform.folder("keys"))
    try:
        with psycopg.connect(platform.conninfo("plumb_gateway"), autocommit=True) as conn:
            for _ in range(_ROUNDS):
                rounds.round(conn)
                kept = conn.execute("SELECT count(*) FROM journal.anchor").fetchone()
                if kept is not None and kept[0]:
                    return
                node.call("evm_mine")
            told = conn.execute("SELECT state, problem FROM ops.anchor_chain").fetchone()
    finally:
        rounds.close()
    raise NotAnchored(f"演练用的链上没有写成：{told}")


def back_date_anchors(conn: psycopg.Connection, tally: Tally, asked: Audit) -> None:
    """An anchor that says an earlier time in its line and in its column alike: rows agree with each other, the chain does not."""
    day = timedelta(days=1)
    for name, size, proof in conn.execute("SELECT name, size, proof FROM journal.anchor").fetchall():
        place = AnchorPlace.decode(bytes(proof))
        earlier = replace(place, block_time=place.block_time - int(day.total_seconds()))
        with conn.transaction(force_rollback=True):
            conn.execute(
                "UPDATE journal.anchor SET proof = %s, anchored_at = anchored_at - %s WHERE name = %s AND size = %s",
                [earlier.encode(), day, name, size],
            )
            said = asked(conn)
        named = any(f"{name} 对 {size} 条的上链" in each for each in said)
        tally.judge("日志", f"journal.anchor 的 {name}、{size} 条：凭据与列一起前移一天", said, named=named)
