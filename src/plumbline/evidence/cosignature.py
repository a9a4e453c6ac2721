"""Cosignatures, C2SP tlog-cosignature ``cosignature/v1``: another party has followed the log (联署).

What the C2SP documents call a witness is a *cosigner* here, because a witness (见证员) is somebody else
in this field. A cosignature states: at this time, the largest consistent head that I have seen of this log
is this one.

Ed25519 has the type 0x04 of that document. SM2 has none there: as with the log's own SM2 signature the type is 0xff
and a name of ours, so that a reader who does not know it passes the line over. Both sign the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.sm2 import Sm2PrivateKey, Sm2PublicKey
from plumbline.evidence.note import (
    ED25519_COSIGNATURE,
    NoteError,
    format_typed_key,
    format_verifier_key,
    is_ed25519_signature,
    key_id,
    parse_verifier_key,
    require_key_name,
    split_verifier_key,
    typed_key_id,
)

#: Type of an SM2 cosignature; ``v1`` stands for all of: curve, SM3, default identity, eight bytes of time and r ‖ s over the message
#: of ``cosignature/v1``. Another type than a log's own, so that no key of a log counts as somebody else's.
SM2_COSIGNATURE_TYPE = b"\xffplumbline/sm2-sm3-cosignature/v1"
#: Last second of the year 9999; a larger time is not one.
_MAX_SECONDS = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One verified cosignature: the cosigner's key name, the time it stated, and the algorithm of the key that signed."""

    name: str
    at: datetime
    algorithm: str = "ed25519"


def names_of(cosignatures: Iterable[Cosignature]) -> tuple[str, ...]:
    """Who cosigned, each once: one cosigner may sign with a key of either algorithm."""
    return tuple(dict.fromkeys(each.name for each in cosignatures))


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
    algorithm = "ed25519"
    algorithm_name = "Ed25519"

    def __init__(self, name: str, public_key: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public_key)
        self.public = public_key
        self.name = require_key_name(name)
        self.key_id = key_id(name, ED25519_COSIGNATURE, public_key)

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Verifier of a cosigner's ``name+hash+base64`` key; NoteError if malformed or of another kind."""
        return cls(*parse_verifier_key(vkey, ED25519_COSIGNATURE))

    def verify(self, text: bytes, signature: bytes) -> bool:
        """True if the 72 bytes are this key's cosignature of ``text`` at the time they state."""
        seconds = _seconds_of(signature)
        return seconds is not None and is_ed25519_signature(
            self._key, cosigned_message(text, seconds), signature[8:]
        )


class Sm2CosignatureSigner:
    """A cosigner's SM2 key; as with Ed25519 it is the caller who must have checked consistency."""

    def __init__(
        self,
        name: str,
        private_key: Sm2PrivateKey,
        now_seconds: Callable[[], int],
        *,
        backend: Backend | None = None,
    ) -> None:
        """``now_seconds`` gives POSIX seconds: time is the caller's."""
        self._private_key, self._backend = private_key, backend
        self._point = private_key.public_key.point
        self._now_seconds = now_seconds
        self.name = require_key_name(name)
        self.key_id = typed_key_id(name, SM2_COSIGNATURE_TYPE, self._point)

    def sign(self, text: bytes) -> bytes:
        """8 bytes of time and 64 bytes of signature, r ‖ s."""
        seconds = self._now_seconds()
        message = cosigned_message(text, seconds)
        return struct.pack(">Q", seconds) + self._private_key.sign(message, backend=self._backend)

    def verifier_key(self) -> str:
        """The vkey that others put on their list of cosigners."""
        return format_typed_key(self.name, SM2_COSIGNATURE_TYPE, self._point)


class Sm2CosignatureVerifier:
    """Checks SM2 cosignatures of one key; ValueError for a point that is not on the curve of SM2."""

    is_cosigner = True
    algorithm = "sm2"
    algorithm_name = "SM2"

    def __init__(self, name: str, point: bytes, *, backend: Backend | None = None) -> None:
        self._key, self._backend = Sm2PublicKey(point), backend
        self.public = point
        self.name = require_key_name(name)
        self.key_id = typed_key_id(name, SM2_COSIGNATURE_TYPE, point)

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Verifier of a cosigner's ``name+hash+base64`` key; NoteError if malformed or of another kind."""
        name, data = split_verifier_key(vkey)
        if not data.startswith(SM2_COSIGNATURE_TYPE):
            raise NoteError("not the SM2 key of a cosigner")
        try:
            return cls(name, data[len(SM2_COSIGNATURE_TYPE) :])
        except NoteError:
            raise
        except ValueError as error:
            raise NoteError(f"not the SM2 key of a cosigner: {error}") from error

    def verify(self, text: bytes, signature: bytes) -> bool:
        """True if the 72 bytes are this key's cosignature of ``text`` at the time they state."""
        seconds = _seconds_of(signature)
        return seconds is not None and self._key.verify(
            cosigned_message(text, seconds), signature[8:], backend=self._backend
        )


def _seconds_of(signature: bytes) -> int | None:
    """The time that a signature states, None when it is none."""
    try:
        cosignature_time(signature)
    except ValueError:
        return None
    (seconds,) = struct.unpack_from(">Q", signature)
    return int(seconds)
