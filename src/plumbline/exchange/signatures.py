"""Transport signatures (传输签名): HTTP Message Signatures, RFC 9421, in the one profile that the exchange
uses.

Covered, in this order: "@method" "@target-uri" "content-digest" "plumb-message-digest"; parameters created,
keyid, alg and, where a call is not idempotent by uid, nonce. Verification is own lean code because the
reference library costs 0.5 ms a request (STACK); that library stays the oracle in the tests.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.sealing import hmac_sm3, is_hmac_sm3
from plumbline.evidence.gm.sm2 import Sm2PrivateKey, Sm2PublicKey
from plumbline.exchange.problems import Problem

COMPONENTS = ("@method", "@target-uri", "content-digest", "plumb-message-digest")
MAX_SKEW_S = 300
ALGORITHMS = {
    "ed25519": "ed25519",
    "hmac-sha256": "hmac-sha256",
    "hmac-sm3": "hmac-sm3",
    "p256": "ecdsa-p256-sha256",
    "sm2": "sm2-sm3",
}
_OWN_NAMES = {wire: own for own, wire in ALGORITHMS.items()}
#: Algorithms of the suite `gm`; a platform of the suite `standard` takes no signature by them.
NATIONAL = frozenset({"sm2", "hmac-sm3"})
#: Shared secrets: they authenticate transport only, and the platform could forge them.
SYMMETRIC = frozenset({"hmac-sha256", "hmac-sm3"})
_INPUT = re.compile(
    r'^(?P<label>[a-z][a-z0-9_-]{0,19})=(?P<params>\((?P<items>[^()]*)\)(?P<rest>(;[a-z]+=("[^"]*"|[0-9]+))*))$'
)
_SIGNATURE = re.compile(r"^(?P<label>[a-z][a-z0-9_-]{0,19})=:(?P<value>[A-Za-z0-9+/]+={0,2}):$")
_PARAMETER = re.compile(r';([a-z]+)=(?:"([^"]*)"|([0-9]+))')


class Signer(Protocol):
    """A signing key: `algorithm` is a wire name of ALGORITHMS; the private part may live elsewhere."""

    @property
    def key_id(self) -> str:
        """Name under which the key is enrolled."""
        ...

    @property
    def algorithm(self) -> str:
        """Wire name, a key of ALGORITHMS."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Signature bytes: 64 for Ed25519, P-256 and SM2 (r ‖ s), 32 for HMAC."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """An Ed25519 key held in memory."""

    key_id: str
    key: ed25519.Ed25519PrivateKey
    algorithm: str = "ed25519"

    def sign(self, data: bytes) -> bytes:
        """64 bytes, RFC 8032."""
        return self.key.sign(data)


@dataclass(frozen=True, slots=True)
class P256Signer:
    """An ECDSA P-256 key held in memory."""

    key_id: str
    key: ec.EllipticCurvePrivateKey
    algorithm: str = "p256"

    def sign(self, data: bytes) -> bytes:
        """r ‖ s, 64 bytes, as RFC 9421 §3.3.4 asks."""
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class Sm2Signer:
    """An SM2 key held in memory (国密签名), with the default identity of GB/T 35276."""

    key_id: str
    key: Sm2PrivateKey
    algorithm: str = "sm2"
    #: Who does the arithmetic; None for OpenSSL where it is there.
    backend: Backend | None = None

    def sign(self, data: bytes) -> bytes:
        """r ‖ s, 64 bytes."""
        return self.key.sign(data, backend=self.backend)


@dataclass(frozen=True, slots=True)
class HmacSigner:
    """A shared secret: authenticates transport only, proves nothing to a third party."""

    key_id: str
    secret: bytes
    algorithm: str = "hmac-sha256"

    def sign(self, data: bytes) -> bytes:
        """HMAC-SHA-256, 32 bytes."""
        return hmac.digest(self.secret, data, "sha256")


@dataclass(frozen=True, slots=True)
class HmacSm3Signer:
    """A shared secret of at least 16 bytes, by HMAC-SM3 (国密消息认证): transport only, as with every HMAC."""

    key_id: str
    secret: bytes
    algorithm: str = "hmac-sm3"

    def sign(self, data: bytes) -> bytes:
        """HMAC-SM3, 32 bytes."""
        return hmac_sm3(self.secret, data)


