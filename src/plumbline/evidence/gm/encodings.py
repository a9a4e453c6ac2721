"""How SM2 keys and signatures are written down (编码): raw bytes, DER and PEM.

Strict: one spelling for each value, so that a changed file never verifies as the same one. DER is read by
writing again what was read and comparing.
"""

from __future__ import annotations

import base64
import binascii
import re

from plumbline.evidence.gm.curve import N

#: AlgorithmIdentifier: id-ecPublicKey (1.2.840.10045.2.1) with the curve sm2p256v1 (1.2.156.10197.1.301).
_ALGORITHM = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
_PUBLIC_PREFIX = b"\x30\x59" + _ALGORITHM + b"\x03\x42\x00"
_PRIVATE_PREFIX = b"\x30\x81\x87\x02\x01\x00" + _ALGORITHM + bytes.fromhex("046d306b0201010420")
_BARE_PREFIX = b"\x30\x41\x02\x01\x00" + _ALGORITHM + bytes.fromhex("042730250201010420")
_POINT_PREFIX = bytes.fromhex("a144034200")
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END \1-----\s*")


def encode_signature(r: int, s: int) -> bytes:
    """64 bytes r ‖ s; ValueError if a number does not lie in 1 … n − 1."""
    if not (0 < r < N and 0 < s < N):
        raise ValueError("r and s of a signature lie between 1 and n − 1")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def decode_signature(data: bytes) -> tuple[int, int]:
    """r and s of 64 bytes; ValueError for another length or a number outside 1 … n − 1."""
    if len(data) != 64:
        raise ValueError(f"an SM2 signature has 64 bytes, not {len(data)}")
    r, s = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")
    encode_signature(r, s)
    return r, s


def signature_to_der(data: bytes) -> bytes:
    """SEQUENCE of two INTEGERs (GB/T 35276) of 64 bytes r ‖ s."""
    body = b"".join(_integer(value) for value in decode_signature(data))
    return bytes([0x30, len(body)]) + body


def signature_from_der(der: bytes) -> bytes:
    """64 bytes r ‖ s of a DER signature; ValueError if it is not the one spelling of its numbers."""
    first = der[3] if len(der) > 3 else 0
    r = int.from_bytes(der[4 : 4 + first], "big")
    s = int.from_bytes(der[6 + first :], "big")
    found = encode_signature(r, s)
    if signature_to_der(found) != der:
        raise ValueError("not a DER signature")
    return found


def _integer(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes([2, len(data)]) + data


def public_to_der(point: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 5480) of 65 bytes 04 ‖ x ‖ y."""
    return _PUBLIC_PREFIX + point


def public_from_der(der: bytes) -> bytes:
    """The 65 bytes of a SubjectPublicKeyInfo, not yet checked to be on the curve; ValueError for other keys."""
    if len(der) != 91 or not der.startswith(_PUBLIC_PREFIX):
        raise ValueError("not an SM2 public key in DER (SubjectPublicKeyInfo, curve sm2p256v1)")
    return der[len(_PUBLIC_PREFIX) :]


def private_to_der(secret: bytes, point: bytes | None) -> bytes:
    """PKCS#8 of the 32 secret bytes, with the public point if it is given."""
    if point is None:
        return _BARE_PREFIX + secret
    return _PRIVATE_PREFIX + secret + _POINT_PREFIX + point


def private_from_der(der: bytes) -> tuple[bytes, bytes | None]:
    """Secret and, if it is there, public point of an unencrypted PKCS#8 key; ValueError for other keys."""
    for prefix in (_PRIVATE_PREFIX, _BARE_PREFIX):
        if der.startswith(prefix):
            secret, rest = der[len(prefix) :][:32], der[len(prefix) + 32 :]
            point = rest[len(_POINT_PREFIX) :] or None
            whole = len(secret) == 32 and (point is None or len(point) == 65)
            if whole and private_to_der(secret, point) == der:
                return secret, point
    raise ValueError("not an SM2 private key in DER (unencrypted PKCS#8, curve sm2p256v1)")


def to_pem(label: str, der: bytes) -> str:
    """PEM text (RFC 7468), 64 characters a line."""
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def from_pem(label: str, text: str) -> bytes:
    """DER of the one PEM block of that label; ValueError for anything else."""
    match = _PEM.fullmatch(text.lstrip())
    if match is None or match[1] != label:
        raise ValueError(f"not one PEM block {label}")
    try:
        return base64.b64decode("".join(match[2].split()), validate=True)
    except binascii.Error as error:
        raise ValueError("the PEM block is not base64") from error
