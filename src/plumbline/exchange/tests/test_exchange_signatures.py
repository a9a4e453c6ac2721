from __future__ import annotations

import base64
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver, algorithms

from plumbline.evidence.gm.encodings import signature_to_der
from plumbline.evidence.gm.sm2 import Sm2PublicKey
from plumbline.exchange.make_vectors import ED25519, FOLDER, HMAC, HMAC_SM3, P256, SM2, public_material
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import (
    COMPONENTS,
    NATIONAL,
    Ed25519Signer,
    P256Signer,
    Signer,
    Target,
    check_age,
    check_digests,
    read_signature,
    sign_request,
    verify,
)

TARGET = Target(method="POST", uri="https://jianguan.example/x/v1/entries")
SIGNERS = {"ed25519": ED25519, "p256": P256, "sm2": SM2, "hmac-sha256": HMAC, "hmac-sm3": HMAC_SM3}
CASES = json.loads((FOLDER / "transport.json").read_text(encoding="utf-8"))
#: RFC 9421 has no national algorithms, and neither has its reference library: there the `openssl` program is the oracle.
FOREIGN = [case for case in CASES if case["algorithm"] not in NATIONAL]


def headers(signer: Signer = ED25519, **changes: str) -> dict[str, str]:
    made = sign_request(signer, TARGET, b"body", b"message", created=1_795_067_400)
    return {name.lower(): value for name, value in made.items()} | {
        k.replace("_", "-"): v for k, v in changes.items()
    }


def holds(given: dict[str, str], signer: Signer = ED25519, target: Target = TARGET) -> bool:
    signed = read_signature(given, target)
    return verify(signed.algorithm, public_material(signer), signed.base, signed.signature)


def refused(given: dict[str, str]) -> str:
    with pytest.raises(Problem) as caught:
        read_signature(given, TARGET)
    assert caught.value.kind.status == 401
    return caught.value.slug


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS)
def test_a_signature_of_each_algorithm_holds(signer: Signer) -> None:
    assert holds(headers(signer), signer)


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS)
@pytest.mark.parametrize("name", ["content-digest", "plumb-message-digest"])
def test_a_changed_digest_breaks_the_signature(signer: Signer, name: str) -> None:
    given = headers(signer)
    given[name] = given[name].replace("=:", "=:A", 1)
    assert not holds(given, signer)


@pytest.mark.parametrize(
    "target",
    [
        Target(method="PUT", uri=TARGET.uri),
        Target(method="POST", uri=TARGET.uri + "?"),
        Target(method="POST", uri=TARGET.uri.replace("https", "http")),
    ],
)
def test_a_signature_holds_for_its_own_target_only(target: Target) -> None:
    assert not holds(headers(), target=target)


def test_a_replay_with_a_younger_time_breaks_the_signature() -> None:
    given = headers()
    given["signature-input"] = given["signature-input"].replace("1795067400", "1795067500")
    assert not holds(given)


def test_another_key_does_not_verify() -> None:
    other = Ed25519Signer("vector.ed25519", ed25519.Ed25519PrivateKey.generate())
    assert not holds(headers(other))


@pytest.mark.parametrize("name", ["signature", "signature-input"])
def test_a_stripped_signature_is_missing(name: str) -> None:
    given = headers()
    del given[name]
    assert refused(given) == "signature-missing"


def _altered(old: str, new: str, name: str = "signature-input") -> dict[str, str]:
    given = headers()
    assert old in given[name]
    return given | {name: given[name].replace(old, new)}


@pytest.mark.parametrize(
    "given",
    [
        _altered('"@method" "@target-uri"', '"@target-uri" "@method"'),
        _altered('"@method" ', ""),
        _altered('"plumb-message-digest"', '"plumb-message-digest" "date"'),
        _altered('"content-digest"', '"content-digest";req'),
        _altered("sig1=", "sig2="),
        _altered(";created=1795067400", ""),
        _altered(";created=1795067400", ';created="1795067400"x'),
        _altered(";created=1795067400", ";created=1795067400000000"),
        _altered('alg="ed25519"', 'alg="none"'),
        _altered(';alg="ed25519"', ""),
        _altered('keyid="vector.ed25519"', 'keyid=""'),
        headers(signature_input="sig1=()"),
        headers(signature_input="\u4fe1"),
        headers(signature="sig1=:!!!:"),
        headers(signature="sig1=abc"),
        headers(signature="sig1=:AAA:"),
    ],
)
def test_a_signature_of_another_form_is_refused(given: dict[str, str]) -> None:
    assert refused(given) == "signature-invalid"


def test_two_signatures_are_refused() -> None:
    given = headers()
    for name in ("signature", "signature-input"):
        given[name] = f"{given[name]}, {given[name].replace('sig1', 'sig2')}"
    assert refused(given) == "signature-invalid"


@pytest.mark.parametrize(
    ("seconds", "stale"), [(-301, True), (-299, False), (0, False), (299, False), (301, True)]
)
def test_a_signature_ends_300_seconds_away(seconds: int, stale: bool) -> None:
    if not stale:
        check_age(1000 + seconds, 1000.0)
        return
    with pytest.raises(Problem) as caught:
        check_age(1000 + seconds, 1000.0)
    assert caught.value.slug == "signature-stale"


@pytest.mark.parametrize(
    ("body", "message"), [(b"body!", b"message"), (b"body", b"message!"), (b"message", b"body")]
)
def test_digests_are_of_the_bytes_received(body: bytes, message: bytes) -> None:
    check_digests(headers(), b"body", b"message")
    with pytest.raises(Problem) as caught:
        check_digests(headers(), body, message)
    assert caught.value.slug == "digest-mismatch"


