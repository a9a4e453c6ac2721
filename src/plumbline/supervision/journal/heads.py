"""The head of the log and who signs it (日志头与检查点签名): the mark is asked before every signature."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.evidence.checkpoint import (
    Checkpoint,
    NoteError,
    open_checkpoint,
    parse_note,
    parse_verifier,
    sign_checkpoint,
)
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.evidence.mark import Head, HeadMark, MarkRefused
from plumbline.evidence.note import Ed25519NoteSigner
from plumbline.evidence.paths import LeafAndNodeSource, node_hash
from plumbline.evidence.sm2_note import Sm2NoteSigner
from plumbline.evidence.tree import EMPTY_ROOT, Frontier
from plumbline.supervision.fetch import FetchFailed, fetch
from plumbline.supervision.journal.cosigners import Configured, CosignerSilent, known_cosigners, newest_of
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.journal.published import remember

#: How often the other signing hosts are asked for their marks while a process runs.
PEERS_EVERY_S = 3600.0
PEER_TIMEOUT_S = 3.0
MAX_MARK = 64 * 1024
_HOST = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,60}")


class SigningStopped(RuntimeError):
    """This host must not sign: its mark and the database disagree. The message says how; an operator decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRow:
    """The row journal.head."""

    origin: str
    epoch: int
    size: int
    root: bytes
    frontier: Frontier
    last_time: datetime

    def grown(self, frontier: Frontier, at: datetime) -> HeadRow:
        """The head after an append."""
        return HeadRow(
            origin=self.origin,
            epoch=self.epoch,
            size=frontier.size,
            root=frontier.root(),
            frontier=frontier,
            last_time=at,
        )

    @property
    def log_origin(self) -> str:
        """The origin line of checkpoints: each epoch is a log of its own."""
        return log_origin(self.origin, self.epoch)

    @property
    def checkpoint(self) -> Checkpoint:
        """What a checkpoint over this head says."""
        return Checkpoint(self.log_origin, self.size, self.root)

    @property
    def mark(self) -> Head:
        """What a mark of this head remembers."""
        return Head(self.origin, self.epoch, self.size, self.root)


def log_origin(origin: str, epoch: int) -> str:
    """`<origin>/<epoch>`."""
    return f"{origin}/{epoch}"


def closing_origin(origin: str, kept_epoch: int, epoch: int) -> str:
    """`<origin>/<kept>-<epoch>`: the log of what epoch `epoch` found of the epoch that it continues."""
    return f"{origin}/{kept_epoch}-{epoch}"


def read_head(conn: psycopg.Connection, *, lock: bool = False, first: str = "") -> HeadRow:
    """The head, with `lock` under FOR UPDATE. A missing row means that the log was never opened.

    `first` is a statement without result that goes before it on the same trip to the database.
    """
    suffix = " FOR UPDATE" if lock else ""
    asked = f"SELECT origin, epoch, size, root, frontier, last_time FROM journal.head WHERE single{suffix}"
    if first:
        found = conn.execute(f"{first}; {asked}".encode(), prepare=False)
        found.nextset()
    else:
        found = conn.execute(asked.encode())
    row = found.fetchone()
    if row is None:
        raise SigningStopped("日志还没有创世")
    return HeadRow(
        origin=row[0],
        epoch=row[1],
        size=row[2],
        root=bytes(row[3]),
        frontier=Frontier.decode(bytes(row[4])),
        last_time=row[5],
    )


def source_of(conn: psycopg.Connection, epoch: int, size: int) -> LeafAndNodeSource:
    """Subtrees of the stored log: nodes from level 8, and at most 256 leaves a block."""

    def node(level: int, start: int) -> bytes | None:
        row = conn.execute(
            "SELECT hash FROM journal.node WHERE epoch = %s AND level = %s AND start = %s",
            [epoch, level, start],
        ).fetchone()
        return bytes(row[0]) if row else None

    return LeafAndNodeSource(size, node, lambda start, end: _leaves(conn, epoch, start, end))


