"""Checkpoints, C2SP tlog-checkpoint: the signed head of the log (检查点).

A log must never sign two heads that contradict each other; what keeps it from doing so stands in
``plumbline.evidence.mark``. Trust roots are always handed in by the caller, never read from what is being
checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from plumbline.evidence.cosignature import (
    SM2_COSIGNATURE_TYPE,
    Cosignature,
    Ed25519CosignatureSigner,
    Ed25519CosignatureVerifier,
    Sm2CosignatureSigner,
    Sm2CosignatureVerifier,
    cosignature_time,
)
from plumbline.evidence.note import (
    DEFAULT_NOTE_LIMIT,
    ED25519,
    ED25519_COSIGNATURE,
    Ed25519NoteSigner,
    Ed25519NoteVerifier,
    Note,
    NoteError,
    NoteSignature,
    NoteSigner,
    NoteVerifier,
    add_signatures,
    decode_base64,
    encode_base64,
    parse_note,
    sign_note,
)
from plumbline.evidence.sm2_note import SM2_TYPE, Sm2NoteSigner, Sm2NoteVerifier

__all__ = [
    "Checkpoint",
    "Cosignature",
    "Ed25519CosignatureSigner",
    "Ed25519CosignatureVerifier",
    "Ed25519NoteSigner",
    "Ed25519NoteVerifier",
    "EndedCosigner",
    "Note",
    "NoteError",
    "NoteSignature",
    "NoteSigner",
    "NoteVerifier",
    "OpenedCheckpoint",
    "Sm2CosignatureSigner",
    "Sm2CosignatureVerifier",
    "Sm2NoteSigner",
    "Sm2NoteVerifier",
    "UntrustedCheckpoint",
    "add_signatures",
    "open_checkpoint",
    "parse_note",
    "parse_verifier",
    "sign_checkpoint",
    "trusted_verifiers",
]

#: A retirement is known to those who send checkpoints a moment after it was logged.
RETIRED_GRACE = timedelta(seconds=60)
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class UntrustedCheckpoint(NoteError):
    """No trusted key of the log has signed the checkpoint, or it is another log's."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: its origin, its size in leaves and the root of the tree at that size."""

    #: The log's identity; equals the name of its keys. One that begins ``demo.`` marks demonstration data.
    origin: str
    size: int
    #: Root hash, 32 bytes.
    root: bytes
    #: Opaque further lines; not recommended, because monitors cannot audit them.
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size < 2**63:
            raise NoteError("the tree size of a checkpoint is out of range")
        if len(self.root) != 32:
            raise NoteError("the root of a checkpoint must be 32 bytes")
        for line in (self.origin, *self.extensions):
            if not line or any(ord(char) < 0x20 for char in line):
                raise NoteError("origin and extension lines are not empty and have no control characters")

    @property
    def is_demo(self) -> bool:
        """True if the log is a demonstration log, whose clock may be shifted."""
        return self.origin.startswith("demo.")

    def body(self) -> str:
        """The note text: origin, size, root in base64, extensions; one line each."""
        return "\n".join((self.origin, str(self.size), encode_base64(self.root), *self.extensions)) + "\n"

    @classmethod
    def parse(cls, body: str) -> Self:
        """Checkpoint of a note text; NoteError with the reason if it is none."""
        lines = body.removesuffix("\n").split("\n")
        if not body.endswith("\n") or len(lines) < 3:
            raise NoteError("a checkpoint has at least three lines")
        if _DECIMAL.fullmatch(lines[1]) is None:
            raise NoteError("the tree size of a checkpoint is not a plain decimal")
        return cls(lines[0], int(lines[1]), decode_base64(lines[2]), tuple(lines[3:]))


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint whose signatures were checked: at least one trusted key of its own log has signed."""

    checkpoint: Checkpoint
    #: Key names of the log's own trusted signatures (one name may stand for several hosts' keys).
    signed_by: tuple[str, ...]
    #: Trusted cosigners, with the times they stated.
    cosigned_by: tuple[Cosignature, ...] = ()
    #: Cosignatures that hold, by keys whose trust had ended before the time that they state: they count for nothing.
    cosigned_late: tuple[Cosignature, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifierAround:
    """A verifier that says what another one says; whoever knows more of it builds on this."""

    of: NoteVerifier

    @property
    def name(self) -> str:
        """Key name."""
        return self.of.name

    @property
    def key_id(self) -> bytes:
        """Key id."""
        return self.of.key_id

    @property
    def is_cosigner(self) -> bool:
        """Whether the key follows a log."""
        return self.of.is_cosigner

    @property
    def algorithm(self) -> str:
        """The key's algorithm, where the verifier says it."""
        return str(getattr(self.of, "algorithm", ""))

    def verify(self, text: bytes, signature: bytes) -> bool:
        """As the verifier itself says."""
        return self.of.verify(text, signature)


