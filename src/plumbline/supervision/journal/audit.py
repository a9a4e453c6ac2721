"""Audit of the journal against the log (总账核对): entries, leaves, nodes, head, claims, checkpoints, marks.

Every difference is one sentence that names the object. Nothing found here is repaired: what to do is for an
operator to decide.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from plumbline.evidence.checkpoint import Checkpoint
from plumbline.evidence.leaf import Leaf, entry_id, leaf_hash, sha256, sm3, us_from_instant
from plumbline.evidence.mark import Head, HeadMark, MarkRefused
from plumbline.evidence.paths import MissingSubtree
from plumbline.evidence.tree import Frontier
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import LogOpened
from plumbline.exchange.problems import Problem
from plumbline.supervision.journal.audit_epochs import (
    Epoch,
    closing_problems,
    read_epochs,
    stray_problems,
)
from plumbline.supervision.journal.heads import HeadRow, SigningStopped, log_origin, read_head, root_at
from plumbline.supervision.journal.model import canonical_claim

CHUNK = 2000
_ROWS = """
SELECT l.idx, l.uid, l.sender_id, l.logged_at, l.leaf_hash, e.envelope, e.message, e.arrived_at
  FROM journal.leaf l LEFT JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id
 WHERE l.epoch = %s AND l.idx >= %s ORDER BY l.idx LIMIT %s
"""
_ORPHANS = """
SELECT e.uid FROM journal.entry e
 WHERE NOT EXISTS (SELECT 1 FROM journal.leaf l WHERE l.uid = e.uid AND l.sender_id = e.sender_id) LIMIT 20
