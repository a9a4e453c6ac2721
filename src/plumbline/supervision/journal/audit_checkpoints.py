"""Published checkpoints and this host's mark against the log (检查点与水位的核对): a part of the audit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psycopg

from plumbline.evidence.checkpoint import Checkpoint, open_checkpoint, parse_note
from plumbline.evidence.mark import Head, HeadMark, MarkRefused
from plumbline.evidence.note import Ed25519NoteVerifier, NoteError
from plumbline.evidence.paths import MissingSubtree
from plumbline.supervision.journal.audit_epochs import Epoch
from plumbline.supervision.journal.heads import HeadRow, log_origin, root_at
from plumbline.supervision.journal.published import published


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the signing host keeps apart from the database, read before it: both only grow after a commit."""

    marks: tuple[tuple[Path, Head | None], ...]
    #: Epoch → sizes of the checkpoints that were published.
    published: dict[int, set[int]]

    @classmethod
    def of(cls, folder: Path) -> Kept:
        """From the folder of marks."""
        marks = tuple((path, _mark(path)) for path in sorted(folder.glob("*.mark")))
        return cls(marks=marks, published=published(folder))


def _mark(path: Path) -> Head | None:
    """The mark of a file, None when it cannot be read."""
    try:
        return HeadMark(path).read()
    except MarkRefused:
        return None


def _root(conn: psycopg.Connection, epoch: int, size: int) -> bytes | None:
    try:
        return root_at(conn, epoch, size)
    except MissingSubtree:
        return None


def checkpoint_problems(
    conn: psycopg.Connection, head: HeadRow, told: Epoch, log_key: bytes | None, listed: Collection[int]
) -> list[str]:
    """Published checkpoints must be signed by the log, over the log as it stands, and all there."""
    origin = log_origin(head.origin, told.epoch)
    rows = conn.execute(
        "SELECT size, note FROM journal.checkpoint WHERE origin = %s ORDER BY size", [origin]
    ).fetchall()
    found = []
    for size, note in rows:
        if problem := _checkpoint_problem(conn, origin, told, log_key, size, note):
            found.append(problem)
    stored = {row[0] for row in rows}
    # A restore may have lost the newest ones of an epoch that has ended; between those that are left none is missing.
    last = max(listed, default=0) if told.is_open else max(stored, default=0)
    found += [f"发布过 {size} 条的检查点，表里没有了" for size in sorted({*listed} - stored) if size <= last]
    return found


def _checkpoint_problem(
    conn: psycopg.Connection, origin: str, told: Epoch, log_key: bytes | None, size: int, note: str
) -> str | None:
    try:
        stated = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
    except ValueError:
        return f"{size} 条的检查点读不懂"
    if stated.size > told.signed or stated.size != size or stated.extensions:
        return f"{size} 条的检查点比日志还长，或大小不符"
    if log_key is not None and not is_signed(note, origin, log_key):
        return f"{size} 条的检查点不是日志的密钥签的，或签名被改过"
    if size <= told.size and _root(conn, told.epoch, size) != stated.root:
        return f"日志前 {size} 条与发布过的检查点不同"
    return None


def is_signed(note: str, origin: str, log_key: bytes) -> bool:
    """Whether the log's key has signed, and no line speaks for anybody else: rows hold the log's own signatures alone."""
    try:
        opened = open_checkpoint(note, [Ed25519NoteVerifier(origin, log_key)], origin)
        return opened.checkpoint.origin == origin and all(
            line.name == origin for line in parse_note(note).signatures
        )
    except (NoteError, ValueError):
        return False


def mark_problems(conn: psycopg.Connection, head: HeadRow, path: Path, mark: Head | None) -> list[str]:
    """Where the log is not what this host has signed."""
    if mark is None:
        return [f"水位文件 {path.name} 读不出来"]
    if mark.origin != head.origin:
        return [f"日志头的来源是 {head.origin}，本机的水位属于 {mark.origin}"]
    if mark.epoch != head.epoch:
        return [f"本机的水位在第 {mark.epoch} 期，数据库在第 {head.epoch} 期"]
    if mark.size > head.size:
        return [f"本机签过 {mark.size} 条的检查点，数据库只有 {head.size} 条：被恢复到了以前"]
    if _root(conn, head.epoch, mark.size) != mark.root:
        return [f"日志前 {mark.size} 条与本机签过的检查点不同：日志被改写"]
    return []
