"""Audit of the journal against the log (总账核对): entries, leaves, nodes, head, claims, checkpoints, marks.

Every difference is one sentence that names the object. Nothing found here is repaired: what to do is for an
operator to decide.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psycopg

from plumbline.evidence.leaf import Leaf, entry_id, leaf_hash, sha256, sm3, us_from_instant
from plumbline.evidence.position import position_of
from plumbline.evidence.tree import Frontier
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.exchange.messages.registry import LogOpened
from plumbline.exchange.problems import Problem
from plumbline.exchange.submission import Envelope, decode_envelope
from plumbline.supervision.journal.acceptances import Acceptances
from plumbline.supervision.journal.anchoring import anchor_problems
from plumbline.supervision.journal.audit_checkpoints import (
    Kept,
    checkpoint_problems,
    mark_problems,
    shown_problems,
)
from plumbline.supervision.journal.audit_cosigners import cosigner_problems
from plumbline.supervision.journal.audit_epochs import (
    Epoch,
    closing_problems,
    read_epochs,
    stray_problems,
)
from plumbline.supervision.journal.audit_gaps import begin_long, gap_problems
from plumbline.supervision.journal.audit_origins import Origins
from plumbline.supervision.journal.audit_roots import Roots
from plumbline.supervision.journal.audit_times import Times
from plumbline.supervision.journal.heads import HeadRow, SigningStopped, log_origin, read_head
from plumbline.supervision.journal.model import canonical_claim
from plumbline.supervision.journal.outside_times import Outside
from plumbline.supervision.journal.stamping import stamp_problems

_Key = TypeVar("_Key", bound=Hashable)
CHUNK = 2000
_ROWS = """
SELECT l.idx, l.uid, l.sender_id, l.logged_at, l.leaf_hash, e.key_id, e.envelope, e.message, e.arrived_at
  FROM journal.leaf l LEFT JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id
 WHERE l.epoch = %s AND l.idx >= %s ORDER BY l.idx LIMIT %s
"""
_PUBLISHED = "SELECT DISTINCT size FROM journal.checkpoint WHERE origin = %s AND size > %s AND size <= %s ORDER BY size"
_ORPHANS = """
SELECT e.uid FROM journal.entry e
 WHERE NOT EXISTS (SELECT 1 FROM journal.leaf l WHERE l.uid = e.uid AND l.sender_id = e.sender_id) LIMIT 20
"""


def audit_log(
    conninfo: str,
    marks: Path,
    shown: Sequence[str] = (),
    *,
    sm2: bytes | None = None,
    notes: list[str] | None = None,
) -> list[str]:
    """Recompute every leaf from its entry, every node and the root from the leaves, and every claim from the
    messages; an empty list means that all agrees. May run while entries come in.

    `shown`: checkpoints and receipts that somebody else kept. They are what is left when a whole history is written
    anew by someone who holds the log's key and this host's marks. `sm2`: the log's SM2 key, as :class:`Kept` has it. `notes` is given
    what is no fault and must be known all the same: ranges that a wrong clock has dated."""
    # Before the snapshot: a mark only grows after a commit, so a log that goes on growing is never behind one read earlier.
    kept = Kept.of(marks, sm2)
    with psycopg.connect(conninfo) as conn:
        begin_long(conn)
        return audit_journal(conn, kept, shown, notes)


def audit_journal(
    conn: psycopg.Connection, kept: Kept, shown: Sequence[str] = (), notes: list[str] | None = None
) -> list[str]:
    """The same within the caller's transaction, whose snapshot is younger than `kept`."""
    if gaps := gap_problems(conn):
        return gaps
    try:
        head = read_head(conn)
    except (SigningStopped, ValueError) as error:
        return [f"日志头读不出来：{error}"]
    seen = _Seen(Times(conn, [] if notes is None else notes, Outside(conn, head.origin, kept.inside)))
    problems: list[str] = []
    epochs, log_key = read_epochs(conn, head, problems), None
    for epoch in epochs:
        walk = _Walk(epoch, head.origin, seen)
        walk.leaves(conn)
        seen.times.end_epoch(epoch.epoch, walk.frontier.size)
        log_key = log_key or walk.log_key
        told = [*walk.problems, *_end_problems(head, walk)]
        told += checkpoint_problems(conn, walk.log, epoch, walk.roots, log_key=log_key, kept=kept)
        told += walk.node_problems(conn)
        problems += [epoch.label + each for each in told]
    problems += closing_problems(epochs, head, log_key) + stray_problems(conn, epochs, head)
    problems += [f"联署方名单：{kept.list_problem}"] if kept.list_problem else []
    problems += cosigner_problems(conn, kept.cosigners, seen.acceptances)
    problems += stamp_problems(conn, kept.stamp_sources)
    problems += anchor_problems(conn, kept.anchor_chains)
    problems += _claim_problems(conn, seen.claims)
    problems += [f"入账 {row[0]} 没有叶子" for row in conn.execute(_ORPHANS).fetchall()]
    for path, mark in kept.marks:
        problems += mark_problems(conn, head, path, mark)
    for text in shown:
        problems += shown_problems(conn, head, epochs, log_key, text)
    return problems


@dataclass(slots=True)
class _Seen:
    """What goes from one epoch into the next: numbers that are taken, keys that are enrolled, cosigners that are accepted, where time
    was corrected."""

    times: Times
    claims: dict[tuple[str, str], bytes] = field(default_factory=dict)
    origins: Origins = field(default_factory=Origins)
    acceptances: Acceptances = field(default_factory=Acceptances)


