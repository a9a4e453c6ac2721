"""The leaf of the evidence log: 145 bytes that bind one entry to its place (日志叶子).

Byte layout (big-endian), version 1::

    version u8 = 1 · sender_id 16 · uid 16 · arrived_at u64 µs · logged_at u64 µs
    · SHA-256(envelope) 32 · SHA-256(message) 32 · SM3(message) 32

The tree hashes the leaf as RFC 6962 §2.1 does. SM3 (GB/T 32905) stands beside SHA-256 in every leaf, so that
a receipt stays useful where only national algorithms are accepted, and if either hash should fall.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

LEAF_VERSION = 1
LEAF_SIZE = 145

#: Last microsecond of the year 9999: later instants cannot be shown as a date, so no leaf may hold one.
MAX_INSTANT_US = 253_402_300_799_999_999

_LAYOUT = struct.Struct(">B16s16sQQ32s32s32s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HAS_SM3 = "sm3" in hashlib.algorithms_available


def sha256(data: bytes) -> bytes:
    """SHA-256 of ``data``, 32 bytes (FIPS 180-4)."""
    return hashlib.sha256(data).digest()


def sm3(data: bytes) -> bytes:
    """SM3 of ``data``, 32 bytes (GB/T 32905-2016)."""
    if _HAS_SM3:
        try:
            return hashlib.new("sm3", data).digest()
        except ValueError:
            # Some builds list SM3 but a security policy switches it off: the other library carries its own.
            pass
    return _sm3_by_cryptography(data)


def _sm3_by_cryptography(data: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes

    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf's bytes in the tree: SHA-256(0x00 ‖ data), RFC 6962 §2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def entry_id(sender_id: bytes, uid: uuid.UUID) -> bytes:
    """The 16-byte name of an entry, the same in every tier: SHA-256(sender_id ‖ uid)[:16].

    Raises ValueError if ``sender_id`` is not 16 bytes: with free lengths two pairs could share one name.
    """
    if len(sender_id) != 16:
        raise ValueError(f"sender_id must be 16 bytes, not {len(sender_id)}")
    return hashlib.sha256(sender_id + uid.bytes).digest()[:16]


def instant_from_us(microseconds: int) -> datetime:
    """Aware UTC instant of ``microseconds`` since 1970-01-01; exact, without floating point."""
    return _EPOCH + timedelta(microseconds=microseconds)


def us_from_instant(instant: datetime) -> int:
    """Microseconds since 1970-01-01 of an aware ``instant``; ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("an instant must carry its time zone")
    return (instant - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One entry's leaf: who sent which bytes, when they arrived, when they were logged (叶子)."""

    #: Party id of the sender, 16 bytes.
    sender_id: bytes
    #: Idempotency key made by the sender (UUIDv7), part of the signed bytes.
    uid: uuid.UUID
    #: When the gateway received the message, µs since 1970 UTC.
    arrived_at_us: int
    #: When the entry got its index, µs since 1970 UTC; never decreases within a log but at an entry `clock.corrected`.
    logged_at_us: int
    #: SHA-256 of the envelope bytes as received.
    envelope_sha256: bytes
    #: SHA-256 of the message bytes as received.
    message_sha256: bytes
    #: SM3 of the same message bytes.
    message_sm3: bytes

    def __post_init__(self) -> None:
        if len(self.sender_id) != 16:
            raise ValueError(f"sender_id must be 16 bytes, not {len(self.sender_id)}")
        for name in ("envelope_sha256", "message_sha256", "message_sm3"):
            if len(getattr(self, name)) != 32:
                raise ValueError(f"{name} must be 32 bytes, not {len(getattr(self, name))}")
        for name in ("arrived_at_us", "logged_at_us"):
            if not 0 <= getattr(self, name) <= MAX_INSTANT_US:
                raise ValueError(f"{name} lies outside the years 1970 to 9999")

    @classmethod
    def of(
        cls,
        sender_id: bytes,
        uid: uuid.UUID,
        *,
        envelope: bytes,
        message: bytes,
        arrived_at_us: int,
        logged_at_us: int,
    ) -> Self:
        """Leaf of the bytes as received; digests are taken here, instants are µs since 1970 UTC."""
        return cls(
            sender_id=sender_id,
            uid=uid,
            arrived_at_us=arrived_at_us,
            logged_at_us=logged_at_us,
            envelope_sha256=sha256(envelope),
            message_sha256=sha256(message),
            message_sm3=sm3(message),
        )

    @property
    def entry_id(self) -> bytes:
        """The 16-byte entry id of this leaf's sender and uid."""
        return entry_id(self.sender_id, self.uid)

    @property
    def arrived_at(self) -> datetime:
        """``arrived_at_us`` as an aware UTC instant."""
        return instant_from_us(self.arrived_at_us)

    @property
    def logged_at(self) -> datetime:
        """``logged_at_us`` as an aware UTC instant."""
        return instant_from_us(self.logged_at_us)

    def encode(self) -> bytes:
        """The 145 bytes that the tree hashes and that a receipt carries."""
        return _LAYOUT.pack(
            LEAF_VERSION,
            self.sender_id,
            self.uid.bytes,
            self.arrived_at_us,
            self.logged_at_us,
            self.envelope_sha256,
            self.message_sha256,
            self.message_sm3,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Leaf of 145 bytes; ValueError with the reason for anything else."""
        if len(data) != LEAF_SIZE:
            raise ValueError(f"a leaf has {LEAF_SIZE} bytes, not {len(data)}")
        version, sender_id, uid, arrived, logged, envelope, message, message_sm3 = _LAYOUT.unpack(data)
        if version != LEAF_VERSION:
            raise ValueError(f"leaf version {version} is unknown")
        return cls(
            sender_id=sender_id,
            uid=uuid.UUID(bytes=uid),
            arrived_at_us=arrived,
            logged_at_us=logged,
            envelope_sha256=envelope,
            message_sha256=message,
            message_sm3=message_sm3,
        )

    def hash(self) -> bytes:
        """``leaf_hash`` of the encoded leaf."""
        return leaf_hash(self.encode())
