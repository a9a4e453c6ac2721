"""The bytes of a bundle of many reports (合订案卷包格式): every report of a project or of a year, what they share stored once.

::

    VOLUME.txt               how to verify; the same text in every volume, and the first member
    shared/E-NNN….json       an entry of the log (epoch E, index N) that several reports need: parties, keys, contracts …
    reports/NNNNN.json       one report: its entries in the order of the log, those of its own in full; which files, which are missing
    pdf/<sha256>.pdf         registered reports
    pictures/<sha256>        key pictures that show no person
    notes/<sha256>.txt       checkpoints with cosignatures, time stamps and anchors, each once
    volume.json              what the volume is about, every report with its digest, and what was left out and why
    volume.sig               optional: the platform's statement that no report of that scope is missing as of log size N

An entry is kept as leaf, path and the digest of its checkpoint; together they are its receipt again.
"""

from __future__ import annotations

import hashlib

import msgspec

from plumbline.evidence.note import decode_base64, encode_base64
from plumbline.evidence.proof import format_proof, parse_proof
from plumbline.exchange.signatures import Signer
from plumbline.exchange.wire import (
    Base64Text,
    BigCount,
    Code,
    Count,
    Digest,
    Division,
    EntryRef,
    PartyRef,
    Uid,
)
from plumbline.sdk.bundle.format import BundleEntry, sign_statement

VOLUME_VERSION = 1
README, MANIFEST, STATEMENT = "VOLUME.txt", "volume.json", "volume.sig"
#: Reports of one volume.
MAX_REPORTS = 20_000
#: Bytes of all checkpoints, and of the pictures of one report.
MAX_NOTES_BYTES, PICTURE_BYTES = 256 * 1024 * 1024, 60 * 1024 * 1024
CONTEXT = b"plumb/volume/v1\n"
#: Why something that a report names is not in the volume → Chinese, English.
WHY_ABSENT = {
    "people": ("影像可能拍到人", "may show people"),
    "missing": ("文件没有到平台或已损坏", "never arrived, or is damaged"),
    "withheld": ("没有通过病毒查验或尚未查验", "kept back by the virus scan"),
    "room": ("这份报告的影像超过 60 MB", "beyond 60 MB of pictures of one report"),
    "foreign": ("引用了取包人范围以外的记录", "names records outside of the scope of whoever took it"),
}
#: Place of an entry: (epoch, index).
Place = tuple[int, int]


class _Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part whose JSON has one spelling."""


class Scope(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which reports a volume is to hold: those of a project, or those applied for in a year; of one institution, of one region."""

    kind: Code
    project: EntryRef | None = None
    year: Count | None = None
    institution: PartyRef | None = None
    division: Division | None = None


class ReportLine(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One report: which one, how it stands by its own entries, and the SHA-256 of its member."""

    application: EntryRef
    code: Code | None
    number: Code
    standing: Code
    sha256: Digest


class NoteLine(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One checkpoint, and the proof that the largest one of its epoch continues it; empty for that one."""

    sha256: Digest
    consistency: list[Base64Text]


class LeftOut(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report of the scope that is not in the volume; `because` is a word of `WHY_ABSENT`."""

    application: EntryRef
    number: Code
    because: Code


class Volume(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The manifest. Everything is as of the first `size` entries of `origin`'s log, through all epochs."""

    version: Count
    origin: str
    size: BigCount
    scope: Scope
    reports: list[ReportLine]
    left_out: list[LeftOut]
    notes: list[NoteLine]


class EntryPart(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry with its receipt, the checkpoint of which is a note of the volume."""

    role: Code
    sender: PartyRef
    uid: Uid
    epoch: Count
    index: BigCount
    message: str
    envelope: str
    leaf: Base64Text
    path: list[Base64Text]
    note: Digest


class FilePart(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The registered PDF; `because` is null when it is in the volume."""

    sha256: Digest
    because: Code | None


class PicturePart(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key picture that an entry names; `because` is null when the file is in the volume."""

    entry: EntryRef
    picture: Code
    sha256: Digest
    because: Code | None


class ReportPart(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One report: all its entries by place, those that no other report needs in full."""

    application: EntryRef
    code: Code | None
    number: Code
    places: list[Place]
    own: list[EntryPart]
    pdf: FilePart | None
    pictures: list[PicturePart]


def encoded(part: msgspec.Struct) -> bytes:
    """The one spelling: compact JSON, fields in the order of the type, a final newline."""
    return msgspec.json.encode(part) + b"\n"


def report_name(ordinal: int) -> str:
    """Member of the report at `ordinal` (from 1)."""
    return f"reports/{ordinal:05d}.json"


def shared_name(place: Place) -> str:
    """Member of an entry that several reports need."""
    return f"shared/{place[0]}-{place[1]:012d}.json"


def note_name(sha256: str) -> str:
    """Member of a checkpoint."""
    return f"notes/{sha256}.txt"


def pdf_name(sha256: str) -> str:
    """Member of a registered PDF."""
    return f"pdf/{sha256}.pdf"


def picture_name(sha256: str) -> str:
    """Member of a picture."""
    return f"pictures/{sha256}"


def digest_of(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def entry_part(entry: BundleEntry) -> tuple[EntryPart, str]:
    """An entry as the volume keeps it, and the note of its receipt. ValueError for bytes that no text holds."""
    proof = parse_proof(entry.receipt.decode())
    part = EntryPart(
        role=entry.role,
        sender=entry.sender,
        uid=entry.uid,
        epoch=entry.epoch,
        index=entry.index,
        message=entry.message.decode(),
        envelope=entry.envelope.decode(),
        leaf=encode_base64(proof.extra),
        path=[encode_base64(each) for each in proof.path],
        note=digest_of(proof.checkpoint_note.encode()),
    )
    return part, proof.checkpoint_note


def bundle_entry(part: EntryPart, note: str) -> BundleEntry:
    """The entry with its receipt put together again. ValueError where that is none."""
    path = [decode_base64(each) for each in part.path]
    receipt = format_proof(part.index, path, note, decode_base64(part.leaf))
    return BundleEntry(
        role=part.role,
        sender=part.sender,
        uid=part.uid,
        epoch=part.epoch,
        index=part.index,
        message=part.message.encode(),
        envelope=part.envelope.encode(),
        receipt=receipt.encode(),
    )


def volume_statement(manifest: bytes, signer: Signer) -> bytes:
    """The bytes of `volume.sig`."""
    return sign_statement(manifest, signer, CONTEXT)
