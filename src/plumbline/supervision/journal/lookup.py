"""Receipts and checkpoints on request (查回执与检查点): a few kept connections, so that many readers hold nothing up."""

from __future__ import annotations

import threading
import time
import uuid

import psycopg
from psycopg_pool import ConnectionPool

from plumbline.evidence.mark import Head
from plumbline.supervision.journal.clock_doubt import ClockDoubt
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.receipts import StoredEntry, consistency_of, receipts_of, signed_head

CHECKPOINT_LIFE_S = 1.0
MAX_CONNECTIONS = 4


def newest_checkpoint(conninfo: str, signer: CheckpointSigner) -> str:
    """A checkpoint over the newest committed head; remembered in journal.checkpoint."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        return publish_checkpoint(conn, signer)[1]


def publish_checkpoint(conn: psycopg.Connection, signer: CheckpointSigner) -> tuple[Head, str]:
    """(head, note) over the newest committed head of an autocommit connection; remembered in journal.checkpoint."""
    head, note = signed_head(conn, signer)
    hit("publish.before_row")
    stored = conn.execute(
        "INSERT INTO journal.checkpoint (origin, size, note) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [head.log_origin, head.size, note],
    )
    hit("publish.after_row")
    if stored.rowcount:
        signer.remember_published(head)
    return Head(head.origin, head.epoch, head.size, head.root), note


class Lookups:
    """What a gateway process answers from the log; safe between threads. Raises psycopg_pool.PoolTimeout when all are busy."""

    def __init__(self, conninfo: str, signer: CheckpointSigner) -> None:
        self._pool = ConnectionPool(
            conninfo,
            min_size=0,
            max_size=MAX_CONNECTIONS,
            timeout=5,
            kwargs={"autocommit": True},
            open=False,
            name="lookups",
        )
        self._signer = signer
        self._lock = threading.Lock()
        self._doubt = ClockDoubt()
        self._checkpoint: tuple[float, str] = (float("-inf"), "")

    def start(self) -> None:
        """Open the pool; connections are made when they are needed."""
        self._pool.open()

    def stop(self) -> None:
        """Close the connections."""
        self._pool.close()

    def receipt(self, identity: tuple[uuid.UUID, bytes]) -> StoredEntry | None:
        """The stored entry with a receipt against the checkpoint that outsiders say the most about, else the newest head; or None."""
        with self._pool.connection() as conn:
            return receipts_of(conn, self._signer, [identity], attested=True).get(identity)

    def consistency(self, epoch: int, old: int, new: int) -> list[bytes] | None:
        """Proof that two sizes of an epoch are of one history, or None when it has not so many entries."""
        with self._pool.connection() as conn:
            return consistency_of(conn, self._signer, epoch, old, new)

    def checkpoint(self) -> str:
        """A checkpoint at most one second old; however many ask, one is made. While the clock is in doubt it is not stored: what is
        stored is sent to those who attest it."""
        with self._lock:
            if time.monotonic() - self._checkpoint[0] > CHECKPOINT_LIFE_S:
                with self._pool.connection() as conn:
                    made = signed_head if self._doubt.told(conn) else publish_checkpoint
                    self._checkpoint = (time.monotonic(), made(conn, self._signer)[1])
            return self._checkpoint[1]
