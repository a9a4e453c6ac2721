"""Writes the published test vectors of the exchange into `vectors/` (测试向量): signatures, digests, curves,
claims, entry ids.

Run `python -m plumbline.exchange.make_vectors` after a deliberate change of format; a test holds the files
equal to what this module makes. Private keys are bytes([n]) * 32 (Ed25519), the scalar 7 (P-256), bytes([4]) * 32
(SM2, nonces of RFC 6979 with HMAC-SM3) and 32 bytes 0x2a (both HMACs); they protect nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from plumbline.evidence.gm.pure import PureBackend
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.evidence.leaf import entry_id, leaf_hash
from plumbline.evidence.tree import Frontier
from plumbline.exchange.claims import CONTEXT, CodeClaims, sign_claims
from plumbline.exchange.curves import encode_dzv
from plumbline.exchange.encode import encode_submission
from plumbline.exchange.handbook.example_cast import SUPERVISION_CODE
from plumbline.exchange.handbook.examples import CURVE_POINTS, example_bytes
from plumbline.exchange.origin import BATCH, origin_bytes, sign_batch, sign_origin
from plumbline.exchange.personal import PersonalFields, record_digest
from plumbline.exchange.signatures import (
    Ed25519Signer,
    HmacSigner,
    HmacSm3Signer,
    Signer,
    Sm2Signer,
    Target,
    digest_header,
    sign_request,
    signature_base,
)

FOLDER = Path(__file__).parent / "vectors"
URI = "https://jianguan.example/x/v1/entries"
CREATED = 1_795_067_400
_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


@dataclass(frozen=True, slots=True)
class _SteadyP256Signer:
    """P-256 with the nonces of RFC 6979, so that the file is the same every time."""

    key_id: str
    key: ec.EllipticCurvePrivateKey
    algorithm: str = "p256"

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(
            self.key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        )
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


ED25519 = Ed25519Signer("vector.ed25519", ed25519.Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
ORIGIN = Ed25519Signer("vector.origin", ed25519.Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32))
CODE = Ed25519Signer("vector.code", ed25519.Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32))
P256 = _SteadyP256Signer("vector.p256", ec.derive_private_key(7, ec.SECP256R1()))
SM2 = Sm2Signer(
    "vector.sm2", Sm2PrivateKey.from_secret(bytes([4]) * 32, backend=PureBackend()), backend=PureBackend()
)
HMAC = HmacSigner("vector.hmac", bytes([42]) * 32)
HMAC_SM3 = HmacSm3Signer("vector.hmac-sm3", bytes([42]) * 32)


def make_vectors() -> dict[str, Any]:
    """All vector files by name, as JSON values."""
    return {
        "transport.json": _transport(),
        "origin.json": _origin(),
        "personal.json": _personal(),
        "dzv.json": _dzv(),
        "claims.json": _claims(),
        "entry_id.json": _entry_ids(),
    }


def encode_vectors(value: Any) -> str:
    """The exact text of a vector file."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def write_vectors(folder: Path = FOLDER) -> None:
    """Write all vector files into `folder`."""
    folder.mkdir(exist_ok=True)
    for name, value in make_vectors().items():
        (folder / name).write_text(encode_vectors(value), encoding="utf-8")


def public_material(signer: Signer) -> bytes:
    """What a verifier holds: raw Ed25519 key, uncompressed P-256 point, or the HMAC secret."""
    if isinstance(signer, Ed25519Signer):
        return signer.key.public_key().public_bytes(*_RAW)
    if isinstance(signer, _SteadyP256Signer):
        return signer.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    if isinstance(signer, Sm2Signer):
        return signer.key.public_key.point
    assert isinstance(signer, HmacSigner | HmacSm3Signer)
    return signer.secret


def _transport() -> Any:
    message = example_bytes("contract.signed")
    body = encode_submission(message)
    cases: list[tuple[str, Signer, str, str, bytes, bytes, str]] = [
        ("post", ED25519, "POST", URI, body, message, ""),
        ("post", HMAC, "POST", URI, body, message, ""),
        ("post", P256, "POST", URI, body, message, ""),
        ("post", SM2, "POST", URI, body, message, ""),
        ("post", HMAC_SM3, "POST", URI, body, message, ""),
        ("query", ED25519, "GET", "https://jianguan.example/x/v1/changes?after=17", b"", b"", ""),
        ("nonce", ED25519, "POST", "https://jianguan.example/x/v1/files", b"", b"", "bm9uY2U"),
    ]
    return [_transport_case(*case) for case in cases]


