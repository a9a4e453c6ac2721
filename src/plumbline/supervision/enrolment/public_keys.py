"""Public keys as applicants paste them (公钥): PEM or JWK, Ed25519 or P-256, with a proof that the private half is theirs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from plumbline.exchange.signatures import verify

MAX_TEXT = 4000
#: What is signed: this line, then the challenge as it is shown.
PROOF_PREFIX = "plumb/key-enrolment/v1\n"
#: What an old key signs to be replaced: this line, the challenge, a line end, the new key's signature as it was typed. So it speaks
#: for that one new key, and a signature made for an application is none for this.
ROTATION_PREFIX = "plumb/key-rotation/v1\n"
PRIVATE = "贴进来的是私钥。它已经离开了您的机器，请立即作废：重新生成一对密钥，只贴公钥。这里没有保存它。"
_P = 2**255 - 19
#: y coordinates of the points of small order: anybody can sign for such a key.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _P - 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
        ),
    }
)
#: Public halves whose private halves stand in standards (RFC 8032 §7.1, RFC 7517, RFC 8037): SHA-256 of the raw bytes.
_PUBLISHED = frozenset(
    hashlib.sha256(bytes.fromhex(text)).hexdigest()
    for text in (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
    )
)


class KeyRefused(ValueError):
    """A text that is no key which can be enrolled; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key in the one form in which it is stored: 32 raw bytes, or the uncompressed point."""

    algorithm: str
    material: bytes

    def encodings(self) -> list[bytes]:
        """Every form in which the same key may stand on record."""
        if self.algorithm == "ed25519":
            return [self.material]
        loaded = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.material)
        der = loaded.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return [self.material, der]

    def key_id(self, use: str) -> str:
        """The name under which it is enrolled, derived from the key itself."""
        return f"{use}:{hashlib.sha256(self.material).hexdigest()[:16]}"


def parse_public_key(text: str) -> PublicKey:
    """The key of a pasted PEM or JWK; raises :class:`KeyRefused`."""
    pasted = text.strip()
    if not pasted:
        raise KeyRefused("请贴公钥：PEM 或 JWK")
    if "PRIVATE KEY" in pasted.upper():
        raise KeyRefused(PRIVATE)
    if len(pasted) > MAX_TEXT:
        raise KeyRefused(f"太长：公钥不会超过 {MAX_TEXT} 个字符，请只贴一把公钥")
    key = _from_jwk(pasted) if pasted.startswith("{") else _from_pem(pasted)
    _require_strong(key)
    return key


def _from_pem(pasted: str) -> PublicKey:
    if "BEGIN CERTIFICATE" in pasted:
        raise KeyRefused("贴的是证书。请贴公钥：openssl x509 -pubkey -noout -in 证书.pem")
    if pasted.startswith(("ssh-", "ecdsa-sha2-")):
        raise KeyRefused("这是 SSH 格式。请用 openssl 生成密钥，贴 PEM 公钥")
    if "BEGIN PUBLIC KEY" not in pasted:
        raise KeyRefused("读不出公钥：PEM 以 -----BEGIN PUBLIC KEY----- 开头，JWK 以 { 开头")
    try:
        loaded = serialization.load_pem_public_key(pasted.encode())
    except (ValueError, UnsupportedAlgorithm, UnicodeEncodeError):
        raise KeyRefused("PEM 读不出来：请完整复制，包括首尾两行") from None
    if isinstance(loaded, ed25519.Ed25519PublicKey):
        raw = loaded.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return PublicKey("ed25519", raw)
    if isinstance(loaded, ec.EllipticCurvePublicKey) and isinstance(loaded.curve, ec.SECP256R1):
        return PublicKey("p256", _point(loaded))
    if isinstance(loaded, rsa.RSAPublicKey):
        raise KeyRefused(f"这是 {loaded.key_size} 位 RSA 密钥，平台不收。请生成 Ed25519 或 P-256 密钥")
    raise KeyRefused("这种密钥平台不收。请生成 Ed25519 或 P-256（prime256v1）密钥")


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _from_jwk(pasted: str) -> PublicKey:
    try:
        read = json.loads(pasted)
    except (ValueError, RecursionError):
        raise KeyRefused("JWK 读不出来：不是正确的 JSON") from None
    if not isinstance(read, dict):
        raise KeyRefused("JWK 应是一个 JSON 对象")
    if {"d", "k", "p", "q"} & read.keys():
        raise KeyRefused(PRIVATE)
    try:
        if (read.get("kty"), read.get("crv")) == ("OKP", "Ed25519"):
            raw = _number(read, "x")
            ed25519.Ed25519PublicKey.from_public_bytes(raw)
            return PublicKey("ed25519", raw)
        if (read.get("kty"), read.get("crv")) == ("EC", "P-256"):
            point = b"\x04" + _number(read, "x") + _number(read, "y")
            return PublicKey(
                "p256", _point(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
            )
    except (ValueError, TypeError):
        raise KeyRefused("JWK 里的 x、y 不对：各 32 字节，base64url，不带等号") from None
    raise KeyRefused("平台收 kty OKP、crv Ed25519，或 kty EC、crv P-256 的 JWK")


def _number(read: dict[str, object], name: str) -> bytes:
    text = str(read.get(name, ""))
    raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    if len(raw) != 32:
        raise ValueError(name)
    return raw


def _require_strong(key: PublicKey) -> None:
    if key.algorithm == "ed25519":
        y = int.from_bytes(key.material, "little") & (2**255 - 1)
        if y % _P in _SMALL_ORDER or y >= _P:
            raise KeyRefused("这把密钥太弱：谁都能替它签名。请重新生成")
    if hashlib.sha256(key.material).hexdigest() in _PUBLISHED:
        raise KeyRefused("这是标准文本里公开的示例密钥，私钥人人知道。请自己生成一对")


def proves(key: PublicKey, challenge: str, signature: str) -> bool:
    """Whether the text is the signature of the key over the challenge: base64, for P-256 DER or r ‖ s."""
    return _has_signed(key, PROOF_PREFIX + challenge, signature)


def gives_way(key: PublicKey, challenge: str, new_proof: str, signature: str) -> bool:
    """Whether the old key has signed that the new one, known by its own signature, takes its place."""
    return _has_signed(key, f"{ROTATION_PREFIX}{challenge}\n{''.join(new_proof.split())}", signature)


def _has_signed(key: PublicKey, text: str, signature: str) -> bool:
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    signed = text.encode("utf-8", "replace")
    if key.algorithm == "p256" and len(raw) != 64:
        try:
            r, s = decode_dss_signature(raw)
            raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        except (ValueError, OverflowError):
            return False
    return verify(key.algorithm, key.material, signed, raw)