@pytest.mark.parametrize("algorithm", ["ed25519", "p256", "sm2", "hmac-sha256", "hmac-sm3", "rsa"])
@pytest.mark.parametrize("key", [b"", b"\x04", b"\x04" * 65, b"0" * 32])
def test_a_broken_key_or_signature_is_no_signature_and_no_error(algorithm: str, key: bytes) -> None:
    for signature in (b"", b"\x00" * 64, b"\xff" * 64):
        assert not verify(algorithm, key, b"data", signature)


def test_a_fresh_p256_signature_verifies_with_the_key_as_der_too() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signature = P256Signer("k", key).sign(b"data")
    assert len(signature) == 64
    assert verify("p256", der, b"data", signature)
    assert not verify("p256", der, b"other", signature)


class _Request:
    def __init__(self, case: dict[str, Any]) -> None:
        self.method = case["method"]
        self.url = case["uri"]
        self.headers = dict(case["headers"])
        self.body = case["body"].encode()


class _PatientVerifier(HTTPMessageVerifier):
    """The vectors are of one day for ever."""

    require_created = True
    max_clock_skew = timedelta(days=36_500)


def _oracle(case: dict[str, Any]) -> Any:
    key, algorithm = bytes.fromhex(case["key"]), case["algorithm"]
    kinds = {
        "ed25519": algorithms.ED25519,
        "p256": algorithms.ECDSA_P256_SHA256,
        "hmac-sha256": algorithms.HMAC_SHA256,
    }
    material: Any = key
    if algorithm == "ed25519":
        material = ed25519.Ed25519PublicKey.from_public_bytes(key)
    if algorithm == "p256":
        material = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    names = SIGNERS[algorithm].key_id
    return kinds[algorithm], MappingKeyResolver(public_keys={names: material}, private_keys={})


@pytest.mark.parametrize("case", FOREIGN, ids=[case["name"] for case in FOREIGN])
def test_the_reference_library_verifies_our_vectors(case: dict[str, Any]) -> None:
    algorithm, resolver = _oracle(case)
    verifier = _PatientVerifier(signature_algorithm=algorithm, key_resolver=resolver)
    results = verifier.verify(_Request(case), max_age=timedelta(days=36_500))
    covered = [f'"{name}"' for name in (*COMPONENTS, "@signature-params")]
    assert list(results[0].covered_components) == covered


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_our_reading_of_the_vectors_gives_the_published_base(case: dict[str, Any]) -> None:
    given = {name.lower(): value for name, value in case["headers"].items()}
    signed = read_signature(given, Target(method=case["method"], uri=case["uri"]))
    assert signed.base.decode() == case["signature_base"]
    assert verify(signed.algorithm, bytes.fromhex(case["key"]), signed.base, signed.signature)


def test_the_published_ed25519_example_of_the_standard_verifies() -> None:
    """RFC 9421 B.2.6 with the test key of B.1.4: our `verify` and the line format of §2.5."""
    key = "26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb"
    base = "\n".join(
        [
            '"date": Tue, 20 Apr 2021 02:07:55 GMT',
            '"@method": POST',
            '"@path": /foo',
            '"@authority": example.com',
            '"content-type": application/json',
            '"content-length": 18',
            '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")'
            ";created=1618884473"
            ';keyid="test-key-ed25519"',
        ]
    )
    signature = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    assert verify("ed25519", bytes.fromhex(key), base.encode(), base64.b64decode(signature))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl program here")
def test_the_openssl_program_verifies_our_sm2_vector(tmp_path: Path) -> None:
    (case,) = [case for case in CASES if case["algorithm"] == "sm2"]
    signed = read_signature({name.lower(): value for name, value in case["headers"].items()}, TARGET)
    files = {"base": signed.base, "signature": signature_to_der(signed.signature)}
    files["key"] = Sm2PublicKey(bytes.fromhex(case["key"])).to_pem().encode()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    check = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-digest", "sm3"]
    more = ["-pkeyopt", "distid:1234567812345678", "-in", "base", "-sigfile", "signature"]
    done = subprocess.run([*check, *more], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key", [b"", b"\x04" + bytes(64), SM2.key.public_key.point[:-1], bytes(32)])
def test_an_sm2_key_that_is_none_verifies_nothing(key: bytes) -> None:
    signed = read_signature(headers(SM2), TARGET)
    assert verify("sm2", SM2.key.public_key.point, signed.base, signed.signature)
    for signature in (signed.signature, bytes(64), b""):
        assert not verify("sm2", key, signed.base, signature)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl program here")
def test_the_openssl_program_gives_our_hmac_sm3_vector() -> None:
    (case,) = [case for case in CASES if case["algorithm"] == "hmac-sm3"]
    signed = read_signature({name.lower(): value for name, value in case["headers"].items()}, TARGET)
    made = ["openssl", "dgst", "-sm3", "-binary", "-mac", "HMAC", "-macopt", f"hexkey:{case['key']}"]
    done = subprocess.run(made, input=signed.base, capture_output=True, timeout=60)
    assert done.stdout == signed.signature


def test_a_mac_is_not_taken_short_nor_under_a_short_or_missing_secret() -> None:
    signed = read_signature(headers(HMAC_SM3), TARGET)
    assert verify("hmac-sm3", HMAC_SM3.secret, signed.base, signed.signature)
    for key, mac in ((HMAC_SM3.secret, signed.signature[:16]), (b"", signed.signature), (b"k" * 15, b"")):
        assert not verify("hmac-sm3", key, signed.base, mac)
    assert not verify("hmac-sha256", HMAC_SM3.secret, signed.base, signed.signature)