def root_at(conn: psycopg.Connection, epoch: int, size: int) -> bytes:
    """The root that the stored leaves and nodes give for the first `size` leaves."""
    if size == 0:
        return EMPTY_ROOT
    source, start, parts = source_of(conn, epoch, size), 0, []
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            parts.append(source.subtree(level, start))
            start += 1 << level
    root = parts.pop()
    while parts:
        root = node_hash(parts.pop(), root)
    return root


def extends(conn: psycopg.Connection, seen: HeadRow, now: HeadRow) -> bool:
    """Whether `now` is `seen` plus the stored leaves between them: the cheap check between two batches."""
    if (seen.origin, seen.epoch) != (now.origin, now.epoch) or now.size < seen.size:
        return False
    return seen.frontier.append(stored_leaves(conn, seen, now)).frontier.root() == now.root


def stored_leaves(conn: psycopg.Connection, before: HeadRow, after: HeadRow) -> list[bytes]:
    """Hashes of the stored leaves between two heads of one epoch, 32 bytes each."""
    return _leaves(conn, before.epoch, before.size, after.size)


def _leaves(conn: psycopg.Connection, epoch: int, start: int, end: int) -> list[bytes]:
    rows = conn.execute(
        "SELECT leaf_hash FROM journal.leaf WHERE epoch = %s AND idx >= %s AND idx < %s ORDER BY idx",
        [epoch, start, end],
    ).fetchall()
    return [bytes(row[0]) for row in rows]


def _ask_mark(host: str, url: str | None) -> Head:
    """The mark of another host as it answers GET /x/v1/log/mark."""
    if not url:
        raise SigningStopped(f"签名主机 {host} 没有登记水位地址，无法核对")
    try:
        answer = fetch(url, timeout_s=PEER_TIMEOUT_S, max_bytes=MAX_MARK)
        if answer.status != 200:
            raise FetchFailed(f"HTTP {answer.status}")
        body = json.loads(answer.body)
        return Head(str(body["origin"]), int(body["epoch"]), int(body["size"]), bytes.fromhex(body["root"]))
    except FetchFailed as error:
        raise SigningStopped(f"问不到签名主机 {host} 的水位，不能签名（{error}）") from None
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise SigningStopped(f"问不到签名主机 {host} 的水位，不能签名（{type(error).__name__}）") from None


def _require_extends(conn: psycopg.Connection, head: HeadRow, name: str, point: Checkpoint) -> None:
    """The stored log extends what a cosigner saw: head.size ≥ its size, and the same root there (PROTOCOL §2.8)."""
    if point.origin != head.log_origin:
        return
    if point.size > head.size:
        raise SigningStopped(
            f"联署方 {name} 见过 {point.size} 条，数据库里的日志只有 {head.size} 条：数据库被恢复到了以前"
        )
    if root_at(conn, head.epoch, point.size) != point.root:
        raise SigningStopped(f"日志前 {point.size} 条与联署方 {name} 见过的不同：日志被改写")


