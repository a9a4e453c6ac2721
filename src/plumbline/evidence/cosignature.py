"""Cosignatures, C2SP tlog-cosignature ``cosignature/v1``: another party has followed the log (联署).

What the C2SP documents call a witness is a *cosigner* here, because a witness (见证员) is somebody else
in this field. A cosignature states: at this time, the largest consistent head that I have seen of this log
is this one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plumbline.evidence.note import (
    ED25519_COSIGNATURE,
    format_verifier_key,
    is_ed25519_signature,
    key_id,
    parse_verifier_key,
    require_key_name,
)

#: Last second of the year 9999; a larger time is not one.
_MAX_SECONDS = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One verified cosignature: the cosigner's key name and the time it stated."""

    name: str
    at: datetime


def cosigned_message(text: bytes, seconds: int) -> bytes:
    """The bytes that a cosigner signs: header line, time line, the checkpoint's body."""
    return b"cosignature/v1\ntime %d\n" % seconds + text


def cosignature_time(signature: bytes) -> datetime:
    """Stated time of a cosignature (u64 seconds ahead of the 64 signature bytes); ValueError if malformed."""
    if len(signature) != 72:
        raise ValueError("a cosignature has 72 bytes")
    (seconds,) = struct.unpack_from(">Q", signature)
    if seconds > _MAX_SECONDS:
        raise ValueError("the time of a cosignature is out of range")
    return datetime.fromtimestamp(seconds, UTC)


class Ed25519CosignatureSigner:
    """A cosigner's key, kind 0x04. It must have checked consistency before it signs; this class cannot."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey, now_seconds: Callable[[], int]) -> None:
        """``now_seconds`` gives POSIX seconds: time is the caller's."""
        self._private_key = private_key
        self._public = private_key.public_key().public_bytes_raw()
        self._now_seconds = now_seconds
        self.name = require_key_name(name)
        self.key_id = key_id(name, ED25519_COSIGNATURE, self._public)

    def sign(self, text: bytes) -> bytes:
        """8 bytes of time and 64 bytes of signature."""
        seconds = self._now_seconds()
        return struct.pack(">Q", seconds) + self._private_key.sign(cosigned_message(text, seconds))

    def verifier_key(self) -> str:
        """The vkey that others put on their list of cosigners."""
        return format_verifier_key(self.name, ED25519_COSIGNATURE, self._public)


class Ed25519CosignatureVerifier:
    """Checks cosignatures of one key, kind 0x04."""

    is_cosigner = True

    def __init__(self, name: str, public_key: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public_key)
        self.name = require_key_name(name)
        self.key_id = key_id(name, ED25519_COSIGNATURE, public_key)

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Verifier of a cosigner's ``name+hash+base64`` key; NoteError if malformed or of another kind."""
        return cls(*parse_verifier_key(vkey, ED25519_COSIGNATURE))

    def verify(self, text: bytes, signature: bytes) -> bool:
        """True if the 72 bytes are this key's cosignature of ``text`` at the time they state."""
        try:
            cosignature_time(signature)
        except ValueError:
            return False
        (seconds,) = struct.unpack_from(">Q", signature)
        return is_ed25519_signature(self._key, cosigned_message(text, seconds), signature[8:])
