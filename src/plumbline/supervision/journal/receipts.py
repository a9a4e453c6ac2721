"""Receipts of what is already in the journal (回执): same entry id, index, leaf and times; path and checkpoint may be newer."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg

from plumbline.evidence.attachments import ANCHOR_TYPE, STAMP_TYPE, format_attachment
from plumbline.evidence.checkpoint import Checkpoint, parse_note
from plumbline.evidence.leaf import Leaf, entry_id, leaf_hash, sha256, sm3, us_from_instant
from plumbline.evidence.paths import consistency_path, inclusion_path
from plumbline.evidence.receipt import make_receipt
from plumbline.supervision.journal.heads import HeadRow, SigningStopped, log_origin, root_at, source_of
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.journal.replication import require_replicated

if TYPE_CHECKING:
    from plumbline.supervision.journal.heads import CheckpointSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry that the journal holds, with a fresh receipt."""

    entry: bytes
    epoch: int
    index: int
    logged_at: datetime
    message_sha256: bytes
    receipt: str

    def accepted(self, *, duplicate: bool) -> Accepted:
        """The outcome to answer with."""
        return Accepted(
            entry=self.entry,
            epoch=self.epoch,
            index=self.index,
            logged_at=self.logged_at,
            receipt=self.receipt,
            duplicate=duplicate,
        )


_FIND = """
SELECT e.uid, e.sender_id, e.envelope, e.message, e.arrived_at, l.epoch, l.idx, l.logged_at, l.leaf_hash
  FROM journal.entry e JOIN journal.leaf l ON l.uid = e.uid AND l.sender_id = e.sender_id
 WHERE e.uid = %s AND e.sender_id = %s
"""


def signed_head(
    conn: psycopg.Connection, signer: CheckpointSigner, attempts: int = 20
) -> tuple[HeadRow, str]:
    """The newest committed head with this host's checkpoint over it; raises CommitUnknown while no standby confirms it."""
    for _ in range(attempts):
        head = signer.check_extends(conn)
        require_replicated(conn)
        note = signer.sign_if_largest(head)
        if note is not None:
            return head, note
    raise SigningStopped("日志头一直在变，没有签成")


def closed_epochs(conn: psycopg.Connection) -> dict[int, tuple[int, str]]:
    """Size and closing checkpoint of every epoch that a later one continues."""
    rows = conn.execute(
        "SELECT kept_epoch, kept_size, closing FROM journal.epoch WHERE epoch > 1 ORDER BY epoch"
    ).fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


#: Of the newest cosigned sizes of a log, the one with the most cosigners, and of those the largest.
_COSIGNED = """
SELECT c.size, c.note, s.lines
  FROM (SELECT size, string_agg(line, '' ORDER BY name, key_id) AS lines, count(DISTINCT name) AS cosigners
          FROM (SELECT * FROM journal.cosignature WHERE origin = %(origin)s AND size > %(idx)s AND size <= %(most)s
                 ORDER BY size DESC LIMIT 32) newest
         GROUP BY size ORDER BY cosigners DESC, size DESC LIMIT 1) s
  JOIN journal.checkpoint c ON c.origin = %(origin)s AND c.size = s.size
"""


def cosigned_point(conn: psycopg.Connection, origin: str, index: int, most: int) -> tuple[int, str] | None:
    """(size, note) of the newest cosigned checkpoint of an epoch that covers an index, with all its cosignatures; None without one."""
    row = conn.execute(_COSIGNED, {"origin": origin, "idx": index, "most": most}).fetchone()
    return (row[0], row[1] + row[2]) if row else None


#: Of those and the first checkpoints that were time-stamped, anchored, or stamped and cosigned: the one with the most cosigners, then
#: with the most kinds of evidence; of several the earliest that has any, since it says the most about time.
_ATTESTED = """
WITH cosigned AS (SELECT DISTINCT size FROM (SELECT size FROM journal.cosignature
                   WHERE origin = %(origin)s AND size > %(idx)s AND size <= %(most)s ORDER BY size DESC LIMIT 32) newest),
     stamped AS (SELECT min(size) AS size FROM journal.stamp WHERE origin = %(origin)s AND size > %(idx)s AND size <= %(most)s),
     anchored AS (SELECT min(size) AS size FROM journal.anchor WHERE origin = %(origin)s AND size > %(idx)s AND size <= %(most)s),
     stamped_too AS (SELECT s.size FROM journal.stamp s WHERE s.origin = %(origin)s AND s.size > %(idx)s AND s.size <= %(most)s
                 AND EXISTS (SELECT 1 FROM journal.cosignature c WHERE c.origin = s.origin AND c.size = s.size)
               ORDER BY s.size LIMIT 1),
     point AS (SELECT size FROM cosigned UNION SELECT size FROM stamped UNION SELECT size FROM anchored UNION SELECT size FROM stamped_too),
     told AS (SELECT size, (SELECT count(DISTINCT name) FROM journal.cosignature s
                             WHERE s.origin = %(origin)s AND s.size = p.size) AS cosigners,
                     EXISTS (SELECT 1 FROM journal.stamp s WHERE s.origin = %(origin)s AND s.size = p.size)::int
                   + EXISTS (SELECT 1 FROM journal.anchor s WHERE s.origin = %(origin)s AND s.size = p.size)::int AS kinds
                FROM point p WHERE size IS NOT NULL)
SELECT c.size, c.note FROM told JOIN journal.checkpoint c ON c.origin = %(origin)s AND c.size = told.size
 ORDER BY told.cosigners DESC, told.kinds DESC, CASE WHEN told.kinds > 0 THEN told.size END, told.size DESC LIMIT 1
"""
_LINES = """
SELECT 0, name, NULL::bytea, line FROM journal.cosignature WHERE origin = %(origin)s AND size = %(size)s
UNION ALL SELECT 1, name, token, NULL FROM journal.stamp WHERE origin = %(origin)s AND size = %(size)s
UNION ALL SELECT 2, name, proof, NULL FROM journal.anchor WHERE origin = %(origin)s AND size = %(size)s
 ORDER BY 1, 2, 4
"""


