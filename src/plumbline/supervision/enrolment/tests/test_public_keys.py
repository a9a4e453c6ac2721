"""Pasted public keys (公钥): what is taken, and why the rest is not."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from plumbline.supervision.enrolment.public_keys import (
    PROOF_PREFIX,
    ROTATION_PREFIX,
    KeyRefused,
    gives_way,
    parse_public_key,
    proves,
)

ED, P256 = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def pem(key) -> str:
    return key.public_key().public_bytes(serialization.Encoding.PEM, SPKI).decode()


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def raw(key=ED) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def okp(x: bytes, **more: str) -> str:
    return json.dumps({"kty": "OKP", "crv": "Ed25519", "x": b64u(x)} | more)


def test_pem_and_jwk_of_one_key_are_one_key() -> None:
    assert parse_public_key(pem(ED)) == parse_public_key(okp(raw()))
    numbers = P256.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": b64u(numbers.x.to_bytes(32)), "y": b64u(numbers.y.to_bytes(32))}
    key = parse_public_key(pem(P256))
    assert key == parse_public_key(json.dumps(jwk)) and key.material[0] == 4
    der = P256.public_key().public_bytes(serialization.Encoding.DER, SPKI)
    assert der in key.encodings() and key.key_id("origin").startswith("origin:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "请贴公钥"),
        ("-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----", "私钥"),
        ("-----BEGIN EC PRIVATE KEY-----\nx", "立即作废"),
        (okp(b"\1" * 32, d="AAAA"), "私钥"),
        ("-----BEGIN CERTIFICATE-----\nx", "证书"),
        ("ssh-ed25519 AAAA me", "SSH"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "读不出来"),
        ("hello", "读不出公钥"),
        ("x" * 5000, "太长"),
        ("{", "不是正确的 JSON"),
        ("[1]", "读不出公钥"),
        ('{"kty":"RSA","n":"x"}', "平台收"),
        ('{"kty":"OKP","crv":"Ed25519","x":"AAAA"}', "32 字节"),
        ('{"kty":"EC","crv":"P-256","x":"AAAA","y":7}', "32 字节"),
        (okp(bytes(32)), "太弱"),
        (okp(b"\1" + bytes(31)), "太弱"),
        (okp(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85")), "太弱"),
        (okp(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")), "示例密钥"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "平台不收"),
        (pem(rsa.generate_private_key(65537, 1024)), "1024 位 RSA"),
    ],
)
def test_what_cannot_be_enrolled_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(KeyRefused, match=said):
        parse_public_key(text)


def test_a_proof_is_by_this_key_over_this_challenge() -> None:
    data = (PROOF_PREFIX + "c").encode()
    made = base64.b64encode(ED.sign(data)).decode()
    key = parse_public_key(pem(ED))
    assert proves(key, "c", made) and proves(key, "c", made[:30] + "\n" + made[30:])
    assert not proves(key, "d", made) and not proves(parse_public_key(pem(P256)), "c", made)
    assert not proves(key, "c", "*") and not proves(key, "c", "")


def test_an_old_key_gives_way_to_one_new_key_only() -> None:
    key = parse_public_key(pem(ED))
    made = base64.b64encode(ED.sign((ROTATION_PREFIX + "c\nbmV3").encode())).decode()
    assert gives_way(key, "c", "bm V3\n", made)
    assert not gives_way(key, "c", "b3RoZXI", made) and not gives_way(key, "d", "bmV3", made)
    applied = base64.b64encode(ED.sign((PROOF_PREFIX + "c").encode())).decode()
    assert not gives_way(key, "c", "bmV3", applied) and not proves(key, "c", made)


def test_a_proof_of_p256_may_be_der_or_raw() -> None:
    der = P256.sign((PROOF_PREFIX + "c").encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    key = parse_public_key(pem(P256))
    for made in (der, r.to_bytes(32) + s.to_bytes(32)):
        assert proves(key, "c", base64.b64encode(made).decode())
