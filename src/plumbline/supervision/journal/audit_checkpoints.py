"""Published checkpoints and this host's mark against the log (检查点与水位的核对): a part of the audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from plumbline.evidence.checkpoint import (
    Checkpoint,
    open_checkpoint,
    parse_note,
)
from plumbline.evidence.leaf import leaf_hash
from plumbline.evidence.mark import Head, HeadMark, MarkRefused
from plumbline.evidence.note import Ed25519NoteVerifier, NoteError
from plumbline.evidence.paths import MissingSubtree
from plumbline.evidence.proof import ProofError, TlogProof, parse_proof
from plumbline.evidence.sm2_note import Sm2NoteVerifier
from plumbline.supervision.journal.anchoring import CHAINS, AnchorChain
from plumbline.supervision.journal.audit_epochs import Epoch
from plumbline.supervision.journal.audit_roots import Roots
from plumbline.supervision.journal.cosigners import Configured, known_cosigners
from plumbline.supervision.journal.heads import HeadRow, log_origin, root_at
from plumbline.supervision.journal.outside_times import inside
from plumbline.supervision.journal.published import published
from plumbline.supervision.journal.stamping import SOURCES, StampSource

_SM2_BYTES = 64
#: How many checkpoints that the log contradicts are named one by one.
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the signing host keeps apart from the database, read before it: both only grow after a commit."""

    marks: tuple[tuple[Path, Head | None], ...]
    #: Epoch → sizes of the checkpoints that were published.
    published: dict[int, set[int]]
    #: The point of the log's SM2 key; b"" where it has none, None where that is not known.
    sm2: bytes | None = None
    #: Cosigners on the operator's list; None where it is not known.
    cosigners: tuple[Configured, ...] | None = None
    #: Why that list cannot be read; the one that could be read last stands in for it.
    list_problem: str = ""
    #: Time-stamp authorities of the operator's list, the retired ones too.
    stamp_sources: tuple[StampSource, ...] = ()
    #: Chains of the operator's list, the retired ones too.
    anchor_chains: tuple[AnchorChain, ...] = ()
    #: Kind and name of those on the lists that the operator runs himself: they are no outsiders.
    inside: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, folder: Path, sm2: bytes | None = None) -> Kept:
        """From the folder of marks."""
        marks = tuple((path, _mark(path)) for path in sorted(folder.glob("*.mark")))
        cosigners, list_problem = known_cosigners(folder)
        return cls(
            marks=marks,
            published=published(folder),
            sm2=sm2,
            cosigners=cosigners,
            list_problem=list_problem,
            stamp_sources=SOURCES.known(folder)[0],
            anchor_chains=CHAINS.known(folder)[0],
            inside=inside(folder),
        )


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
    conn: psycopg.Connection, origin: str, told: Epoch, roots: Roots, *, log_key: bytes | None, kept: Kept
) -> list[str]:
    """Published checkpoints must be signed by the log, over the log as it stands, and all there.

    `roots`: what the walk over the epoch's leaves came by; at a size that it did not reach the stored nodes are asked.
    """
    listed = kept.published.get(told.epoch, set())
    found, stored, differing = list[str](), Counter[int](), 0
    with conn.cursor(
        name="checkpoints"
    ) as rows:  # in portions: up to one for every second that the log has lived
        rows.execute("SELECT size, note FROM journal.checkpoint WHERE origin = %s ORDER BY size", [origin])
        for size, note in rows:
            stored[size] += 1
            if log_key is not None and not (
                is_signed(note, origin, log_key) and is_whole(note, origin, log_key, kept.sm2)
            ):
                found.append(f"{size} 条的检查点不是日志的密钥签的，或签名被改过")
            elif problem := _checkpoint_problem(told, size, note):
                found.append(problem)
            elif (
                size <= told.size and (roots.at(size) or _root(conn, told.epoch, size)) != _stated(note).root
            ):
                # One leaf that was changed contradicts every checkpoint after it: the first of them say enough.
                differing += 1
                if differing <= _NAMED:
                    found.append(f"日志前 {size} 条与发布过的检查点不同")
    if differing > _NAMED:
        found.append(f"另有 {differing - _NAMED} 份发布过的检查点也与日志不同")
    found += [f"{size} 条的检查点有 {times} 份" for size, times in stored.items() if times > 1]
    # A restore may have lost the newest ones of an epoch that has ended; between those that are left none is missing.
    last = max(listed, default=0) if told.is_open else max(stored, default=0)
    found += [
        f"发布过 {size} 条的检查点，表里没有了" for size in sorted({*listed} - {*stored}) if size <= last
    ]
    return found


