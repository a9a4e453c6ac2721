from __future__ import annotations

import ctypes
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from plumbline.evidence.gm import curve, known_answers, openssl, pure, sm4
from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.choice import default_backend
from plumbline.evidence.gm.identity import DEFAULT_IDENTITY, identity_digest
from plumbline.evidence.gm.sealing import hmac_sm3, sm4_gcm_open, sm4_gcm_seal
from plumbline.evidence.gm.sm2 import Sm2PrivateKey, Sm2PublicKey
from plumbline.evidence.tests.gm_backends import BACKENDS, PURE

each_backend = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
SCALAR, POINT = bytes.fromhex(known_answers.SM2_SCALAR), bytes.fromhex(known_answers.SM2_POINT)
SIGNATURE = bytes.fromhex(known_answers.SM2_SIGNATURE)


@each_backend
@pytest.mark.parametrize(("data", "digest"), known_answers.SM3)
def test_sm3_gives_the_examples_of_gb_t_32905(backend: Backend, data: bytes, digest: str) -> None:
    assert backend.sm3(data).hex() == digest


@each_backend
@pytest.mark.parametrize(("key", "data", "mac"), known_answers.HMAC_SM3)
def test_hmac_sm3_gives_the_examples_of_gm_t_0042(
    backend: Backend, key: bytes, data: bytes, mac: str
) -> None:
    assert hmac_sm3(key, data, backend=backend).hex() == mac


def test_sm4_gives_the_example_of_gb_t_32907_both_ways() -> None:
    plaintext = bytes.fromhex(known_answers.SM4_KEY)
    keys = sm4.round_keys(plaintext)
    ciphertext = sm4.encrypt_block(keys, plaintext)
    assert ciphertext.hex() == known_answers.SM4_ONCE
    assert sm4.encrypt_block(keys[::-1], ciphertext) == plaintext


def test_the_library_gives_the_example_of_a_million_rounds() -> None:
    key = bytes.fromhex(known_answers.SM4_KEY)
    # CBC of zeros feeds each block of ciphertext into the next encryption: the chain that the standard asks for.
    chain = Cipher(algorithms.SM4(key), modes.CBC(key)).encryptor()
    assert chain.update(bytes(16_000_000))[-16:].hex() == known_answers.SM4_MILLION


@each_backend
def test_sm4_gcm_gives_the_example_of_rfc_8998(backend: Backend) -> None:
    nonce, associated, plaintext, sealed = map(bytes.fromhex, known_answers.SM4_GCM)
    key = bytes.fromhex(known_answers.SM4_KEY)
    assert sm4_gcm_seal(key, nonce, plaintext, associated, backend=backend) == sealed
    assert sm4_gcm_open(key, nonce, sealed, associated, backend=backend) == plaintext


@each_backend
def test_sm2_gives_the_key_identity_and_verdict_of_gb_t_32918_5(backend: Backend) -> None:
    key = Sm2PrivateKey.from_secret(SCALAR, backend=backend)
    assert key.public_key.point == POINT
    assert identity_digest(backend.sm3, POINT, DEFAULT_IDENTITY).hex() == known_answers.SM2_ZA
    assert key.public_key.verify(known_answers.SM2_MESSAGE, SIGNATURE, backend=backend)


def test_sm2_signs_as_gb_t_32918_5_does_with_its_random_number() -> None:
    digest = PURE.sm3(bytes.fromhex(known_answers.SM2_ZA) + known_answers.SM2_MESSAGE)
    numbers = (int(known_answers.SM2_SCALAR, 16), int.from_bytes(digest, "big"))
    assert pure.sign_digest(*numbers, int(known_answers.SM2_NONCE, 16)) == SIGNATURE


def test_a_nonce_that_gives_zero_is_refused_as_the_standard_says() -> None:
    nonce = 5
    x = curve.multiply(nonce).x
    assert pure.sign_digest(7, -x % curve.N, nonce) is None  # r = 0
    assert pure.sign_digest(7, (curve.N - nonce - x) % curve.N, nonce) is None  # r + k = n
    r_of_zero_s = nonce * pow(7, -1, curve.N) % curve.N
    assert pure.sign_digest(7, (r_of_zero_s - x) % curve.N, nonce) is None  # s = 0


@each_backend
def test_every_backend_passes_its_start(backend: Backend) -> None:
    assert known_answers.gives_known_answers(backend)


@pytest.mark.parametrize(
    "broken", ["sm3", "hmac_sm3", "sm2_public", "sm2_sign", "sm4_gcm_seal", "sm2_verify"]
)
def test_a_library_with_wrong_answers_is_not_used(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(openssl.OpensslBackend, broken)

    def wrong(self: Any, *arguments: bytes) -> Any:
        answer = right(self, *arguments)
        return (not answer) if isinstance(answer, bool) else answer[:-1] + bytes([answer[-1] ^ 1])

    monkeypatch.setattr(openssl.OpensslBackend, broken, wrong)
    assert openssl.load_openssl() is None


def test_without_a_library_plain_python_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssl, "_NAMES", ("libcrypto-that-is-not-there.so",))
    monkeypatch.setattr(openssl.ctypes.util, "find_library", lambda _name: None)
    assert default_backend.__wrapped__().name == "pure"


def test_a_library_too_old_is_not_used() -> None:
    class Old(ctypes.CDLL):
        """The running interpreter's own symbols: no SM2 in sight."""

    with pytest.raises(AttributeError):
        openssl.OpensslBackend(Old("libc.so.6"))


def test_where_openssl_3_is_installed_it_is_the_default() -> None:
    try:
        ctypes.CDLL("libcrypto.so.3")
    except OSError:
        pytest.skip("no libcrypto.so.3 here")
    assert default_backend().name == "openssl"


def test_points_are_read_compressed_too() -> None:
    point = curve.decode_point(POINT)
    assert Sm2PublicKey.from_bytes(point.encode_compressed()).point == POINT
    other = curve.Point(point.x, curve.P - point.y)
    assert Sm2PublicKey.from_bytes(other.encode_compressed()).point == other.encode()
