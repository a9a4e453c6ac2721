"""The whole history written anew with the log's own key (整部历史重写): consistent to the last node, and still contradicted.

Who holds database and log key can make leaves, tree, head and checkpoints agree again. What he cannot make anew is what
others hold: an institution's signature, this host's mark, a receipt or a checkpoint that somebody kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from plumbline.drill.tampering.acts import Tally
from plumbline.evidence.checkpoint import Checkpoint, sign_checkpoint
from plumbline.evidence.leaf import Leaf, leaf_hash, sha256, sm3, us_from_instant
from plumbline.evidence.note import Ed25519NoteSigner
from plumbline.evidence.tree import Frontier
from plumbline.supervision.journal.audit import audit_journal
from plumbline.supervision.journal.audit_checkpoints import Kept
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped, log_origin, read_head
from plumbline.supervision.journal.keys import PlatformKeys

_ROWS = """
SELECT l.idx, l.uid, l.sender_id, l.logged_at, e.envelope, e.message, e.arrived_at
  FROM journal.leaf l JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id WHERE l.epoch = %s ORDER BY l.idx
"""
_MEASURED = re.compile(rb'"([0-9]{2,3}\.[0-9]{1,2})"')


@dataclass(frozen=True, slots=True)
class _Entry:
    uid: Any
    sender: bytes
    logged_at: Any
    envelope: bytes
    message: bytes
    arrived_at: Any

    @property
    def leaf(self) -> bytes:
        return leaf_hash(
            Leaf(
                sender_id=self.sender,
                uid=self.uid,
                arrived_at_us=us_from_instant(self.arrived_at),
                logged_at_us=us_from_instant(self.logged_at),
                envelope_sha256=sha256(self.envelope),
                message_sha256=sha256(self.message),
                message_sm3=sm3(self.message),
            ).encode()
        )


Rewrite = Callable[[list[_Entry], int], list[_Entry]]


def _edited(entries: list[_Entry], at: int) -> list[_Entry]:
    """One measured value is ten more."""
    old = entries[at]
    raised = _MEASURED.sub(
        lambda m: b'"%d%s"' % (int(m[1].partition(b".")[0]) + 10, m[1][m[1].index(b".") :]),
        old.message,
        count=1,
    )
    return [*entries[:at], replace(old, message=raised), *entries[at + 1 :]]


def _deleted(entries: list[_Entry], at: int) -> list[_Entry]:
    """One entry was never sent; the later ones move up."""
    return entries[:at] + entries[at + 1 :]


def _dated_back(entries: list[_Entry], at: int) -> list[_Entry]:
    """One entry arrived with the one before it."""
    return [*entries[:at], replace(entries[at], arrived_at=entries[at - 1].arrived_at), *entries[at + 1 :]]


def _exchanged(entries: list[_Entry], at: int) -> list[_Entry]:
    """Two entries came in the other order."""
    one, two = entries[at], entries[at + 1]
    changed = [replace(two, logged_at=one.logged_at), replace(one, logged_at=two.logged_at)]
    return [*entries[:at], *changed, *entries[at + 2 :]]


REWRITES: dict[str, Rewrite] = {
    "改一个测值": _edited,
    "删一条": _deleted,
    "到达时间前移": _dated_back,
    "两条换序": _exchanged,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The log, its key, and what others kept of it before."""

    conn: psycopg.Connection
    tally: Tally
    keys: PlatformKeys
    signer: CheckpointSigner
    kept: Kept
    #: Receipts and checkpoints that institutions hold.
    shown: tuple[str, ...]

    def run(self) -> dict[str, str]:
        """Each rewriting; what finds it, in words."""
        return {what: self._one(what, rewrite) for what, rewrite in REWRITES.items()}

    def _one(self, what: str, rewrite: Rewrite) -> str:
        nothing = Kept(marks=(), published={})
        with self.conn.transaction(force_rollback=True):
            self._write(rewrite)
            alone = audit_journal(self.conn, nothing)
            finders = {
                "数据库里的源头签名": [each for each in alone if "源头签名" in each],
                "本机的水位": audit_journal(self.conn, self.kept),
                "别处留存的回执": audit_journal(self.conn, nothing, self.shown),
                "签名前的核对": self._refused(),
            }
        others = [each for each in alone if each not in finders["数据库里的源头签名"]]
        found = [name for name, said in finders.items() if said]
        said = [each for each in (*finders["本机的水位"], *finders["别处留存的回执"])]
        outside = bool(finders["本机的水位"] and finders["别处留存的回执"] and finders["签名前的核对"])
        self.tally.judge(
            "重写",
            f"整部历史重写：{what}",
            said if outside else [],
            named=any("日志被改写" in each or "被恢复到了以前" in each for each in said),
        )
        if others:  # then it was not the whole history, and the drill proved less than it says
            self.tally.broken.append(f"整部历史重写：{what}：重写得不完整（{others[0]}）")
        return "、".join(found)

    def _refused(self) -> list[str]:
        try:
            self.signer.check_extends(self.conn)
        except SigningStopped as stopped:
            return [str(stopped)]
        return []

    def _write(self, rewrite: Rewrite) -> None:
        head = read_head(self.conn)
        entries = [
            _Entry(row[1], bytes(row[2]), row[3], bytes(row[4]), bytes(row[5]), row[6])
            for row in self.conn.execute(_ROWS, [head.epoch]).fetchall()
        ]
        # In the middle, and one with a measured value: what a forger would want to be otherwise.
        half = len(entries) // 2
        at = next((n for n in range(half, len(entries) - 1) if _MEASURED.search(entries[n].message)), half)
        self._store(head.epoch, entries, rewrite(entries, at))

    def _store(self, epoch: int, before: list[_Entry], after: list[_Entry]) -> None:
        conn, origin = self.conn, log_origin(read_head(self.conn).origin, epoch)
        kept = {each.uid for each in after}
        for old in before:
            if old.uid not in kept:
                conn.execute(
                    "DELETE FROM journal.entry WHERE uid = %s AND sender_id = %s", [old.uid, old.sender]
                )
                conn.execute(
                    "DELETE FROM journal.claim WHERE entry = substring(sha256(%s || %s) for 16)",
                    [old.sender, old.uid.bytes],
                )
        former = {each.uid: each for each in before}
        for new in after:
            if new != former[new.uid]:
                conn.execute(
                    "UPDATE journal.entry SET message = %s, arrived_at = %s WHERE uid = %s AND sender_id = %s",
                    [new.message, new.arrived_at, new.uid, new.sender],
                )
        # What outsiders signed cannot be made anew: whoever forges takes it away.
        conn.execute("DELETE FROM journal.cosignature")
        conn.execute("UPDATE ops.cosigner SET origin = '', size = 0, cosigned_at = NULL")
        conn.execute("DELETE FROM journal.stamp")
        conn.execute("DELETE FROM journal.anchor")
        conn.execute("DELETE FROM journal.leaf WHERE epoch = %s", [epoch])
        conn.execute("DELETE FROM journal.node WHERE epoch = %s", [epoch])
        hashes = [each.leaf for each in after]
        with conn.cursor() as cur:
            cur.executemany(
                "INSERT INTO journal.leaf (epoch, idx, uid, sender_id, logged_at, leaf_hash) VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    (epoch, idx, each.uid, each.sender, each.logged_at, digest)
                    for idx, (each, digest) in enumerate(zip(after, hashes, strict=True))
                ],
            )
            grown = Frontier.empty().append(hashes)
            cur.executemany(
                "INSERT INTO journal.node (epoch, level, start, hash) VALUES (%s, %s, %s, %s)",
                [(epoch, node.level, node.start, node.hash) for node in grown.nodes],
            )
        conn.execute(
            "UPDATE journal.head SET size = %s, root = %s, frontier = %s, last_time = %s",
            [len(after), grown.frontier.root(), grown.frontier.encode(), after[-1].logged_at],
        )
        self._sign_again(origin, hashes)

    def _sign_again(self, origin: str, hashes: list[bytes]) -> None:
        """Every published checkpoint once more, over the new tree, by the log's real key."""
        sizes = [
            row[0]
            for row in self.conn.execute(
                "DELETE FROM journal.checkpoint WHERE origin = %s RETURNING size", [origin]
            ).fetchall()
        ]
        frontier = Frontier.empty()
        for size in sorted(each for each in sizes if each <= len(hashes)):
            frontier = frontier.append(hashes[frontier.size : size]).frontier
            note = sign_checkpoint(
                Checkpoint(origin, size, frontier.root()), [Ed25519NoteSigner(origin, self.keys.log)]
            )
            self.conn.execute(
                "INSERT INTO journal.checkpoint (origin, size, note) VALUES (%s, %s, %s)",
                [origin, size, note],
            )