@dataclass(frozen=True, slots=True)
class EndedCosigner(VerifierAround):
    """A cosigner's key that the caller trusts up to an instant: the platform retired it. Whether a signature comes too late is for the
    reader of the time."""

    until: datetime


def trusted_verifiers(vkeys: Iterable[str], ended: Mapping[str, datetime]) -> list[NoteVerifier]:
    """A verifier for each vkey, each once; `ended`: when a cosigner's key was retired. NoteError for a vkey that is none."""
    found: list[NoteVerifier] = []
    for vkey in dict.fromkeys(each.strip() for each in vkeys):
        verifier = parse_verifier(vkey)
        at = ended.get(vkey)
        found.append(verifier if at is None else EndedCosigner(verifier, at + RETIRED_GRACE))
    return found


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[NoteSigner]) -> str:
    """The checkpoint as a signed note; NoteError if nobody signs.

    Advance the head mark first: once the signature has left the process it cannot be taken back.
    """
    return sign_note(checkpoint.body(), signers)


def open_checkpoint(
    text: str,
    verifiers: Iterable[NoteVerifier],
    origin: str | None = None,
    *,
    covers: datetime | None = None,
    limit: int = DEFAULT_NOTE_LIMIT,
) -> OpenedCheckpoint:
    """Check a checkpoint against the caller's trusted keys, and against ``origin`` if one is expected.

    ``covers``: when an entry under the checkpoint was logged. A key whose trust had ended by then signed too late, whatever time it
    states: who has stolen it may state any.

    The log's own signature must come from a key whose name is the origin: else a key trusted for one log
    could speak for another. NoteError if the note is malformed or a known key's signature fails;
    UntrustedCheckpoint if no trusted key of the log has signed or the origin is another.
    """
    note = parse_note(text, limit)
    checkpoint = Checkpoint.parse(note.text)
    if origin is not None and checkpoint.origin != origin:
        raise UntrustedCheckpoint(f"the checkpoint is of {checkpoint.origin!r}, not of {origin!r}")
    signed: list[str] = []
    cosigned: list[Cosignature] = []
    late: list[Cosignature] = []
    for verifier, signature in note.verified_by(verifiers):
        if verifier.is_cosigner:
            algorithm, until = getattr(verifier, "algorithm", ""), getattr(verifier, "until", None)
            told = Cosignature(verifier.name, cosignature_time(signature), algorithm)
            is_late = until is not None and max(told.at, covers or told.at) > until
            (late if is_late else cosigned).append(told)
        elif verifier.name == checkpoint.origin:
            signed.append(verifier.name)
    if not signed:
        raise UntrustedCheckpoint(f"no trusted key of {checkpoint.origin!r} has signed the checkpoint")
    return OpenedCheckpoint(checkpoint, tuple(signed), tuple(cosigned), tuple(late))


def parse_cosigner(vkey: str) -> Ed25519CosignatureVerifier | Sm2CosignatureVerifier:
    """Verifier of a cosigner's key; NoteError for any other."""
    verifier = parse_verifier(vkey)
    if not isinstance(verifier, Ed25519CosignatureVerifier | Sm2CosignatureVerifier):
        raise NoteError("the key is a log's, not a cosigner's")
    return verifier


def parse_verifier(
    vkey: str,
) -> Ed25519NoteVerifier | Ed25519CosignatureVerifier | Sm2NoteVerifier | Sm2CosignatureVerifier:
    """Verifier of one line of a trust list: a log's key (0x01, SM2) or a cosigner's (0x04, SM2); else NoteError."""
    kind = decode_base64(vkey.strip().split("+", 2)[-1])
    if kind[:1] == bytes([ED25519]):
        return Ed25519NoteVerifier.parse(vkey)
    if kind[:1] == bytes([ED25519_COSIGNATURE]):
        return Ed25519CosignatureVerifier.parse(vkey)
    if kind.startswith(SM2_TYPE):
        return Sm2NoteVerifier.parse(vkey)
    if kind.startswith(SM2_COSIGNATURE_TYPE):
        return Sm2CosignatureVerifier.parse(vkey)
    raise NoteError("the verifier key is of an unknown kind")