class _Walk:
    """One pass over an epoch: what leaves, nodes and claims should be."""

    def __init__(self, epoch: Epoch, origin: str, seen: _Seen) -> None:
        self.told = epoch
        self._origin = origin
        self.log = log_origin(origin, epoch.epoch)
        self.roots = Roots()
        self.epoch = epoch.epoch
        self.frontier = Frontier.empty()
        #: Time of the entry before: across epochs the log's time goes on as well.
        self.last_time: datetime | None = seen.times.end_of(epoch.row["kept_epoch"])
        self.problems: list[str] = []
        #: The log's public key as entry 0 states it.
        self.log_key: bytes | None = None
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._seen = seen

    def leaves(self, conn: psycopg.Connection) -> None:
        """Follow the leaves in order and compare each with its entry; stops at the first that is gone."""
        position = 0
        while rows := conn.execute(_ROWS, [self.epoch, position, CHUNK]).fetchall():
            hashes: list[bytes] = []
            for row in rows:
                if row[0] < position + len(hashes):
                    self.problems.append(f"第 {row[0]} 条（{row[1]}）的叶子或入账有两份")
                    return
                if row[0] > position + len(hashes):
                    self.problems.append(f"第 {position + len(hashes)} 条的叶子不见了")
                    return
                hashes.append(bytes(row[4]))
                self._compare(row)
            published = conn.execute(_PUBLISHED, [self.log, position, position + len(rows)]).fetchall()
            for grown in self.roots.append(self.frontier, hashes, [size for (size,) in published]):
                self._nodes |= {(node.level, node.start): node.hash for node in grown.nodes}
                self.frontier = grown.frontier
            position += len(rows)

    def _compare(self, row: Sequence[Any]) -> None:
        idx, uid, _, logged_at, *_ = row
        before, self.last_time = self.last_time, logged_at
        read = self._read(row)
        if read is not None and isinstance(read[0], ClockCorrected):
            whose = self._seen.origins.objections(read[0], row[2], *read[1:])
            why = self._seen.times.correct(read[0], (self.epoch, idx), logged_at, before, objections=whose)
            self.problems += [f"第 {idx} 条（{uid}）的时钟更正不成立：{each}" for each in why]
        elif before is not None and logged_at < before:
            self.problems.append(f"第 {idx} 条（{uid}）的入账时间早于前一条")

    def _read(self, row: Sequence[Any]) -> tuple[Message, Envelope, bytes] | None:
        """The entry of a leaf, compared with it; None when it is not what the leaf says, or cannot be read."""
        idx, uid, sender, logged_at, stored, key_id, envelope, message, arrived_at = row
        if message is None:
            self.problems.append(f"第 {idx} 条（{uid}）的入账不见了")
            return None
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
            return None
        try:
            parsed, read = parse_message(bytes(message)), decode_envelope(bytes(envelope))
            if read.key_id != key_id:
                self.problems.append(f"第 {idx} 条（{uid}）的密钥编号 key_id 与信封里的不同")
            if idx == 0:
                self._open(parsed)
            entry = entry_id(bytes(sender), uid)
            self._seen.origins.learn(parsed)
            self._seen.origins.decide(parsed, entry, bytes(sender), read, bytes(message))
            self._seen.acceptances.learn(
                parsed,
                entry=entry.hex(),
                position=position_of(self.epoch, idx),
                logged_at=logged_at,
            )
            for key in self._seen.origins.refuted(read, bytes(message)):
                self.problems.append(f"第 {idx} 条（{uid}）的源头签名不成立：不是密钥 {key} 签的内容")
            for kind, value in kind_of(parsed).claims(parsed):
                self._seen.claims[canonical_claim(kind, value)] = entry
        except (msgspec.MsgspecError, ValueError, Problem):
            return None  # an entry of a newer version: its claims and signatures are that version's affair
        return parsed, read, bytes(message)

    def _open(self, message: Message) -> None:
        if not self.told.is_opened_by(message):
            self.problems.append("第 0 条没有说明这一期，或与日志各期的表不同")
        if isinstance(message, LogOpened):
            if self.epoch == 1:
                self._seen.origins.found(message)
            if message.origin != self._origin:
                self.problems.append(f"日志头的来源是 {self._origin}，第 0 条说的是 {message.origin}")
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
        wrong = {key for key in self._nodes | stored if self._nodes.get(key) != stored.get(key)}
        wrong |= _doubled((row[0], row[1]) for row in rows)
        return [f"第 {level} 层、从第 {start} 条起的节点被改过、删掉或多出" for level, start in sorted(wrong)]


def _doubled(keys: Iterable[_Key]) -> set[_Key]:
    """Those that come twice, since somebody has taken the table's key away."""
    return {key for key, times in Counter(keys).items() if times > 1}


def _claim_problems(conn: psycopg.Connection, claims: dict[tuple[str, str], bytes]) -> list[str]:
    """Numbers and codes that are held by nobody although an entry took them, or by another entry."""
    rows = conn.execute("SELECT kind, value, entry FROM journal.claim").fetchall()
    stored = {(row[0], row[1]): bytes(row[2]) for row in rows}
    wrong = {key for key in claims | stored if claims.get(key) != stored.get(key)}
    wrong |= _doubled((row[0], row[1]) for row in rows)
    return [f"占用的号码 {value}（{kind}）与入账对不上" for kind, value in sorted(wrong)]


def _end_problems(head: HeadRow, walk: _Walk) -> list[str]:
    """Where an epoch ends."""
    told = walk.told
    found = _head_problems(head, walk) if told.is_open else []
    if not told.is_open and (walk.frontier.size, walk.frontier.root()) != (told.size, told.root):
        found.append(f"叶子有 {walk.frontier.size} 片，与下一期说的 {told.size} 条或根哈希不同")
    return found


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