class CheckpointSigner:
    """Signs heads with the log key of this host, after the mark allowed it. Safe between threads."""

    def __init__(
        self, key: Ed25519PrivateKey, marks: Path, host: str = "", *, sm2: Sm2PrivateKey | None = None
    ) -> None:
        """`host` is this host's name in `ops.signing_host`: PLUMB_SIGNING_HOST, else `local`. With `sm2` every head is signed twice."""
        self.host = host or os.environ.get("PLUMB_SIGNING_HOST", "") or "local"
        if not _HOST.fullmatch(self.host):
            raise ValueError(f"{self.host!r} is not the name of a signing host")
        self._key, self._sm2 = key, sm2
        self._mark = HeadMark(marks / f"{self.host}.mark", hit)
        self._marks = marks
        self._peers_asked = float("-inf")
        self._newest: tuple[int, int, str] = (0, 0, "")
        self._lock = threading.Lock()

    @property
    def own_acts(self) -> Path:
        """Where the platform's own acts are kept on this host: beside the marks, outside the database."""
        return self._marks.parent / "own"

    def verifier_key(self, origin: str) -> str:
        """C2SP vkey of the log key under the name of the origin line."""
        return Ed25519NoteSigner(origin, self._key).verifier_key()

    def verifier_keys(self, origin: str) -> list[str]:
        """All vkeys that this host signs with: Ed25519 first, then SM2 in the suite `gm`."""
        return [signer.verifier_key() for signer in self._signers(origin)]

    def _signers(self, origin: str) -> list[Ed25519NoteSigner | Sm2NoteSigner]:
        plain = Ed25519NoteSigner(origin, self._key)
        return [plain] if self._sm2 is None else [plain, Sm2NoteSigner(origin, self._sm2)]

    def mark(self) -> Head | None:
        """The largest head this host has signed."""
        return self._mark.read()

    def open_log(self, head: HeadRow) -> None:
        """First mark of a new log (genesis)."""
        self._mark.create(head.mark)

    def former_marks(self) -> list[Head]:
        """What this host signed last in former epochs."""
        return self._mark.former()

    def begin_epoch(self, head: HeadRow, expected: Head | None) -> None:
        """First mark of this host in a later epoch: an operator's act on this host, who was shown `expected` as its mark.

        The caller has proven that the epoch accounts for that mark.
        """
        self._mark.begin_epoch(head.mark, expected)

    def sign_closing(self, closing: Checkpoint) -> str:
        """A checkpoint over what is kept of an ended epoch. It has a name of its own (:func:`closing_origin`), so that nothing that was
        signed under the epoch's name can be contradicted by it."""
        return sign_checkpoint(closing, self._signers(closing.origin))

    def signed_by_us(self, note: str) -> Checkpoint | None:
        """The checkpoint of a note that carries this log's own signature, else None."""
        try:
            stated = Checkpoint.parse(parse_note(note).text)
            ours = [parse_verifier(key) for key in self.verifier_keys(stated.origin)]
            return open_checkpoint(note, ours).checkpoint
        except NoteError:
            return None

    def _sign(self, head: HeadRow) -> str:
        return sign_checkpoint(head.checkpoint, self._signers(head.log_origin))

    def check_start(self, conn: psycopg.Connection) -> HeadRow:
        """On start and on every new connection: the stored log extends the marks of all hosts, and its leaves give its own root."""
        self.check_peers(conn)
        head = self.check_extends(conn)
        if root_at(conn, head.epoch, head.size) != head.root:
            raise SigningStopped("数据库里的叶子算不出日志头的根哈希")
        ended = conn.execute(
            "SELECT kept_epoch, kept_size, kept_root FROM journal.epoch WHERE epoch > 1"
        ).fetchall()
        for epoch, size, root in ended:
            if root_at(conn, epoch, size) != bytes(root):
                raise SigningStopped(f"日志第 {epoch} 期与它结束时的不同：日志被改写")
        return head

    @property
    def peers_are_due(self) -> bool:
        """Whether the other hosts were last asked more than an hour ago."""
        return time.monotonic() - self._peers_asked >= PEERS_EVERY_S

    def peer_marks(self, conn: psycopg.Connection) -> dict[str, Head]:
        """The marks of the other registered signing hosts; raises :class:`SigningStopped` when one cannot be asked."""
        rows = conn.execute("SELECT host, mark_url FROM ops.signing_host WHERE host <> %s", [self.host])
        return {host: _ask_mark(host, url) for host, url in rows.fetchall()}

    def check_peers(self, conn: psycopg.Connection) -> None:
        """Ask every other registered signing host for its mark; raises :class:`SigningStopped` unless the stored log extends all.

        One that cannot be asked may have signed anything, so that nothing is signed here. The marks are asked before the head is
        read: heads only grow, so a mark beyond the head cannot be a matter of timing.
        """
        marks, seen = self.peer_marks(conn), self.cosigned_heads(read_head(conn).log_origin)
        head = read_head(conn)
        for host, mark in marks.items():
            if (mark.origin, mark.epoch) != (head.origin, head.epoch):
                raise SigningStopped(
                    f"签名主机 {host} 的水位属于 {mark.origin} 第 {mark.epoch} 期，与数据库不同"
                )
            if mark.size > head.size:
                raise SigningStopped(
                    f"签名主机 {host} 签过 {mark.size} 条，数据库里的日志只有 {head.size} 条"
                )
            if root_at(conn, head.epoch, mark.size) != mark.root:
                raise SigningStopped(f"日志前 {mark.size} 条与签名主机 {host} 签过的不同：日志被改写")
        for cosigner, point in seen.items():
            _require_extends(conn, head, cosigner.name, point)
        self._peers_asked = time.monotonic()

    def cosigners(self, *, every: bool = False) -> tuple[Configured, ...]:
        """Who cosigns this log. A list that cannot be read stops nobody, the last one that could stands; with `every` it does."""
        found, problem = known_cosigners(self._marks)
        if problem and every:
            raise SigningStopped(f"联署方名单读不出来：{problem}")
        return found

    def cosigned_heads(self, origin: str, *, every: bool = False) -> dict[Configured, Checkpoint]:
        """What each cosigner shows as the newest checkpoint of a log that it cosigned, if this log has signed it.

        One that is out of reach is left out: it must not be able to stop reception, and what it keeps to itself harms nobody else.
        With `every` it raises :class:`SigningStopped` instead, and what it said a minute ago does not count.
        """
        found: dict[Configured, Checkpoint] = {}
        for each, note in newest_of(self.cosigners(every=every), origin, fresh=every).items():
            if isinstance(note, CosignerSilent):
                if every:
                    raise SigningStopped(f"问不到联署方 {each.name}（{note}）")
                continue
            checkpoint = self.signed_by_us(note) if note else None
            if checkpoint is not None and checkpoint.origin == origin:
                found[each] = checkpoint
            elif note and every:
                raise SigningStopped(f"联署方 {each.name} 给的不是这个日志签过的检查点，问不到它见过什么")
        return found

    def check_extends(self, conn: psycopg.Connection) -> HeadRow:
        """The committed head; raises :class:`SigningStopped` unless the stored log extends what this host signed.

        head.size ≥ mark.size **and** the root recomputed at mark.size equals mark.root. The mark is read first: it only grows after a
        commit, so that a head read later cannot be behind it but by a restore. The other hosts are asked at most once an hour.
        """
        if self.peers_are_due:
            self.check_peers(conn)
        try:
            mark = self._mark.read()
        except MarkRefused as refused:
            raise SigningStopped(f"本机的日志水位读不出来：{refused}") from refused
        head = read_head(conn)
        if mark is None:
            if head.size > 0 or head.epoch > 1:
                raise SigningStopped("本机的日志水位丢失，而日志里已有记录；请执行 plumbline log resume")
            return head
        if (mark.origin, mark.epoch) != (head.origin, head.epoch):
            raise SigningStopped(
                f"水位属于 {mark.origin} 第 {mark.epoch} 期，数据库是 {head.origin} 第 {head.epoch} 期；"
                "请在本机执行 plumbline log resume"
            )
        if head.size < mark.size:
            raise SigningStopped(
                f"数据库里的日志只有 {head.size} 条，本机签过 {mark.size} 条：数据库被恢复到了以前；"
                "找不到更新的备份时，请执行 plumbline log resume 另开一期"
            )
        if root_at(conn, head.epoch, mark.size) != mark.root:
            raise SigningStopped(f"日志前 {mark.size} 条与本机签过的不同：日志被改写")
        return head

    def sign_if_largest(self, head: HeadRow) -> str | None:
        """A checkpoint note over a committed head, or None when this host has signed a larger one already."""
        try:
            self._mark.advance(head.mark)
        except MarkRefused as refused:
            if refused.reason == "smaller":
                return None
            raise SigningStopped(str(refused)) from refused
        hit("append.after_mark")
        note = self._sign(head)
        with self._lock:
            self._newest = max(self._newest, (head.epoch, head.size, note))
        return note

    def remember_published(self, head: HeadRow) -> None:
        """Note on this host that the checkpoint over `head` stands in the database: its row is committed."""
        remember(self._marks, self.host, head.epoch, head.size)

    def newest(self) -> tuple[int, int, str]:
        """(epoch, size, note) of the largest head signed by this process; size 0 before the first."""
        with self._lock:
            return self._newest