def verify(algorithm: str, key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether `signature` over `data` is by `key` (raw Ed25519, uncompressed P-256 point or DER SPKI,
    uncompressed SM2 point, or the HMAC secret)."""
    try:
        if algorithm == "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
            return True
        if algorithm == "p256":
            if len(signature) != 64:
                return False
            der = encode_dss_signature(
                int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            )
            _p256(key).verify(der, data, ec.ECDSA(hashes.SHA256()))
            return True
        if algorithm == "sm2":
            return Sm2PublicKey(key).verify(data, signature)
        if algorithm == "hmac-sha256":
            return hmac.compare_digest(hmac.digest(key, data, "sha256"), signature)
        if algorithm == "hmac-sm3":
            return is_hmac_sm3(key, data, signature)
    except (InvalidSignature, ValueError):
        return False
    return False


def _p256(key: bytes) -> ec.EllipticCurvePublicKey:
    if key[:1] == b"\x04":
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    loaded = serialization.load_der_public_key(key)
    if not isinstance(loaded, ec.EllipticCurvePublicKey):
        raise ValueError("not an elliptic-curve key")
    return loaded


def digest_header(data: bytes) -> str:
    """RFC 9530 dictionary member: `sha-256=:…:`."""
    return _digest_member(hashlib.sha256(data).digest())


def _digest_member(digest: bytes) -> str:
    return f"sha-256=:{binascii.b2a_base64(digest, newline=False).decode()}:"


def signature_base(
    method: str, target_uri: str, content_digest: str, message_digest: str, params: str
) -> bytes:
    """The bytes that are signed (RFC 9421 §2.5)."""
    lines = [
        f'"@method": {method.upper()}',
        f'"@target-uri": {target_uri}',
        f'"content-digest": {content_digest}',
        f'"plumb-message-digest": {message_digest}',
        f'"@signature-params": {params}',
    ]
    return "\n".join(lines).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Method and full address of a request, as configured publicly, never from the Host header."""

    method: str
    uri: str


def sign_request(
    signer: Signer, target: Target, body: bytes, message: bytes, *, created: int, nonce: str = ""
) -> dict[str, str]:
    """The four headers of a signed request. `created` is Unix seconds by the platform's clock."""
    items = " ".join(f'"{name}"' for name in COMPONENTS)
    params = f'({items});created={created};keyid="{signer.key_id}";alg="{ALGORITHMS[signer.algorithm]}"'
    if nonce:
        params += f';nonce="{nonce}"'
    content, digest = digest_header(body), digest_header(message)
    signature = signer.sign(signature_base(target.method, target.uri, content, digest, params))
    return {
        "Content-Digest": content,
        "Plumb-Message-Digest": digest,
        "Signature-Input": f"sig1={params}",
        "Signature": f"sig1=:{base64.b64encode(signature).decode()}:",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What a request claims; nothing is verified yet but the shape."""

    key_id: str
    algorithm: str
    created: int
    nonce: str
    base: bytes
    signature: bytes


def read_signature(headers: Mapping[str, str], target: Target) -> SignedRequest:
    """Parse the signature headers (lower-case names); raises :class:`Problem` `signature-missing` or
    `signature-invalid`."""
    given, value = headers.get("signature-input"), headers.get("signature")
    if not given or not value:
        raise Problem(slug="signature-missing")
    found, signature = _INPUT.match(given.strip()), _SIGNATURE.match(value.strip())
    if not found or not signature or found["label"] != signature["label"]:
        raise Problem(
            slug="signature-invalid", detail="Signature-Input 或 Signature 的写法不对，只支持一个签名"
        )
    if tuple(part.strip('"') for part in found["items"].split()) != COMPONENTS:
        raise Problem(slug="signature-invalid", detail="必须依次覆盖 " + " ".join(COMPONENTS))
    params = {m[1]: m[2] or m[3] or "" for m in _PARAMETER.finditer(found["rest"])}
    algorithm = _OWN_NAMES.get(params.get("alg", ""))
    created = params.get("created", "")
    if not algorithm or not params.get("keyid") or not created.isdigit() or len(created) > 12:
        raise Problem(
            slug="signature-invalid",
            detail="created、keyid、alg 三个参数都要有，alg 用 ed25519、ecdsa-p256-sha256、sm2-sm3、hmac-sha256 或 hmac-sm3",
        )
    content, digest = headers.get("content-digest", ""), headers.get("plumb-message-digest", "")
    try:
        raw = base64.b64decode(signature["value"], validate=True)
    except binascii.Error:
        raise Problem(slug="signature-invalid", detail="Signature 不是正确的 base64") from None
    return SignedRequest(
        key_id=params["keyid"],
        algorithm=algorithm,
        created=int(created),
        nonce=params.get("nonce", ""),
        base=signature_base(target.method, target.uri, content, digest, found["params"]),
        signature=raw,
    )


def check_digests(headers: Mapping[str, str], body: bytes, message: bytes) -> bytes:
    """Content-Digest over the body and Plumb-Message-Digest over the message part; raises
    `digest-mismatch`. The SHA-256 of the message part, for whoever needs it next."""
    digest = b""
    for name, data in (("content-digest", body), ("plumb-message-digest", message)):
        digest = hashlib.sha256(data).digest()
        if headers.get(name) != _digest_member(digest):
            raise Problem(slug="digest-mismatch", detail=f"{name} 与收到的字节不一致")
    return digest


def check_age(created: int, now: float) -> None:
    """Raise `signature-stale` when the signature is older or newer than 300 s; the answer carries our
    Date."""
    if abs(now - created) > MAX_SKEW_S:
        raise Problem(slug="signature-stale", detail=f"签名时间与平台相差 {int(now - created)} 秒")
