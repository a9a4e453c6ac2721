"""Who does the arithmetic (算法实现): the port of the two backends.

A backend gets arguments that were checked (lengths, ranges, points on the curve) by :mod:`.sm2` and
:mod:`.sealing`, keeps no state between calls and may be called from several threads at once.
"""

from __future__ import annotations

from typing import Protocol


class Backend(Protocol):
    """The primitives; every backend gives the same answers, only SM2 signatures may differ from call to call."""

    @property
    def name(self) -> str:
        """What stands in reports and in the log of a start."""
        ...

    def sm3(self, data: bytes) -> bytes:
        """SM3, 32 bytes."""
        ...

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        """HMAC-SM3, 32 bytes."""
        ...

    def sm2_public(self, secret: bytes) -> bytes:
        """Public point (65 bytes) of a secret of 32 bytes."""
        ...

    def sm2_sign(self, secret: bytes, point: bytes, message: bytes, identity: bytes) -> bytes:
        """Signature r ‖ s over SM3(ZA ‖ message)."""
        ...

    def sm2_verify(self, point: bytes, message: bytes, signature: bytes, identity: bytes) -> bool:
        """Whether r ‖ s is the signature."""
        ...

    def sm4_gcm_seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Ciphertext ‖ tag of 16 bytes."""
        ...

    def sm4_gcm_open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        """Plaintext, or None if the tag does not hold."""
        ...
