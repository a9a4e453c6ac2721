"""Building the bundle of a report (出具报告包): bytes from the journal, receipts against one head, the registered PDF.

No personal part goes in: messages name people by number, envelopes name personal records by salted digest,
and pictures of people are named by digest alone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from plumbline.evidence.attachments import ANCHOR_TYPE, STAMP_TYPE, attachments
from plumbline.evidence.checkpoint import Checkpoint, parse_note
from plumbline.evidence.position import position_of
from plumbline.evidence.proof import parse_proof
from plumbline.exchange.decode import parse_message
from plumbline.exchange.signatures import Signer
from plumbline.exchange.submission import decode_envelope
from plumbline.sdk.bundle.format import BundleContent, BundleEntry, BundlePicture, write_bundle
from plumbline.sdk.bundle.verify import pictures_of
from plumbline.sdk.bundle.volume_format import PICTURE_BYTES
from plumbline.supervision.config import Platform
from plumbline.supervision.dossier.collect import ApplicationUnknown, Collected, Collector
from plumbline.supervision.journal.files import FileDigestMismatch, FileStore
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.receipts import StoredEntry, receipts_of
from plumbline.supervision.scanner import Policy, ScanSettings, withheld_because

__all__ = ["ApplicationUnknown", "BundleIncomplete", "build_bundle", "bundle_response_bytes"]

#: Pictures that show things. The others may show people and stay out.
THINGS = frozenset({"sealed_sample", "press_start", "break"})
#: How long a request waits for the projector.
PROJECTION_WAIT_S = 2.0

_Bytes = dict[tuple[uuid.UUID, bytes], tuple[bytes, bytes]]


class BundleIncomplete(RuntimeError):
    """The journal lacks an entry that the facts name; an audit finds out why."""


def build_bundle(
    conninfos: Mapping[str, str],
    signer: CheckpointSigner,
    files: FileStore,
    application_id: str,
    *,
    statement: Signer | None = None,
    scanning: Policy = Policy.OFF,
) -> bytes:
    """The bundle of an application, whatever its state; `statement` is the platform's web key.

    `conninfos` has `plumb_worker` (facts, journal) and `plumb_gateway` (receipts). Raises
    :class:`ApplicationUnknown`; :class:`BundleIncomplete` when facts and journal disagree.
    """
    with psycopg.connect(conninfos["plumb_worker"], row_factory=dict_row, autocommit=True) as conn:
        await_projection(conn)
        # Facts move while we read: a snapshot keeps the chain of one moment.
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            collector = Collector(conn)
            found = collector.collect(application_id)
            stored = _bytes_of(conn, found)
            # Enrolments are entries too, with keys of their own: the web key of entry 0 in the end.
            collector.add_keys(found, key_ids_of(stored))
            stored |= _bytes_of(conn, found)
    receipts = _receipts(
        conninfos["plumb_gateway"], signer, [identity(event) for event in found.in_order], found.size
    )
    with psycopg.connect(conninfos["plumb_worker"], autocommit=True) as conn:
        content = _content(found, stored, receipts, GivenFiles(files, conn, scanning))
    # With a parked entry nobody can say that nothing is missing.
    return write_bundle(content, statement if found.is_complete else None)


@dataclass(frozen=True, slots=True)
class GivenFiles:
    """The files without those that the virus scan keeps from everybody: in a bundle they are named by digest alone."""

    files: FileStore
    conn: psycopg.Connection
    scanning: Policy

    def read(self, digest: str) -> bytes | None:
        """The bytes of a file; None when there are none to be given."""
        return self.find(digest)[0]

    def find(self, digest: str) -> tuple[bytes | None, str | None]:
        """The bytes of a file, or why there are none to be given: a word of `WHY_ABSENT`."""
        row = self.conn.execute(
            "SELECT scan FROM ops.file WHERE sha256 = decode(%s, 'hex')", [digest]
        ).fetchone()
        if withheld_because(row[0] if row else None, self.scanning):
            return None, "withheld"
        try:
            return self.files.read(digest), None
        except (FileNotFoundError, FileDigestMismatch):
            return None, "missing"


def await_projection(conn: psycopg.Connection[dict[str, Any]]) -> None:
    """Give the projector `PROJECTION_WAIT_S` to come up to the head of now, so that a withdrawal of a moment ago is in.

    A bundle that is made all the same is as of the entries that were projected, and says so.
    """
    until = time.monotonic() + PROJECTION_WAIT_S
    head = conn.execute("SELECT epoch, size FROM journal.head").fetchone()
    while head is not None and time.monotonic() < until:
        row = conn.execute("SELECT pos FROM fact.position WHERE id = 'projector'").fetchone()
        if row is None or row["pos"] >= position_of(head["epoch"], head["size"]):
            return
        time.sleep(0.02)


def identity(event: dict[str, Any]) -> tuple[uuid.UUID, bytes]:
    return event["uid"], bytes.fromhex(event["sender"])


def _bytes_of(conn: psycopg.Connection[dict[str, Any]], found: Collected) -> _Bytes:
    """(message, envelope) of every event, as they arrived."""
    stored: _Bytes = {}
    for event in found.in_order:
        row = conn.execute(
            "SELECT message, envelope FROM journal.entry WHERE uid = %s AND sender_id = %s",
            list(identity(event)),
        ).fetchone()
        if row is None:
            raise BundleIncomplete(f"总账里没有第 {event['idx']} 条")
        stored[identity(event)] = bytes(row["message"]), bytes(row["envelope"])
    return stored


def key_ids_of(stored: _Bytes) -> set[str]:
    """Every key that a transport or origin signature of these entries names."""
    ids: set[str] = set()
    for _, envelope in stored.values():
        read = decode_envelope(envelope)
        ids |= {read.key_id, *(each.key_id for each in read.origin)}
    return ids


def _receipts(
    conninfo: str, signer: CheckpointSigner, identities: Sequence[tuple[uuid.UUID, bytes]], size: int
) -> dict[tuple[uuid.UUID, bytes], StoredEntry]:
    """Receipts against the checkpoints that outsiders say the most about; one entry's against a newer one where none reaches `size`.

    So the receipts reach what the bundle speaks of, and an outage of a cosigner costs one entry its cosignature, not all. With time stamps
    or anchors that one entry is the first of its epoch: nobody asks when a key was enrolled.
    """
    with psycopg.connect(conninfo, autocommit=True) as conn:
        receipts = receipts_of(conn, signer, identities, attested=True)
        if _farthest(receipts) >= size or not receipts:
            return receipts
        newest = max(each.epoch for each in receipts.values())
        spare = [each for each in identities if each in receipts and receipts[each].epoch == newest]
        spare = spare[:1] if any(_is_stamped(each) for each in receipts.values()) else spare[-1:]
        receipts |= receipts_of(conn, signer, spare, cosigned=True)
        if _farthest(receipts) < size:
            receipts |= receipts_of(conn, signer, spare)
    return receipts


def _farthest(receipts: Mapping[tuple[uuid.UUID, bytes], StoredEntry]) -> int:
    return max((reach_of(each) for each in receipts.values()), default=0)


def _is_stamped(entry: StoredEntry) -> bool:
    note = parse_note(parse_proof(entry.receipt).checkpoint_note)
    return bool(attachments(note, STAMP_TYPE) or attachments(note, ANCHOR_TYPE))


def reach_of(entry: StoredEntry) -> int:
    """Position up to which the checkpoint of a receipt proves the log."""
    note = parse_proof(entry.receipt).checkpoint_note
    return position_of(entry.epoch, Checkpoint.parse(parse_note(note).text).size)


def _content(
    found: Collected,
    stored: _Bytes,
    receipts: dict[tuple[uuid.UUID, bytes], StoredEntry],
    files: GivenFiles,
) -> BundleContent:
    entries = []
    for event in found.in_order:
        message, envelope = stored[identity(event)]
        receipt = receipts.get(identity(event))
        if receipt is None:
            raise BundleIncomplete(f"第 {event['idx']} 条没有回执")
        entry = BundleEntry(
            role=event["kind"],
            sender=event["sender"],
            uid=event["uid"],
            epoch=receipt.epoch,
            index=receipt.index,
            message=message,
            envelope=envelope,
            receipt=receipt.receipt.encode(),
        )
        entries.append(entry)
    head = Checkpoint.parse(parse_note(parse_proof(entries[0].receipt.decode()).checkpoint_note).text)
    return BundleContent(
        origin=head.origin.rpartition("/")[0],
        size=found.size,
        application=found.application["id"],
        code=found.application["code"],
        number=found.application["number"],
        entries=tuple(entries),
        pdf=_report(found, files),
        pictures=pictures_with(entries, files)[0],
    )


def _report(found: Collected, files: GivenFiles) -> bytes | None:
    """The registered bytes; None before registration, or when the file has not arrived."""
    digest = found.code["pdf_sha256"] if found.code else None
    return files.read(digest) if digest else None


def pictures_with(
    entries: Sequence[BundleEntry], files: GivenFiles
) -> tuple[tuple[BundlePicture, ...], dict[str, str]]:
    """The pictures that entries name, and of those without bytes why: a word of `WHY_ABSENT`."""
    room, pictures, absent = PICTURE_BYTES, [], {}
    for entry in entries:
        for kind, digest in pictures_of(parse_message(entry.message)):
            data, because = files.find(digest) if kind in THINGS else (None, "people")
            if data is not None and len(data) > room:
                data, because = None, "room"
            if because is not None:
                absent[digest] = because
            room -= len(data or b"")
            pictures.append(BundlePicture(entry=entry.entry, picture=kind, sha256=digest, data=data))
    return tuple(pictures), absent


def bundle_response_bytes(platform: Platform, application_id: str) -> bytes:
    """The bundle of an application as this platform serves it, with its statement of completeness."""
    keys = PlatformKeys.load(platform.folder("keys"))
    return build_bundle(
        {role: platform.conninfo(role) for role in ("plumb_worker", "plumb_gateway")},
        CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2),
        FileStore(platform.folder("files")),
        application_id,
        statement=keys.signer("web"),
        scanning=ScanSettings.from_env().policy,
    )
