"""SM4-GCM and HMAC-SM3 with their arguments checked (加密与消息认证), RFC 8998 and GB/T 15852.2.

A nonce must never be used twice under one key: two messages under one nonce give away both and the tag's key.
"""

from __future__ import annotations

import hmac

from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.choice import default_backend

KEY_SIZE, NONCE_SIZE, TAG_SIZE = 16, 12, 16
#: Shortest key of an HMAC-SM3 that is taken, in bytes.
MIN_MAC_KEY = 16


class SealBroken(ValueError):
    """The tag does not hold: another key, nonce or associated data, or the bytes were changed."""


def sm4_gcm_seal(
    key: bytes, nonce: bytes, plaintext: bytes, associated: bytes = b"", *, backend: Backend | None = None
) -> bytes:
    """Ciphertext ‖ tag of 16 bytes; ValueError for a key not of 16 or a nonce not of 12 bytes."""
    _require_sizes(key, nonce)
    return (backend or default_backend()).sm4_gcm_seal(key, nonce, plaintext, associated)


def sm4_gcm_open(
    key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"", *, backend: Backend | None = None
) -> bytes:
    """Plaintext; SealBroken if the whole tag of 16 bytes does not hold, ValueError for wrong lengths."""
    _require_sizes(key, nonce)
    if len(sealed) < TAG_SIZE:
        raise SealBroken("the sealed bytes are shorter than their tag")
    plaintext = (backend or default_backend()).sm4_gcm_open(key, nonce, sealed, associated)
    if plaintext is None:
        raise SealBroken("the tag does not hold")
    return plaintext


def hmac_sm3(key: bytes, data: bytes, *, backend: Backend | None = None) -> bytes:
    """HMAC-SM3, 32 bytes; ValueError for a key shorter than 16 bytes."""
    if len(key) < MIN_MAC_KEY:
        raise ValueError(f"a key of HMAC-SM3 has at least {MIN_MAC_KEY} bytes")
    return (backend or default_backend()).hmac_sm3(key, data)


def is_hmac_sm3(key: bytes, data: bytes, mac: bytes, *, backend: Backend | None = None) -> bool:
    """True if ``mac`` is the whole HMAC-SM3 of ``data``; compared in constant time, never shortened."""
    return hmac.compare_digest(hmac_sm3(key, data, backend=backend), mac)


def _require_sizes(key: bytes, nonce: bytes) -> None:
    if len(key) != KEY_SIZE or len(nonce) != NONCE_SIZE:
        raise ValueError("SM4-GCM takes a key of 16 and a nonce of 12 bytes")