def _stated(note: str) -> Checkpoint:
    return Checkpoint.parse(note.partition("\n\n")[0] + "\n")


def _checkpoint_problem(told: Epoch, size: int, note: str) -> str | None:
    try:
        stated = _stated(note)
    except ValueError:
        return f"{size} 条的检查点读不懂"
    if stated.size > told.signed or stated.size != size or stated.extensions:
        return f"{size} 条的检查点比日志还长，或大小不符"
    return None


def is_signed(note: str, origin: str, log_key: bytes, *, alone: bool = True) -> bool:
    """Whether the log's key has signed; `alone`: and no line speaks for anybody else, since rows hold its own signatures only."""
    try:
        opened = open_checkpoint(note, [Ed25519NoteVerifier(origin, log_key)], origin)
        others = [line for line in parse_note(note).signatures if line.name != origin]
        return opened.checkpoint.origin == origin and not (alone and others)
    except (NoteError, ValueError):
        return False


def is_whole(note: str, origin: str, log_key: bytes, sm2: bytes | None) -> bool:
    """Whether a stored note has the one Ed25519 line of the log and, in the suite `gm`, at most one of its SM2 key.

    `sm2` is that key today, b"" where there is none, None where it is not known. An SM2 key may have been another one
    earlier, which nobody can check any more: then the line must at least look like one.
    """
    try:
        lines = parse_note(note).signatures
        plain = Ed25519NoteVerifier(origin, log_key).key_id
        others = [line for line in lines if line.key_id != plain]
        if len(lines) - len(others) != 1 or len(others) > (0 if sm2 == b"" else 1):
            return False
        if any(len(line.signature) != _SM2_BYTES for line in others):
            return False
        parse_note(note).verified_by([Sm2NoteVerifier(origin, sm2)] if sm2 else [])
    except (NoteError, ValueError):
        return False
    return True


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


def shown_problems(
    conn: psycopg.Connection, head: HeadRow, epochs: Sequence[Epoch], log_key: bytes | None, text: str
) -> list[str]:
    """What a checkpoint or a receipt that was kept elsewhere says, and this log does not."""
    try:
        proof = _receipt(text)
        note = proof.checkpoint_note if proof else text
        stated = Checkpoint.parse(parse_note(note).text)
    except ValueError:
        return ["别处留存的检查点或回执读不懂"]
    told = next((each for each in epochs if log_origin(head.origin, each.epoch) == stated.origin), None)
    if told is None:
        return [f"别处留存的检查点属于 {stated.origin}，不是本日志"]
    if log_key is None or not is_signed(note, stated.origin, log_key, alone=False):
        return [f"别处留存的 {stated.size} 条的检查点不是第 0 条所说的密钥签的：日志被换过，或给错了文件"]
    if stated.size > told.signed:
        return [f"别处留存的检查点有 {stated.size} 条，日志只有 {told.signed} 条"]
    if stated.size > told.size or _root(conn, told.epoch, stated.size) == stated.root:
        return []
    found = [f"日志前 {stated.size} 条与别处留存的检查点不同：日志被改写"]
    return found + (_leaf_problems(conn, told.epoch, proof) if proof is not None else [])


def _receipt(text: str) -> TlogProof | None:
    try:
        return parse_proof(text)
    except ProofError:
        return None


def _leaf_problems(conn: psycopg.Connection, epoch: int, proof: TlogProof) -> list[str]:
    row = conn.execute(
        "SELECT leaf_hash FROM journal.leaf WHERE epoch = %s AND idx = %s", [epoch, proof.index]
    ).fetchone()
    if row is not None and bytes(row[0] or b"") == leaf_hash(proof.extra):
        return []
    return [f"第 {proof.index} 条与别处留存的回执不同"]
