"""Answers published with the standards (标准示例), given before a backend is used and again by the tests."""

from __future__ import annotations

from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.identity import DEFAULT_IDENTITY

#: GB/T 32905 annex A: message and SM3.
SM3 = (
    (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
)
#: GM/T 0042 annex D.3: key, message and HMAC-SM3.
HMAC_SM3 = (
    (
        bytes(range(1, 33)),
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq" * 2,
        "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a",
    ),
    (
        bytes(range(1, 38)),
        b"\xcd" * 50,
        "220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae",
    ),
    (b"\x0b" * 32, b"Hi There", "c0ba18c68b90c88bc07de794bfc7d2c8d19ec31ed8773bc2b390c9604e0be11e"),
)
#: GB/T 32907 annex A: key and plaintext alike, ciphertext after one and after a million rounds.
SM4_KEY = "0123456789abcdeffedcba9876543210"
SM4_ONCE, SM4_MILLION = "681edf34d206965e86b3e94f536e4246", "595298c7c6fd271f0402f804c33d3f66"
#: RFC 8998 A.1: nonce, associated data, plaintext, ciphertext ‖ tag; the key is SM4_KEY.
SM4_GCM = (
    "00001234567800000000abcd",
    "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    "".join(digit * 16 for digit in "abcdefea"),
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    "83de3541e4c2b58177e065a9bf7b62ec",
)
#: GB/T 32918.5 annex A.2: signature with the default identity.
SM2_MESSAGE = b"message digest"
SM2_SCALAR = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"
SM2_POINT = (
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
SM2_ZA = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
SM2_NONCE = "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21"
SM2_SIGNATURE = (
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def gives_known_answers(backend: Backend) -> bool:
    """Whether hash, MAC, cipher, key, signature and refusal are the published ones; a few milliseconds."""
    return _digests(backend) and _cipher(backend) and _signature(backend)


def _digests(backend: Backend) -> bool:
    hashes = all(backend.sm3(data).hex() == digest for data, digest in SM3)
    return hashes and all(backend.hmac_sm3(key, data).hex() == mac for key, data, mac in HMAC_SM3)


def _cipher(backend: Backend) -> bool:
    key, (nonce, associated, plaintext, sealed) = bytes.fromhex(SM4_KEY), map(bytes.fromhex, SM4_GCM)
    opened = backend.sm4_gcm_open(key, nonce, sealed, associated)
    changed = backend.sm4_gcm_open(key, nonce, sealed, associated[1:])
    return (
        backend.sm4_gcm_seal(key, nonce, plaintext, associated) == sealed
        and opened == plaintext
        and changed is None
    )


def _signature(backend: Backend) -> bool:
    secret, point, signature = map(bytes.fromhex, (SM2_SCALAR, SM2_POINT, SM2_SIGNATURE))
    made = backend.sm2_sign(secret, point, SM2_MESSAGE, DEFAULT_IDENTITY)
    return (
        backend.sm2_public(secret) == point
        and backend.sm2_verify(point, SM2_MESSAGE, signature, DEFAULT_IDENTITY)
        and backend.sm2_verify(point, SM2_MESSAGE, made, DEFAULT_IDENTITY)
        and not backend.sm2_verify(point, SM2_MESSAGE, signature, b"another")
    )
