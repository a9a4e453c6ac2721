"""Signed notes, C2SP signed-note: a text and the signatures under it (签名便笺).

Key name and 4-byte key id together name a key. Signatures of unknown keys are ignored, so that logs may
rotate keys and cosigners may add theirs; a bad signature of a *known* key spoils the whole note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: Largest note that is read unless the caller says otherwise, in bytes: room for 16 post-quantum signatures.
DEFAULT_NOTE_LIMIT = 128 * 1024
#: More signatures than any honest note carries; keeps a hostile one cheap.
MAX_SIGNATURES = 100

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04

_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGNATURE_LINE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")


class NoteError(ValueError):
    """The note is malformed, or its signatures do not hold."""


class NoteSigner(Protocol):
    """Signs note texts. A call may leave the process (HSM); it raises when no signature was made."""

    @property
    def name(self) -> str:
        """Key name, as in the signature line."""
        ...

    @property
    def key_id(self) -> bytes:
        """Key id, 4 bytes."""
        ...

    def sign(self, text: bytes) -> bytes:
        """Signature bytes that follow the key id."""
        ...


class NoteVerifier(Protocol):
    """Checks note signatures of one key."""

    @property
    def name(self) -> str:
        """Key name, as in the signature line."""
        ...

    @property
    def key_id(self) -> bytes:
        """Key id, 4 bytes."""
        ...

    @property
    def is_cosigner(self) -> bool:
        """True for a key that follows a log, False for a log's own key."""
        ...

    def verify(self, text: bytes, signature: bytes) -> bool:
        """True if ``signature`` (without the key id) is this key's over ``text``; never raises."""
        ...


def decode_base64(text: str) -> bytes:
    """Strict standard base64 (RFC 4648 §4): padded, canonical; NoteError otherwise."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise NoteError("not base64") from error
    if encode_base64(data) != text:
        # Else one signature or hash would have several spellings, and a changed file would still verify.
        raise NoteError("base64 with stray bits")
    return data


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """First 4 bytes of SHA-256(name ‖ 0x0A ‖ kind ‖ public key), C2SP signed-note."""
    return typed_key_id(name, bytes([kind]), public_key)


def typed_key_id(name: str, kind: bytes, public_key: bytes) -> bytes:
    """The key id where the type is longer than one byte, as it is after 0xff."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public_key).digest()[:4]


def require_key_name(name: str) -> str:
    """``name`` if it may stand in a signature line (no space, control, plus sign); else NoteError."""
    if not name or "+" in name or any(char.isspace() or not char.isprintable() for char in name):
        raise NoteError(f"{name!r} cannot be a key name")
    return name


def format_verifier_key(name: str, kind: int, public_key: bytes) -> str:
    """The vkey ``name+hash+base64(kind ‖ key)`` by which a trust root is written down."""
    return format_typed_key(name, bytes([kind]), public_key)


def format_typed_key(name: str, kind: bytes, public_key: bytes) -> str:
    """The vkey of a key whose type is longer than one byte."""
    return f"{name}+{typed_key_id(name, kind, public_key).hex()}+{encode_base64(kind + public_key)}"


def split_verifier_key(vkey: str) -> tuple[str, bytes]:
    """Name, and type ‖ public key, of a vkey whose hash fits them; NoteError if it is malformed."""
    parts = vkey.strip().split("+", 2)
    if len(parts) != 3:
        raise NoteError("a verifier key has the form name+hash+key")
    name, data = require_key_name(parts[0]), decode_base64(parts[2])
    if typed_key_id(name, b"", data).hex() != parts[1]:
        raise NoteError("the verifier key's hash does not match its name and key")
    return name, data


