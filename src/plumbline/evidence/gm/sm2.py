"""SM2 keys and signatures (数字签名), GB/T 32918.2 on the curve of GB/T 32918.5.

A signature is 64 bytes r ‖ s over SM3(ZA ‖ message). Keys are checked when they are made, so that one in hand is
a point of the curve. ``verify`` never raises on hostile signatures.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Self

from plumbline.evidence.gm import encodings
from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.choice import default_backend
from plumbline.evidence.gm.curve import N, decode_point
from plumbline.evidence.gm.identity import DEFAULT_IDENTITY, MAX_IDENTITY


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """A public key (公钥): 65 bytes 04 ‖ x ‖ y; ValueError if they are not a point of the curve."""

    point: bytes

    def __post_init__(self) -> None:
        if decode_point(self.point).encode() != self.point:
            raise ValueError("a public key is held uncompressed, 65 bytes")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Key of an uncompressed (65) or compressed (33 bytes) point."""
        return cls(decode_point(data).encode())

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Key of a SubjectPublicKeyInfo."""
        return cls(encodings.public_from_der(der))

    @classmethod
    def from_pem(cls, text: str) -> Self:
        """Key of a PEM block PUBLIC KEY."""
        return cls.from_der(encodings.from_pem("PUBLIC KEY", text))

    def to_der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return encodings.public_to_der(self.point)

    def to_pem(self) -> str:
        """PEM block PUBLIC KEY."""
        return encodings.to_pem("PUBLIC KEY", self.to_der())

    def verify(
        self,
        message: bytes,
        signature: bytes,
        identity: bytes = DEFAULT_IDENTITY,
        *,
        backend: Backend | None = None,
    ) -> bool:
        """True if the 64 bytes are this key's signature over ``message``."""
        _require_identity(identity)
        try:
            encodings.decode_signature(signature)
        except ValueError:
            return False
        return (backend or default_backend()).sm2_verify(self.point, message, signature, identity)


@dataclass(frozen=True, slots=True)
class Sm2PrivateKey:
    """A private key (私钥): 32 bytes between 1 and n − 2. It is not shown by ``repr``."""

    secret: bytes = field(repr=False)
    public_key: Sm2PublicKey

    def __post_init__(self) -> None:
        _require_secret(self.secret)

    @classmethod
    def generate(cls, *, backend: Backend | None = None) -> Self:
        """A new key from the operating system's random numbers."""
        return cls.from_secret((1 + secrets.randbelow(N - 2)).to_bytes(32, "big"), backend=backend)

    @classmethod
    def from_secret(cls, secret: bytes, *, backend: Backend | None = None) -> Self:
        """Key of 32 secret bytes; ValueError if they are out of range."""
        _require_secret(secret)
        return cls(secret, Sm2PublicKey((backend or default_backend()).sm2_public(secret)))

    @classmethod
    def from_der(cls, der: bytes, *, backend: Backend | None = None) -> Self:
        """Key of an unencrypted PKCS#8; ValueError if its public half is another key's."""
        secret, point = encodings.private_from_der(der)
        key = cls.from_secret(secret, backend=backend)
        if point not in (None, key.public_key.point):
            raise ValueError("the public half does not belong to the private key")
        return key

    @classmethod
    def from_pem(cls, text: str, *, backend: Backend | None = None) -> Self:
        """Key of a PEM block PRIVATE KEY."""
        return cls.from_der(encodings.from_pem("PRIVATE KEY", text), backend=backend)

    def to_der(self) -> bytes:
        """Unencrypted PKCS#8."""
        return encodings.private_to_der(self.secret, self.public_key.point)

    def to_pem(self) -> str:
        """PEM block PRIVATE KEY, unencrypted."""
        return encodings.to_pem("PRIVATE KEY", self.to_der())

    def sign(
        self, message: bytes, identity: bytes = DEFAULT_IDENTITY, *, backend: Backend | None = None
    ) -> bytes:
        """64 bytes r ‖ s."""
        _require_identity(identity)
        chosen = backend or default_backend()
        return chosen.sm2_sign(self.secret, self.public_key.point, message, identity)


def _require_secret(secret: bytes) -> None:
    if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < N - 1:
        raise ValueError("a private key has 32 bytes, between 1 and n − 2")


def _require_identity(identity: bytes) -> None:
    if len(identity) > MAX_IDENTITY:
        raise ValueError(f"an identity has at most {MAX_IDENTITY} bytes")
