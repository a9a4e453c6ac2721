from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.evidence.gm import encodings
from plumbline.evidence.gm.curve import N
from plumbline.evidence.gm.identity import MAX_IDENTITY
from plumbline.evidence.gm.sealing import hmac_sm3, sm4_gcm_open, sm4_gcm_seal
from plumbline.evidence.gm.sm2 import Sm2PrivateKey, Sm2PublicKey
from plumbline.evidence.tests.gm_backends import NATIVE, PURE

few = settings(max_examples=25, deadline=None, derandomize=True, database=None)
texts = st.binary(max_size=300)
scalars = st.one_of(st.sampled_from([1, 2, N - 2]), st.integers(1, N - 2)).map(
    lambda n: n.to_bytes(32, "big")
)
identities = st.one_of(
    st.sampled_from([b"", b"1234567812345678", b"i" * MAX_IDENTITY]), st.binary(max_size=40)
)


@few
@given(texts, st.binary(min_size=16, max_size=130))
def test_digests_agree(data: bytes, key: bytes) -> None:
    assert PURE.sm3(data) == NATIVE.sm3(data)
    assert hmac_sm3(key, data, backend=PURE) == hmac_sm3(key, data, backend=NATIVE)


@few
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=12, max_size=12), texts, texts)
def test_sealing_agrees(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> None:
    sealed = sm4_gcm_seal(key, nonce, plaintext, associated, backend=PURE)
    assert sealed == sm4_gcm_seal(key, nonce, plaintext, associated, backend=NATIVE)
    assert sm4_gcm_open(key, nonce, sealed, associated, backend=PURE) == plaintext
    assert sm4_gcm_open(key, nonce, sealed, associated, backend=NATIVE) == plaintext


@few
@given(scalars, texts, identities)
def test_each_accepts_what_the_other_signed(secret: bytes, message: bytes, identity: bytes) -> None:
    key = Sm2PrivateKey.from_secret(secret, backend=PURE)
    assert key == Sm2PrivateKey.from_secret(secret, backend=NATIVE)
    for signer, verifier in ((PURE, NATIVE), (NATIVE, PURE)):
        signature = key.sign(message, identity, backend=signer)
        assert encodings.signature_from_der(encodings.signature_to_der(signature)) == signature
        assert key.public_key.verify(message, signature, identity, backend=verifier)


KEY = Sm2PrivateKey.from_secret((77).to_bytes(32, "big"), backend=PURE)
GOOD = KEY.sign(b"message", backend=PURE)


@few
@given(st.integers(0, 511), st.sampled_from(["signature", "message", "identity", "point"]))
def test_both_refuse_one_changed_bit(bit: int, where: str) -> None:
    parts = {"signature": GOOD, "message": b"message", "identity": b"1234567812345678"}
    point = KEY.public_key.point
    if where == "point":
        point = Sm2PrivateKey.from_secret((bit + 100).to_bytes(32, "big"), backend=NATIVE).public_key.point
    else:
        data = bytearray(parts[where])
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        parts[where] = bytes(data)
    key, arguments = Sm2PublicKey(point), (parts["message"], parts["signature"], parts["identity"])
    assert not key.verify(*arguments, backend=PURE)
    assert not key.verify(*arguments, backend=NATIVE)


def test_plain_python_signs_the_same_again_and_openssl_does_not() -> None:
    assert KEY.sign(b"message", backend=PURE) == GOOD
    if NATIVE is not PURE:
        assert KEY.sign(b"message", backend=NATIVE) != KEY.sign(b"message", backend=NATIVE)


@few
@given(scalars)
def test_keys_survive_their_encodings(secret: bytes) -> None:
    key = Sm2PrivateKey.from_secret(secret, backend=NATIVE)
    assert Sm2PrivateKey.from_pem(key.to_pem()) == key
    assert Sm2PrivateKey.from_der(encodings.private_to_der(secret, None)) == key
    assert Sm2PublicKey.from_pem(key.public_key.to_pem()) == key.public_key


@few
@given(st.binary(max_size=160), st.integers(0, 137), st.integers(0, 255))
def test_hostile_encodings_are_refused_or_read_exactly(noise: bytes, at: int, value: int) -> None:
    good = {
        encodings.signature_from_der: encodings.signature_to_der(GOOD),
        encodings.public_from_der: KEY.public_key.to_der(),
        encodings.private_from_der: KEY.to_der(),
    }
    for read, der in good.items():
        changed = der[:at] + bytes([value]) + der[at + 1 :]
        for data in (noise, changed, der[:at], der + noise[:1]):
            try:
                read(data)
            except ValueError:
                continue
            # Read without complaint: the very length of a good one, no byte left over.
            assert data == der or len(data) == len(der)
