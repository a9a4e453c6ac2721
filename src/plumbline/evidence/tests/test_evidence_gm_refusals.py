from __future__ import annotations

import pytest

from plumbline.evidence.gm import curve, encodings
from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.curve import BASE, N, P, Point
from plumbline.evidence.gm.identity import MAX_IDENTITY, identity_digest
from plumbline.evidence.gm.openssl import OpensslBackend, OpensslFailed
from plumbline.evidence.gm.sealing import SealBroken, hmac_sm3, is_hmac_sm3, sm4_gcm_open, sm4_gcm_seal
from plumbline.evidence.gm.sm2 import Sm2PrivateKey, Sm2PublicKey
from plumbline.evidence.tests.gm_backends import BACKENDS, NATIVE, PURE

each_backend = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
KEY = Sm2PrivateKey.from_secret((5).to_bytes(32, "big"))
PUBLIC = KEY.public_key
SIGNATURE = KEY.sign(b"message")
OFF_CURVE = PUBLIC.point[:-1] + bytes([PUBLIC.point[-1] ^ 1])
#: The first x of no point of the curve.
NO_ROOT = next(x for x in range(1, 50) if pow((x**3 + curve.A * x + curve.B) % P, (P - 1) // 2, P) == P - 1)


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


POINTS = {
    "off the curve": OFF_CURVE,
    "at infinity": b"\x00",
    "zero": b"\x04" + bytes(64),
    "coordinate not reduced": b"\x04" + number(P) + PUBLIC.point[33:],
    "hybrid form": b"\x06" + PUBLIC.point[1:],
    "without its mark": PUBLIC.point[1:],
    "cut off": PUBLIC.point[:-1],
    "too long": PUBLIC.point + b"\0",
    "empty": b"",
    "no root": b"\x02" + number(NO_ROOT),
    "compressed, not reduced": b"\x03" + number(P + 1),
}


@pytest.mark.parametrize("data", POINTS.values(), ids=POINTS.keys())
def test_what_is_no_point_is_no_key(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"point|coordinate"):
        Sm2PublicKey.from_bytes(data)
    with pytest.raises(ValueError, match=r"point|coordinate|DER"):
        Sm2PublicKey.from_der(encodings.public_to_der(data))


def test_a_key_is_held_in_one_form() -> None:
    with pytest.raises(ValueError, match="uncompressed"):
        Sm2PublicKey(curve.decode_point(PUBLIC.point).encode_compressed())


@pytest.mark.skipif(NATIVE is PURE, reason="no OpenSSL 3 here")
def test_openssl_itself_refuses_a_point_off_the_curve_and_keeps_no_error_behind() -> None:
    assert isinstance(NATIVE, OpensslBackend)
    with pytest.raises(OpensslFailed):
        NATIVE.sm2_verify(OFF_CURVE, b"message", SIGNATURE, b"")
    assert NATIVE._library.ERR_peek_error() == 0
    assert PUBLIC.verify(b"message", SIGNATURE, backend=NATIVE)


R, S = SIGNATURE[:32], SIGNATURE[32:]
SIGNATURES = {
    "r zero": bytes(32) + S,
    "s zero": R + bytes(32),
    "r is n": number(N) + S,
    "s is n": R + number(N),
    "r beyond n": b"\xff" * 32 + S,
    "s beyond n": R + b"\xff" * 32,
    "r + s is n": R + number(N - int.from_bytes(R, "big")),
    "swapped": S + R,
    "s negated": R + number(N - int.from_bytes(S, "big")),
    "cut off": SIGNATURE[:-1],
    "too long": SIGNATURE + b"\0",
    "empty": b"",
    "in DER": encodings.signature_to_der(SIGNATURE),
}


@each_backend
@pytest.mark.parametrize("data", SIGNATURES.values(), ids=SIGNATURES.keys())
def test_what_is_no_signature_is_refused(backend: Backend, data: bytes) -> None:
    assert PUBLIC.verify(b"message", SIGNATURE, backend=backend)
    assert not PUBLIC.verify(b"message", data, backend=backend)


@pytest.mark.parametrize(
    "der", ["3006020100020101", "3006020101020100", "30070202000102010100", "", "30", "3000"]
)
def test_signatures_in_der_have_one_spelling(der: str) -> None:
    with pytest.raises(ValueError, match=r"signature"):
        encodings.signature_from_der(bytes.fromhex(der))


@pytest.mark.parametrize("secret", [bytes(32), number(N - 1), number(N), b"\xff" * 32, b"\x01" * 31, b""])
def test_a_secret_out_of_range_is_no_key(secret: bytes) -> None:
    with pytest.raises(ValueError, match="private key"):
        Sm2PrivateKey.from_secret(secret)
    with pytest.raises(ValueError, match="private key"):
        Sm2PrivateKey(secret, PUBLIC)


def test_a_key_file_with_another_public_half_is_refused() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        Sm2PrivateKey.from_der(encodings.private_to_der(KEY.secret, BASE.encode()))


def test_key_files_of_other_kinds_are_refused() -> None:
    for text in ("", "x", KEY.to_pem() * 2, KEY.to_pem().replace("PRIVATE", "OTHER"), KEY.to_pem()[:-20]):
        with pytest.raises(ValueError, match="PEM"):
            Sm2PrivateKey.from_pem(text)
    with pytest.raises(ValueError, match="base64"):
        Sm2PublicKey.from_pem(encodings.to_pem("PUBLIC KEY", b"12").replace("MTI=", "M=TI"))


def test_a_private_key_is_not_shown() -> None:
    assert KEY.secret.hex() not in repr(KEY) and repr(KEY.secret) not in repr(KEY)


def test_an_identity_has_a_length() -> None:
    for act in (
        lambda: KEY.sign(b"", b"i" * (MAX_IDENTITY + 1)),
        lambda: PUBLIC.verify(b"", SIGNATURE, b"i" * (MAX_IDENTITY + 1)),
    ):
        with pytest.raises(ValueError, match="identity"):
            act()
    with pytest.raises(ValueError, match="identity"):
        identity_digest(PURE.sm3, PUBLIC.point, b"i" * (MAX_IDENTITY + 1))


def test_multiples_need_a_scalar_of_the_group() -> None:
    for scalar in (0, N, -1):
        with pytest.raises(ValueError, match="scalar"):
            curve.multiply(scalar)
    assert curve.multiply_sum(1, 1, Point(BASE.x, P - BASE.y)) is None
    assert curve.multiply_sum(2, N - 1, BASE) == BASE
    assert curve.multiply_sum(1, 1, BASE) == curve.multiply(2)


SEALED = sm4_gcm_seal(b"k" * 16, b"n" * 12, b"face", b"subject")


@each_backend
@pytest.mark.parametrize(
    "data",
    [SEALED[:-1], SEALED[:-4], SEALED[:16], SEALED[:15], b"", SEALED + b"\0", SEALED[1:], b"\0" + SEALED[1:]],
)
def test_a_seal_holds_whole_or_not_at_all(backend: Backend, data: bytes) -> None:
    assert sm4_gcm_open(b"k" * 16, b"n" * 12, SEALED, b"subject", backend=backend) == b"face"
    with pytest.raises(SealBroken):
        sm4_gcm_open(b"k" * 16, b"n" * 12, data, b"subject", backend=backend)


@each_backend
def test_a_seal_is_bound_to_key_nonce_and_subject(backend: Backend) -> None:
    good = (b"k" * 16, b"n" * 12, SEALED, b"subject")
    for at, other in ((0, b"K" * 16), (1, b"N" * 12), (3, b"other"), (3, b"")):
        with pytest.raises(SealBroken):
            sm4_gcm_open(*good[:at], other, *good[at + 1 :], backend=backend)


def test_sealing_takes_keys_and_nonces_of_their_length() -> None:
    for key, nonce in ((b"k" * 15, b"n" * 12), (b"k" * 32, b"n" * 12), (b"k" * 16, b"n" * 16), (b"", b"")):
        with pytest.raises(ValueError, match="SM4-GCM takes"):
            sm4_gcm_seal(key, nonce, b"")
        with pytest.raises(ValueError, match="SM4-GCM takes"):
            sm4_gcm_open(key, nonce, bytes(16))


@each_backend
def test_a_mac_is_whole_or_refused(backend: Backend) -> None:
    key = b"k" * 16
    mac = hmac_sm3(key, b"data", backend=backend)
    assert is_hmac_sm3(key, b"data", mac, backend=backend)
    for wrong in (mac[:-1], mac[:16], b"", mac + b"\0", bytes(32)):
        assert not is_hmac_sm3(key, b"data", wrong, backend=backend)
    with pytest.raises(ValueError, match="16 bytes"):
        hmac_sm3(b"k" * 15, b"data", backend=backend)


class _Counting:
    """A library that remembers what was made and what was given back."""

    def __init__(self, library: object) -> None:
        self._library, self.calls = library, []

    def __getattr__(self, name: str) -> object:
        self.calls.append(name)
        return getattr(self._library, name)

    def made_and_freed(self) -> list[tuple[int, int]]:
        pairs = (
            (("d2i_AutoPrivateKey", "d2i_PUBKEY"), "EVP_PKEY_free"),
            (("EVP_PKEY_CTX_new",), "EVP_PKEY_CTX_free"),
            (("EVP_MD_CTX_new",), "EVP_MD_CTX_free"),
        )
        return [
            (sum(self.calls.count(each) for each in made), self.calls.count(freed)) for made, freed in pairs
        ]


@pytest.mark.skipif(NATIVE is None, reason="no libcrypto of OpenSSL 3 here")
def test_what_openssl_made_is_given_back_once(monkeypatch) -> None:
    counting = _Counting(NATIVE._library)
    monkeypatch.setattr(NATIVE, "_library", counting)
    secret = (5).to_bytes(32, "big")
    point = NATIVE.sm2_public(secret)
    for _ in range(3):
        signature = NATIVE.sm2_sign(secret, point, b"message", b"1234567812345678")
        assert NATIVE.sm2_verify(point, b"message", signature, b"1234567812345678")
    assert counting.made_and_freed() == [(7, 7), (6, 6), (6, 6)]