def parse_verifier_key(vkey: str, kind: int) -> tuple[str, bytes]:
    """Name and 32-byte public key of an Ed25519 vkey of ``kind``; NoteError if it is anything else."""
    name, data = split_verifier_key(vkey)
    if len(data) != 33 or data[0] != kind:
        raise NoteError(f"not an Ed25519 key of kind {kind:#04x}")
    return name, data[1:]


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who claims to have signed, and the bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. Nothing in it is to be trusted until ``verified_by`` has named a trusted key."""

    #: The signed text, with its final newline.
    text: str
    signatures: tuple[NoteSignature, ...]

    def verified_by(self, verifiers: Iterable[NoteVerifier]) -> tuple[tuple[NoteVerifier, bytes], ...]:
        """The trusted keys that signed, with their signatures, each key once, in the order of the lines.

        NoteError if a known key's signature fails, or if two verifiers claim the same name and key id.
        """
        known: dict[tuple[str, bytes], NoteVerifier] = {}
        for verifier in verifiers:
            if known.setdefault((verifier.name, verifier.key_id), verifier) is not verifier:
                raise NoteError(f"two verifiers for the key {verifier.name}+{verifier.key_id.hex()}")
        text = self.text.encode()
        found: dict[tuple[str, bytes], tuple[NoteVerifier, bytes]] = {}
        for line in self.signatures:
            key = (line.name, line.key_id)
            if key not in known:
                continue
            if not known[key].verify(text, line.signature):
                raise NoteError(f"the signature of {line.name}+{line.key_id.hex()} is not valid")
            found.setdefault(key, (known[key], line.signature))
        return tuple(found.values())


def parse_note(text: str, limit: int = DEFAULT_NOTE_LIMIT) -> Note:
    """Note of ``text``; NoteError with the reason if it is malformed or longer than ``limit`` bytes."""
    # Characters first: encoding an enormous text only to refuse it would be the attack.
    try:
        too_long = len(text) > limit or len(text.encode()) > limit
    except UnicodeEncodeError as error:
        raise NoteError("the note is not valid UTF-8") from error
    if too_long:
        raise NoteError(f"the note is longer than {limit} bytes")
    if _CONTROLS.search(text):
        raise NoteError("the note contains a control character")
    body, blank, tail = text.rpartition("\n\n")
    if not blank or not body or not tail.endswith("\n"):
        raise NoteError("the note has no signature block")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"the note has more than {MAX_SIGNATURES} signatures")
    return Note(body + "\n", tuple(_parse_signature_line(line) for line in lines))


def _parse_signature_line(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None:
        raise NoteError("malformed signature line")
    data = decode_base64(match[2])
    if len(data) < 5:
        raise NoteError("a signature is too short")
    return NoteSignature(require_key_name(match[1]), data[:4], data[4:])


def sign_note(text: str, signers: Iterable[NoteSigner]) -> str:
    """The note of ``text`` (ending in a newline) with one signature line for each signer, in order.

    NoteError if the text cannot be a note or nobody signs.
    """
    if not text.endswith("\n") or _CONTROLS.search(text):
        raise NoteError("a note text ends in a newline and has no control characters")
    body = text.encode()
    lines = [_signature_line(signer.name, signer.key_id, signer.sign(body)) for signer in signers]
    if not lines:
        raise NoteError("a note needs a signature")
    return f"{text}\n{''.join(lines)}"


def add_signatures(note: str, signers: Iterable[NoteSigner]) -> str:
    """``note`` with further signature lines at its end: how a cosigner's answer is merged."""
    body = parse_note(note).text.encode()
    return note + "".join(_signature_line(item.name, item.key_id, item.sign(body)) for item in signers)


def _signature_line(name: str, identifier: bytes, signature: bytes) -> str:
    return f"— {require_key_name(name)} {encode_base64(identifier + signature)}\n"


class Ed25519NoteSigner:
    """A log's own key, kind 0x01: plain Ed25519 over the note text (RFC 8032)."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self._public = private_key.public_key().public_bytes_raw()
        self.name = require_key_name(name)
        self.key_id = key_id(name, ED25519, self._public)

    def sign(self, text: bytes) -> bytes:
        """64 bytes of signature."""
        return self._private_key.sign(text)

    def verifier_key(self) -> str:
        """The vkey that others put on their list of trusted logs."""
        return format_verifier_key(self.name, ED25519, self._public)


class Ed25519NoteVerifier:
    """Checks signatures of a log's own key, kind 0x01."""

    is_cosigner = False

    def __init__(self, name: str, public_key: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public_key)
        self.name = require_key_name(name)
        self.key_id = key_id(name, ED25519, public_key)

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Verifier of a ``name+hash+base64`` key; NoteError if it is malformed or of another kind."""
        return cls(*parse_verifier_key(vkey, ED25519))

    def verify(self, text: bytes, signature: bytes) -> bool:
        """True if the 64 bytes are this key's signature over ``text``."""
        return is_ed25519_signature(self._key, text, signature)


def is_ed25519_signature(key: Ed25519PublicKey, text: bytes, signature: bytes) -> bool:
    """True if ``signature`` is ``key``'s over ``text``."""
    try:
        key.verify(signature, text)
    except InvalidSignature:
        return False
    return True
