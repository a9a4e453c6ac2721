"""The national algorithms in plain Python (纯 Python 实现): no library needed, no constant time.

Verification and hashing depend on public values only. Signing handles a secret: Python's integers take a time
that depends on them, so a host that others can time should sign through OpenSSL or a device.
"""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.evidence.gm import curve, sm3, sm4
from plumbline.evidence.gm.curve import N, decode_point
from plumbline.evidence.gm.encodings import decode_signature, encode_signature
from plumbline.evidence.gm.identity import identity_digest


class PureBackend:
    """Plain Python; its SM2 signatures are deterministic (nonce of RFC 6979 with HMAC-SM3)."""

    name = "pure"

    def sm3(self, data: bytes) -> bytes:
        """SM3, 32 bytes."""
        return sm3.sm3(data)

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        """HMAC-SM3, 32 bytes."""
        return sm3.hmac_sm3(key, data)

    def sm2_public(self, secret: bytes) -> bytes:
        """Public point of a secret."""
        return curve.multiply(int.from_bytes(secret, "big")).encode()

    def sm2_sign(self, secret: bytes, point: bytes, message: bytes, identity: bytes) -> bytes:
        """Signature r ‖ s; the same for the same input."""
        digest = sm3.sm3(identity_digest(sm3.sm3, point, identity) + message)
        for nonce in _nonces(secret, digest):
            made = sign_digest(int.from_bytes(secret, "big"), int.from_bytes(digest, "big"), nonce)
            if made is not None:
                return made
        raise AssertionError("nonces never end")

    def sm2_verify(self, point: bytes, message: bytes, signature: bytes, identity: bytes) -> bool:
        """GB/T 32918.2 §7.1."""
        r, s = decode_signature(signature)
        total = (r + s) % N
        if not total:
            return False
        digest = sm3.sm3(identity_digest(sm3.sm3, point, identity) + message)
        found = curve.multiply_sum(s, total, decode_point(point))
        return found is not None and (int.from_bytes(digest, "big") + found.x) % N == r

    def sm4_gcm_seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Ciphertext ‖ tag."""
        return sm4.seal(key, nonce, plaintext, associated)

    def sm4_gcm_open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        """Plaintext, or None if the tag does not hold."""
        return sm4.open_sealed(key, nonce, sealed, associated)


def sign_digest(secret: int, digest: int, nonce: int) -> bytes | None:
    """GB/T 32918.2 §6.1 from step A4 with a given nonce; None where the standard asks for another one."""
    r = (digest + curve.multiply(nonce).x) % N
    if not r or r + nonce == N:
        return None
    s = pow(1 + secret, -1, N) * (nonce - r * secret) % N
    return encode_signature(r, s) if s else None


def _nonces(secret: bytes, digest: bytes) -> Iterator[int]:
    """RFC 6979 §3.2 with HMAC-SM3; the digest is the one that SM2 signs."""
    reduced = (int.from_bytes(digest, "big") % N).to_bytes(32, "big")
    key, value = bytes(32), b"\x01" * 32
    for mark in (b"\x00", b"\x01"):
        key = sm3.hmac_sm3(key, value + mark + secret + reduced)
        value = sm3.hmac_sm3(key, value)
    while True:
        value = sm3.hmac_sm3(key, value)
        nonce = int.from_bytes(value, "big")
        if 0 < nonce < N:
            yield nonce
        key = sm3.hmac_sm3(key, value + b"\x00")
        value = sm3.hmac_sm3(key, value)
