"""The bytes of a report bundle (报告包格式): a deterministic zip of manifest, entries, report and pictures.

::

    manifest.json            what is in the bundle; proves nothing by itself, everything in it is checked
    manifest.sig             optional: the platform's statement that nothing is missing as of log size N
    README.txt               how to verify; the same text in every bundle
    report.pdf               the registered bytes, if the report is registered
    entries/NNN-<kind>/      message.json, envelope.json, receipt.txt, in the order of the log
    pictures/<sha256>        key pictures that show no person

Members are stored uncompressed with a fixed date, so that the same parts give the same bytes everywhere.
"""

from __future__ import annotations

import base64
import hashlib
import io
import uuid
import zipfile
from dataclasses import dataclass, field

import msgspec

from plumbline.evidence.leaf import entry_id
from plumbline.exchange.signatures import Signer
from plumbline.exchange.wire import Base64Text, BigCount, Code, Count, Digest, EntryRef, KeyId, PartyRef, Uid
from plumbline.sdk.bundle.readme import README_BYTES

FORMAT_VERSION = 1
MANIFEST, STATEMENT, README, REPORT = "manifest.json", "manifest.sig", "README.txt", "report.pdf"
#: Entries of one bundle; a large report has some forty.
MAX_ENTRIES = 900
#: Before the manifest's digest, so that the signature is of nothing else.
CONTEXT = b"plumb/bundle/v1\n"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)


class EntryLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry: what it is in the chain (its kind), which one, and where its three files stand."""

    role: Code
    entry: EntryRef
    sender: PartyRef
    uid: Uid
    epoch: Count
    index: BigCount
    message: str
    envelope: str
    receipt: str


class PictureLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key picture that an entry names; `path` is null when the file is not in the bundle."""

    entry: EntryRef
    picture: Code
    sha256: Digest
    path: str | None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bundle is about and what it holds. The chain is as of the first `size` entries of `origin`'s log, through all epochs."""

    version: Count
    origin: str
    size: BigCount
    application: EntryRef
    code: Code | None
    number: Code
    entries: list[EntryLine]
    pdf: str | None
    pictures: list[PictureLine]


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The platform's signature over the manifest (齐全声明): nothing about this report is missing as of `size`."""

    key_id: KeyId
    algorithm: Code
    signature: Base64Text


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleEntry:
    """One entry with its bytes. `sender` is 32 hex digits, `index` the place in the log's `epoch`."""

    role: str
    sender: str
    uid: uuid.UUID
    epoch: int
    index: int
    message: bytes
    envelope: bytes
    receipt: bytes

    @property
    def place(self) -> tuple[int, int]:
        """(epoch, index): compares as the log's order."""
        return self.epoch, self.index

    @property
    def entry(self) -> str:
        """Entry id, 32 hex digits."""
        return entry_id(bytes.fromhex(self.sender), self.uid).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePicture:
    """One key picture; `data` is None when only its digest is told."""

    entry: str
    picture: str
    sha256: str
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleContent:
    """The parts of a bundle. `number` is the report's, `code` None when none was issued."""

    origin: str
    size: int
    application: str
    code: str | None
    number: str
    entries: tuple[BundleEntry, ...]
    pdf: bytes | None = None
    pictures: tuple[BundlePicture, ...] = field(default=())


def folder_of(position: int, role: str) -> str:
    """Folder of the entry at `position` (from 0) in the bundle: `entries/NNN-<kind>`."""
    return f"entries/{position + 1:03d}-{role}"


def manifest_of(content: BundleContent) -> Manifest:
    """The manifest that belongs to these parts."""
    lines = []
    for position, each in enumerate(content.entries):
        folder = folder_of(position, each.role)
        line = EntryLine(
            role=each.role,
            entry=each.entry,
            sender=each.sender,
            uid=each.uid,
            epoch=each.epoch,
            index=each.index,
            message=f"{folder}/message.json",
            envelope=f"{folder}/envelope.json",
            receipt=f"{folder}/receipt.txt",
        )
        lines.append(line)
    pictures = [
        PictureLine(
            entry=each.entry,
            picture=each.picture,
            sha256=each.sha256,
            path=None if each.data is None else f"pictures/{each.sha256}",
        )
        for each in content.pictures
    ]
    return Manifest(
        version=FORMAT_VERSION,
        origin=content.origin,
        size=content.size,
        application=content.application,
        code=content.code,
        number=content.number,
        entries=lines,
        pdf=None if content.pdf is None else REPORT,
        pictures=pictures,
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """The one spelling of a manifest: compact JSON, fields in the order of the type, a final newline."""
    return msgspec.json.encode(manifest) + b"\n"


def statement_bytes(manifest: bytes, context: bytes = CONTEXT) -> bytes:
    """What the platform signs: context and SHA-256 of the manifest's bytes."""
    return context + hashlib.sha256(manifest).digest()


def members_of(content: BundleContent, statement: Signer | None = None) -> dict[str, bytes]:
    """Name → bytes of every member; `statement` is the platform's web key, if the platform makes the bundle."""
    manifest = manifest_of(content)
    members = {MANIFEST: encode_manifest(manifest), README: README_BYTES}
    if statement is not None:
        members[STATEMENT] = sign_statement(members[MANIFEST], statement)
    for line, each in zip(manifest.entries, content.entries, strict=True):
        members |= {line.message: each.message, line.envelope: each.envelope, line.receipt: each.receipt}
    if content.pdf is not None:
        members[REPORT] = content.pdf
    members |= {f"pictures/{each.sha256}": each.data for each in content.pictures if each.data is not None}
    return members


def sign_statement(manifest: bytes, signer: Signer, context: bytes = CONTEXT) -> bytes:
    """The bytes of `manifest.sig`."""
    signature = base64.b64encode(signer.sign(statement_bytes(manifest, context))).decode()
    made = Statement(key_id=signer.key_id, algorithm=signer.algorithm, signature=signature)
    return msgspec.json.encode(made) + b"\n"


def pack(members: dict[str, bytes]) -> bytes:
    """The zip of members: sorted, stored, undated; the same members always give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _FIXED_DATE)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, members[name])
    return target.getvalue()


def write_bundle(content: BundleContent, statement: Signer | None = None) -> bytes:
    """The bundle of these parts. ValueError for more than `MAX_ENTRIES` entries."""
    if len(content.entries) > MAX_ENTRIES:
        raise ValueError(f"a bundle holds at most {MAX_ENTRIES} entries")
    return pack(members_of(content, statement))
