"""Who signs, in an SM2 signature (用户身份标识): the digest ZA, GB/T 32918.2 §5.5."""

from __future__ import annotations

from collections.abc import Callable

from plumbline.evidence.gm.curve import BASE, A, B

#: The identity where none is agreed (GB/T 35276 §10): as everybody else's software has it.
DEFAULT_IDENTITY = b"1234567812345678"
#: Longest identity in bytes: its length in bits has 16 bits, and OpenSSL refuses the last one of those that fit.
MAX_IDENTITY = 0xFFFF // 8 - 1

_PARAMETERS = A.to_bytes(32, "big") + B.to_bytes(32, "big") + BASE.encode()[1:]


def identity_digest(sm3: Callable[[bytes], bytes], point: bytes, identity: bytes = DEFAULT_IDENTITY) -> bytes:
    """ZA: SM3 of length and bytes of the identity, the curve and the public point (65 bytes)."""
    if len(identity) > MAX_IDENTITY:
        raise ValueError(f"an identity has at most {MAX_IDENTITY} bytes")
    return sm3((8 * len(identity)).to_bytes(2, "big") + identity + _PARAMETERS + point[1:])
