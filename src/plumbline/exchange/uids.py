"""UUIDv7 (唯一编号, RFC 9562 §5.7): made by senders, read by the partition and by the door; deterministic ones for
platform entries."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import UTC, datetime

MAX_AHEAD_S = 300
MAX_AGE_S = 400 * 86_400


def _compose(ms: int, rand74: int) -> uuid.UUID:
    value = (
        (ms & (1 << 48) - 1) << 80
        | 0x7 << 76
        | (rand74 >> 62 & 0xFFF) << 64
        | 0b10 << 62
        | rand74 & (1 << 62) - 1
    )
    return uuid.UUID(int=value)


def new_uid(at: datetime) -> uuid.UUID:
    """A fresh UUIDv7 of instant `at` (aware)."""
    return _compose(int(at.timestamp() * 1000), secrets.randbits(74))


def derived_uid(kind: str, rule: str, subject: str, due_at: datetime) -> uuid.UUID:
    """The uid of a platform entry: UUIDv7 of `due_at`, 74 bits of SHA-256(kind ‖ rule ‖ subject ‖ due_at).

    Two workers that come to the same conclusion make the same entry, so that one of them gets the other's
    receipt.
    """
    ms = int(due_at.timestamp() * 1000)
    text = "\0".join((kind, rule, subject, str(ms)))
    return _compose(ms, int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") >> (256 - 74))


def uid_instant(uid: uuid.UUID) -> datetime:
    """The instant written in a UUIDv7, UTC; ValueError beyond the year 9999, which the door refuses first."""
    return datetime.fromtimestamp((uid.int >> 80) / 1000, tz=UTC)


def uid_time_problem(uid: uuid.UUID, now: datetime) -> str | None:
    """Why the door refuses this uid (Chinese), or None: not version 7, > 300 s ahead, > 400 days old."""
    if uid.version != 7:
        return "uid 不是 UUIDv7"
    # By arithmetic: the 48 bits reach beyond the year 9999, of which there is no datetime.
    ahead = (uid.int >> 80) / 1000 - now.timestamp()
    if ahead > MAX_AHEAD_S:
        return f"uid 的时间比平台快 {int(ahead)} 秒，最多 {MAX_AHEAD_S} 秒"
    if -ahead > MAX_AGE_S:
        return f"uid 的时间在 {int(-ahead // 86_400)} 天以前，最多 400 天"
    return None