def attested_point(conn: psycopg.Connection, origin: str, index: int, most: int) -> tuple[int, str] | None:
    """(size, note) of the checkpoint that outsiders say the most about, with everything that they say of it; None without one."""
    row = conn.execute(_ATTESTED, {"origin": origin, "idx": index, "most": most}).fetchone()
    if row is None:
        return None
    size, note = row
    for kind, name, data, line in conn.execute(_LINES, {"origin": origin, "size": size}).fetchall():
        note += (
            line if kind == 0 else format_attachment(name, (STAMP_TYPE, ANCHOR_TYPE)[kind - 1], bytes(data))
        )
    return size, note


def receipts_of(
    conn: psycopg.Connection,
    signer: CheckpointSigner,
    identities: Sequence[tuple[uuid.UUID, bytes]],
    *,
    cosigned: bool = False,
    attested: bool = False,
    at: tuple[HeadRow, str] | None = None,
) -> dict[tuple[uuid.UUID, bytes], StoredEntry]:
    """Receipts by identity; an identity that is not stored is absent. Rebuilt from `node` and at most 256 leaves each.

    Entries of the epoch that is open are proven against the newest head, those of an earlier one against its closing checkpoint; with
    `cosigned` both against the newest cosigned checkpoint that covers them, if there is one; with `attested` against the one that outsiders
    say the most about: cosigners, time stamps, anchors. `at`: a signed head of before, to prove many entries against one checkpoint.
    """
    head, note = at or signed_head(conn, signer)
    ends = {head.epoch: (head.size, note)} | closed_epochs(conn)
    checked: set[str] = {note}
    found = {}
    for uid, sender in identities:
        row = conn.execute(_FIND, [uid, sender]).fetchone()
        if row is None:
            continue
        if row[5] not in ends:
            raise SigningStopped("日志刚刚另开了一期，请重试")
        size, note = ends[row[5]]
        if row[6] >= size:
            continue
        if cosigned or attested:
            point_of = attested_point if attested else cosigned_point
            point = point_of(conn, log_origin(head.origin, row[5]), row[6], size)
            size, note = point or (size, note)
        leaf = Leaf(
            sender_id=bytes(row[1]),
            uid=row[0],
            arrived_at_us=us_from_instant(row[4]),
            logged_at_us=us_from_instant(row[7]),
            envelope_sha256=sha256(bytes(row[2])),
            message_sha256=sha256(bytes(row[3])),
            message_sm3=sm3(bytes(row[3])),
        )
        if leaf_hash(leaf.encode()) != bytes(row[8]):
            raise SigningStopped(f"第 {row[6]} 条的内容与它的叶子对不上：总账被改过")
        if note not in checked:
            if root_at(conn, row[5], size) != Checkpoint.parse(parse_note(note).text).root:
                raise SigningStopped(f"日志第 {row[5]} 期前 {size} 条与签过的不同：日志被改写")
            checked.add(note)
        path = inclusion_path(row[6], size, source_of(conn, row[5], size))
        found[(row[0], bytes(row[1]))] = StoredEntry(
            entry=entry_id(bytes(row[1]), row[0]),
            epoch=row[5],
            index=row[6],
            logged_at=row[7],
            message_sha256=leaf.message_sha256,
            receipt=make_receipt(leaf, row[6], path, note),
        )
    return found


def consistency_of(
    conn: psycopg.Connection, signer: CheckpointSigner, epoch: int, old: int, new: int
) -> list[bytes] | None:
    """Proof that an epoch's first `old` entries are the beginning of its first `new`; None when it has not so many."""
    head = signer.check_extends(conn)
    ends = {head.epoch: head.size} | {each: size for each, (size, _) in closed_epochs(conn).items()}
    if not 0 <= old <= new <= ends.get(epoch, -1):
        return None
    return consistency_path(old, new, source_of(conn, epoch, new))