"""


def audit_log(conninfo: str, marks: Path) -> list[str]:
    """Recompute every leaf from its entry, every node and the root from the leaves, and every claim from the
    messages; an empty list means that all agrees. May run while entries come in."""
    # Before the snapshot: a mark only grows after a commit, so a log that goes on growing is never behind one read earlier.
    known = [(path, _mark(path)) for path in sorted(marks.glob("*.mark"))]
    with psycopg.connect(conninfo) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        try:
            head = read_head(conn)
        except (SigningStopped, ValueError) as error:
            return [f"日志头读不出来：{error}"]
        claims: dict[tuple[str, str], bytes] = {}
        problems: list[str] = []
        epochs, log_key = read_epochs(conn, head, problems), None
        for epoch in epochs:
            walk = _Walk(epoch, claims)
            walk.leaves(conn)
            problems += [epoch.label + each for each in (*walk.problems, *_end_problems(conn, head, walk))]
            problems += [epoch.label + each for each in walk.node_problems(conn)]
            log_key = log_key or walk.log_key
        problems += closing_problems(epochs, head, log_key) + stray_problems(conn, epochs, head)
        problems += _claim_problems(conn, claims)
        problems += [f"入账 {row[0]} 没有叶子" for row in conn.execute(_ORPHANS).fetchall()]
        for path, mark in known:
            problems += _mark_problems(conn, head, path, mark)
    return problems


class _Walk:
    """One pass over an epoch: what leaves, nodes and claims should be."""

    def __init__(self, epoch: Epoch, claims: dict[tuple[str, str], bytes]) -> None:
        self.told = epoch
        self.epoch = epoch.epoch
        self.frontier = Frontier.empty()
        self.last_time: object = None
        self.problems: list[str] = []
        #: The log's public key as entry 0 states it.
        self.log_key: bytes | None = None
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._claims = claims

    def leaves(self, conn: psycopg.Connection) -> None:
        """Follow the leaves in order and compare each with its entry; stops at the first that is gone."""
        position = 0
        while rows := conn.execute(_ROWS, [self.epoch, position, CHUNK]).fetchall():
            hashes: list[bytes] = []
            for row in rows:
                if row[0] != position + len(hashes):
                    self.problems.append(f"第 {position + len(hashes)} 条的叶子不见了")
                    return
                hashes.append(bytes(row[4]))
                self._compare(row)
            grown = self.frontier.append(hashes)
            self._nodes |= {(node.level, node.start): node.hash for node in grown.nodes}
            self.frontier = grown.frontier
            position += len(rows)

    def _compare(self, row: Sequence[Any]) -> None:
        idx, uid, sender, logged_at, stored, envelope, message, arrived_at = row
        self.last_time = logged_at
        if message is None:
            self.problems.append(f"第 {idx} 条（{uid}）的入账不见了")
            return
        leaf = Leaf(
            sender_id=bytes(sender),
            uid=uid,
            arrived_at_us=us_from_instant(arrived_at),
            logged_at_us=us_from_instant(logged_at),
            envelope_sha256=sha256(bytes(envelope)),
            message_sha256=sha256(bytes(message)),
            message_sm3=sm3(bytes(message)),
        )
        if leaf_hash(leaf.encode()) != bytes(stored):
            self.problems.append(f"第 {idx} 条（{uid}）的内容、时间或叶子被改过")
            return
        try:
            parsed = parse_message(bytes(message))
            if idx == 0:
                self._open(parsed)
            for kind, value in kind_of(parsed).claims(parsed):
                self._claims[canonical_claim(kind, value)] = entry_id(bytes(sender), uid)
        except (msgspec.MsgspecError, ValueError, Problem):
            return  # an entry of a newer version: its claims are that version's affair

    def _open(self, message: Message) -> None:
        if not self.told.is_opened_by(message):
            self.problems.append("第 0 条没有说明这一期，或与日志各期的表不同")
        if isinstance(message, LogOpened):
            keys = [
                base64.b64decode(key.public_key)
                for key in message.keys
                if key.use == "log" and key.algorithm == "ed25519"
            ]
            self.log_key = keys[0] if keys else None

    def node_problems(self, conn: psycopg.Connection) -> list[str]:
        """Stored nodes that are not those of the leaves, and those that are missing."""
        rows = conn.execute(
            "SELECT level, start, hash FROM journal.node WHERE epoch = %s", [self.epoch]
        ).fetchall()
        stored = {(row[0], row[1]): bytes(row[2]) for row in rows}
        wrong = [key for key in self._nodes | stored if self._nodes.get(key) != stored.get(key)]
        return [f"第 {level} 层、从第 {start} 条起的节点被改过、删掉或多出" for level, start in sorted(wrong)]


def _claim_problems(conn: psycopg.Connection, claims: dict[tuple[str, str], bytes]) -> list[str]:
    """Numbers and codes that are held by nobody although an entry took them, or by another entry."""
    rows = conn.execute("SELECT kind, value, entry FROM journal.claim").fetchall()
    stored = {(row[0], row[1]): bytes(row[2]) for row in rows}
    wrong = [key for key in claims | stored if claims.get(key) != stored.get(key)]
    return [f"占用的号码 {value}（{kind}）与入账对不上" for kind, value in sorted(wrong)]


def _end_problems(conn: psycopg.Connection, head: HeadRow, walk: _Walk) -> list[str]:
    """Where an epoch ends, and the checkpoints that were published of it."""
    told = walk.told
    found = _head_problems(head, walk) if told.is_open else []
    if not told.is_open and (walk.frontier.size, walk.frontier.root()) != (told.size, told.root):
        found.append(f"叶子有 {walk.frontier.size} 片，与下一期说的 {told.size} 条或根哈希不同")
    return found + _checkpoint_problems(conn, log_origin(head.origin, told.epoch), told)


def _head_problems(head: HeadRow, walk: _Walk) -> list[str]:
    if walk.frontier.size != head.size:
        return [f"日志头记着 {head.size} 条，叶子有 {walk.frontier.size} 片"]
    found = []
    if walk.frontier.root() != head.root:
        found.append("叶子算出的根哈希与日志头不同")
    if walk.frontier.encode() != head.frontier.encode():
        found.append("日志头里的前沿与叶子算出的不同")
    if head.size and walk.last_time != head.last_time:
        found.append(f"日志头的时间 {head.last_time} 不是最后一条的入账时间 {walk.last_time}")
    return found


def _root(conn: psycopg.Connection, epoch: int, size: int) -> bytes | None:
    try:
        return root_at(conn, epoch, size)
    except MissingSubtree:
        return None


def _checkpoint_problems(conn: psycopg.Connection, origin: str, told: Epoch) -> list[str]:
    """Published checkpoints must be over the log as it stands."""
    found = []
    rows = conn.execute(
        "SELECT size, note FROM journal.checkpoint WHERE origin = %s ORDER BY size", [origin]
    ).fetchall()
    for size, note in rows:
        try:
            stated = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
        except ValueError:
            found.append(f"{size} 条的检查点读不懂")
            continue
        if stated.size > told.signed or stated.size != size:
            found.append(f"{size} 条的检查点比日志还长，或大小不符")
        elif size <= told.size and _root(conn, told.epoch, size) != stated.root:
            found.append(f"日志前 {size} 条与发布过的检查点不同")
    return found


def _mark(path: Path) -> Head | None:
    """The mark of a file, None when it cannot be read."""
    try:
        return HeadMark(path).read()
    except MarkRefused:
        return None


def _mark_problems(conn: psycopg.Connection, head: HeadRow, path: Path, mark: Head | None) -> list[str]:
    if mark is None:
        return [f"水位文件 {path.name} 读不出来"]
    if mark.epoch != head.epoch:
        return [f"本机的水位在第 {mark.epoch} 期，数据库在第 {head.epoch} 期"]
    if mark.size > head.size:
        return [f"本机签过 {mark.size} 条的检查点，数据库只有 {head.size} 条：被恢复到了以前"]
    if _root(conn, head.epoch, mark.size) != mark.root:
        return [f"日志前 {mark.size} 条与本机签过的检查点不同：日志被改写"]
    return []
