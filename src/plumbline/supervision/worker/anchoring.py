"""Anchoring checkpoints (上链): each chain of `anchors.toml` at its own interval, one transaction at a time.

The contract's state decides, not our memory of what was sent: after a crash, a dropped transaction, a re-organisation or an outage the
next round asks what the chain holds and goes on from there.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from plumbline.evidence.anchor import log_id
from plumbline.evidence.checkpoint import Checkpoint
from plumbline.supervision.journal.anchoring import (
    CHAINS,
    AnchorChain,
    contradiction,
    has_checkpoint,
    is_due,
    keep_anchor,
    last_anchored,
    lost_anchor,
    point_to_anchor,
)
from plumbline.supervision.journal.cosigning import Published, newest_published
from plumbline.supervision.journal.outside_lists import ListProblem
from plumbline.supervision.worker.background import Background
from plumbline.supervision.worker.evm import Account, ChainProblem

PERIOD_S = 10.0
#: A transaction that no block took in so long is sent anew in its own place, offering more.
RESEND = timedelta(minutes=5)
#: A chain that failed is asked again after so long, in seconds: twice as long each time, up to the last.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 600.0
_log = logging.getLogger("plumbline.worker")

_KNOWN = """
INSERT INTO ops.anchor_chain (name, trust_domain, every, list_problem) VALUES (%s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE SET trust_domain = EXCLUDED.trust_domain, every = EXCLUDED.every, list_problem = EXCLUDED.list_problem
RETURNING state, sent_origin, sent_size, sent_at, clock_timestamp()
"""
_SENT = """
UPDATE ops.anchor_chain SET state = 'sent', sent_origin = %s, sent_size = %s, sent_hash = %s, sent_nonce = %s,
       sent_at = clock_timestamp(), confirmations = 0 WHERE name = %s
"""
_STANDS = """
UPDATE ops.anchor_chain SET looked_at = clock_timestamp(), problem = %(problem)s,
       behind_since = CASE WHEN %(behind)s THEN LEAST(behind_since, clock_timestamp()) END
 WHERE name = %(name)s
"""
_STATE = "UPDATE ops.anchor_chain SET state = %s, confirmations = %s WHERE name = %s"
_CONFIRMED = """
UPDATE ops.anchor_chain SET state = 'confirmed', origin = %s, size = %s, anchored_at = %s, confirmations = %s,
       behind_since = NULL WHERE name = %s
"""


class AnchorRounds:
    """What one worker does about chains. Several workers may send the same checkpoint: the contract takes the first."""

    def __init__(self, marks: Path, keys: Path) -> None:
        self._marks, self._keys = marks, keys
        self._accounts: dict[AnchorChain, Account] = {}
        #: name → (not before, on the monotonic clock; pause; problem)
        self._paused: dict[str, tuple[float, float, str]] = {}

    def round(self, conn: psycopg.Connection) -> None:
        """Look after every chain once; raises psycopg.Error."""
        chains, told = CHAINS.known(self._marks)
        if not told:
            try:
                CHAINS.remember(self._marks)
            except (ListProblem, OSError) as problem:
                _log.error("anchors: %s", problem)
        active = [each for each in chains if not each.retired]
        conn.execute("DELETE FROM ops.anchor_chain WHERE name <> ALL(%s)", [[each.name for each in active]])
        for gone in set(self._accounts) - set(active):
            self._accounts.pop(gone).close()
        for each in active:
            self._look(conn, each, told)

    def close(self) -> None:
        """Drop all connections to nodes."""
        while self._accounts:
            self._accounts.popitem()[1].close()

    def _look(self, conn: psycopg.Connection, chain: AnchorChain, list_problem: str) -> None:
        every = timedelta(minutes=chain.every_minutes)
        row = conn.execute(_KNOWN, [chain.name, chain.trust_domain, every, list_problem[:300]]).fetchone()
        newest = newest_published(conn)
        assert row is not None
        not_before, pause, problem = self._paused.get(chain.name, (0.0, 0.0, ""))
        if newest is not None and time.monotonic() >= not_before:
            try:
                problem = _Visit(conn, chain, self._account(chain), newest, row).made()
                self._paused.pop(chain.name, None)
            except psycopg.Error:
                raise
            except Exception as error:  # one chain's node, key or library never holds up another chain
                problem = str(error) if isinstance(error, ChainProblem) else "上链出了意外，原因见后台日志"
                _log.warning(
                    "anchors in %s: %s", chain.name, problem, exc_info=not isinstance(error, ChainProblem)
                )
                pause = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, pause * 2))
                self._paused[chain.name] = (time.monotonic() + pause, pause, problem)
        size = last_anchored(conn, newest.origin, chain.name)[0] if newest else 0
        values = {"problem": problem[:300], "behind": newest is not None and newest.head > size}
        conn.execute(_STANDS, values | {"name": chain.name})

    def _account(self, chain: AnchorChain) -> Account:
        if chain not in self._accounts:
            self._accounts[chain] = Account.open(chain, self._keys)
        return self._accounts[chain]


class _Visit:
    """One look at one chain."""

    def __init__(
        self, conn: psycopg.Connection, chain: AnchorChain, account: Account, newest: Published, row: Any
    ) -> None:
        self._conn, self._chain, self._account, self._newest = conn, chain, account, newest
        self._state, self._sent_origin, self._sent_size, self._sent_at, self._now = row
        self._log = log_id(newest.origin)

    def made(self) -> str:
        """Do what is to be done; what is wrong, or empty. Raises :class:`ChainProblem`."""
        self._account.require()
        on_chain = self._account.size_of(self._log)
        size, last = last_anchored(self._conn, self._newest.origin, self._chain.name)
        if on_chain:
            held = self._account.held(self._log, on_chain)
            wrong = contradiction(self._conn, self._newest, on_chain, held.root) if held else ""
            if wrong or held is None:
                return wrong
            # Nor are more rows kept than one an interval, whatever a node says that somebody wrote.
            if on_chain > size and is_due(self._chain, last, self._now):
                return self._confirm(on_chain, held)
        if on_chain < size:
            # What was confirmed is gone: the chain was re-organised deeper than the operator reckoned with. Receipts speak of it,
            # so that the very same checkpoints are written again, the smallest first.
            if not self._is_under_way(on_chain):
                self._send(lost_anchor(self._conn, self._newest, self._chain.name, on_chain))
            return f"确认过的 {size} 条不在链上了：链重组过，正在重新写"
        if self._state == "sent" and on_chain and self._sent_size <= on_chain:
            self._conn.execute(_STATE, ["confirmed", self._chain.confirmations, self._chain.name])
        if not self._is_under_way(on_chain) and is_due(self._chain, last, self._now):
            self._send(point_to_anchor(self._conn, self._newest, on_chain))
        return ""

    def _is_under_way(self, on_chain: int) -> bool:
        sent_at: datetime | None = self._sent_at
        return (
            self._state == "sent"
            and self._sent_origin == self._newest.origin
            and self._sent_size > on_chain
            and sent_at is not None
            and timedelta(0) <= self._now - sent_at < RESEND
        )

    def _confirm(self, size: int, held: Any) -> str:
        """Count blocks over what the chain holds; keep it when there are enough."""
        blocks = max(0, self._account.height() - held.block_number + 1)
        if blocks < self._chain.confirmations or not has_checkpoint(self._conn, self._newest.origin, size):
            self._conn.execute(_STATE, ["sent", blocks, self._chain.name])
            return ""
        place = self._account.place(self._log, size, held)
        if place is None:
            return ""  # the chain moved between two questions: the next round sees where to
        keep_anchor(self._conn, self._newest.origin, size, self._chain.name, place)
        self._conn.execute(_CONFIRMED, [self._newest.origin, size, place.at, blocks, self._chain.name])
        self._account.offered = 0
        return ""

    def _send(self, point: Checkpoint | None) -> None:
        if point is None:
            return
        nonce = self._account.next_nonce()
        signed = self._account.sign(self._log, point.size, point.root, nonce)
        # Before it leaves: what is under way is known even if this process ends here.
        self._conn.execute(_SENT, [point.origin, point.size, bytes(signed.hash), nonce, self._chain.name])
        self._account.send(signed)


class Anchoring(Background):
    """A thread of its own."""

    def __init__(self, conninfo: str, marks: Path, keys: Path) -> None:
        super().__init__(conninfo, "anchors", pause_s=PERIOD_S)
        self._rounds = AnchorRounds(marks, keys)

    def stop(self) -> None:
        """End. What is at work may be cut off anywhere: the chain is asked again."""
        super().stop()
        self._rounds.close()

    def follow(self, conn: psycopg.Connection) -> None:
        """A round every few seconds."""
        while not self._stop.is_set():
            self._rounds.round(conn)
            self._stop.wait(PERIOD_S)