def _transport_case(  # noqa: PLR0917 - one row of the table above
    name: str, signer: Signer, method: str, uri: str, body: bytes, message: bytes, nonce: str
) -> Mapping[str, Any]:
    headers = sign_request(
        signer, Target(method=method, uri=uri), body, message, created=CREATED, nonce=nonce
    )
    params = headers["Signature-Input"].removeprefix("sig1=")
    base = signature_base(method, uri, digest_header(body), digest_header(message), params)
    return {
        "name": f"{name}, {signer.algorithm}",
        "algorithm": signer.algorithm,
        "key": public_material(signer).hex(),
        "method": method,
        "uri": uri,
        "body": body.decode(),
        "message": message.decode(),
        "created": CREATED,
        "headers": headers,
        "signature_base": base.decode(),
    }


def _origin() -> Any:
    messages = [example_bytes(kind) for kind in ("run.recorded", "review.recorded", "report.applied")]
    leaves = [leaf_hash(hashlib.sha256(each).digest()) for each in messages]
    root = Frontier.empty().append(leaves).frontier.root()
    return {
        "key": public_material(ORIGIN).hex(),
        "messages": [each.decode() for each in messages],
        "single": msgspec.to_builtins(sign_origin(ORIGIN, messages[0])),
        "single_signed_bytes": origin_bytes(messages[0]).hex(),
        "batch": [msgspec.to_builtins(each) for each in sign_batch(ORIGIN, messages)],
        "batch_root": root.hex(),
        "batch_signed_bytes": (BATCH + len(leaves).to_bytes(8, "big") + root).hex(),
    }


def _personal() -> Any:
    salt, subject = bytes(range(16)), "5e" * 16
    rows = [
        PersonalFields(name="王示例"),
        PersonalFields(name="王示例", resident_id="610300199001010017", phone="13800000000"),
        PersonalFields(),
    ]
    return [
        {
            "salt": base64.b64encode(salt).decode(),
            "subject": subject,
            "fields": {
                name: value for name, value in msgspec.structs.asdict(row).items() if value is not None
            },
            "ref": record_digest(salt, subject, row),
        }
        for row in rows
    ]


def _dzv() -> Any:
    rows: list[tuple[int, ...]] = [
        (),
        (0,),
        (63, 64, -64, -65),
        CURVE_POINTS,
        (2**53, -(2**53)),
        (5, 5, 5, 4),
    ]
    return [{"values": list(row), "dzv": base64.b64encode(encode_dzv(row)).decode()} for row in rows]


def _claims() -> Any:
    claims = CodeClaims(
        key_number=1,
        code=SUPERVISION_CODE,
        issued_on=date(2026, 12, 17),
        institution=bytes(range(8)),
        verdict="NOT_JUDGED",
        report_digest=bytes(range(16)),
        report_number="HNT-S1-2026-00417",
    )
    return {
        "key": public_material(CODE).hex(),
        "code": claims.code,
        "issued_on": claims.issued_on.isoformat(),
        "institution": claims.institution.hex(),
        "verdict": claims.verdict,
        "report_digest": claims.report_digest.hex(),
        "report_number": claims.report_number,
        "signed_bytes": (CONTEXT + claims.encode()).hex(),
        "fragment": sign_claims(claims, CODE),
    }


def _entry_ids() -> Any:
    rows = [
        ("00" * 16, "019a9a5c-0000-7000-8000-000000000000"),
        ("5e" * 16, "019a9a5c-7b40-7abc-9def-0123456789ab"),
    ]
    return [
        {"sender": sender, "uid": uid, "entry": entry_id(bytes.fromhex(sender), uuid.UUID(uid)).hex()}
        for sender, uid in rows
    ]


if __name__ == "__main__":
    write_vectors()
