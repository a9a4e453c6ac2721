"""Checking a time-stamp token (时间戳核验; RFC 3161, RFC 5652, RFC 5816): the imprint, the signature, the certificate, the dated root.

The token says that a hash existed before its time, and nothing else. Everything it brings is data: whom to believe says the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from plumbline.evidence.attachments import MAX_ATTACHMENT
from plumbline.sdk.pdf.chain import issued_path
from plumbline.sdk.pdf.der import is_strict_der
from plumbline.sdk.timestamp.authority import StampAuthority

_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_SMALLEST_RSA = 2048
#: DER tag of a SET OF
_SET_OF = b"\x31"
#: Certificates that one token may bring.
_MOST_CERTIFICATES = 6
#: An authority that knows its time no better than this attests none.
_WORST_ACCURACY = timedelta(minutes=1)


class StampProblem(ValueError):
    """A token, or an answer of an authority, does not hold. The message is one plain sentence; `code` is for programs."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        self.code, self.zh, self.en = code, zh, en
        super().__init__(zh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a token says once its signature and its chain hold."""

    #: the hash existed before this instant (aware UTC)
    at: datetime
    #: how far off that may be, as the authority states; zero when it states nothing
    accuracy: timedelta
    serial: int
    #: dotted object identifier of the authority's policy
    policy: str
    nonce: int | None
    #: subject of the certificate that signed
    signer: str
    #: the authority of the caller's list whose root it chains to
    authority: StampAuthority


@dataclass(frozen=True, slots=True)
class _Token:
    """The decoded parts of a token, its own signature verified."""

    info: Any
    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]


def verify_token(der: bytes, imprint: bytes, authorities: Sequence[StampAuthority]) -> Stamp:
    """The stamp of a SHA-256 `imprint`; :class:`StampProblem` for whatever does not hold, however the bytes were made.

    ImportError on a computer without the decoder: then nothing is known of the token.
    """
    if not 0 < len(der) <= MAX_ATTACHMENT:
        raise StampProblem("token.size", "时间戳令牌大得不合理，或是空的", "the token is empty or too large")
    try:
        return _stamp(_decoded(der), imprint, authorities)
    except (StampProblem, ImportError):
        raise
    except (
        Exception
    ) as error:  # decoders raise whatever they like on garbage, some of it only when a field is asked for
        raise StampProblem(
            "token.unreadable", "时间戳令牌读不懂", f"the token is not readable ({type(error).__name__})"
        ) from error


def _stamp(token: _Token, imprint: bytes, authorities: Sequence[StampAuthority]) -> Stamp:
    info = token.info
    stated = info["message_imprint"]
    if stated["hash_algorithm"]["algorithm"].native != "sha256":
        raise StampProblem(
            "imprint.algorithm", "时间戳用的不是 SHA-256 摘要", "the imprint is not a SHA-256 digest"
        )
    if stated["hashed_message"].native != imprint:
        raise StampProblem("imprint.other", "时间戳盖的是别的内容", "the time stamp is of something else")
    at: datetime = info["gen_time"].native
    authority = _authority_of(token, at, authorities)
    return Stamp(
        at=at,
        accuracy=_accuracy(info),
        serial=info["serial_number"].native,
        policy=info["policy"].dotted,
        nonce=info["nonce"].native,
        signer=token.signer.subject.rfc4514_string(),
        authority=authority,
    )


def _malformed(what: str) -> StampProblem:
    return StampProblem("token.malformed", "时间戳令牌不合 RFC 3161", f"not a token of RFC 3161: {what}")


def _decoded(der: bytes) -> _Token:
    from asn1crypto import cms, tsp  # type: ignore[import-untyped]

    if not is_strict_der(der):
        raise _malformed("not DER")
    message = cms.ContentInfo.load(der, strict=True)
    if message["content_type"].native != "signed_data":
        raise _malformed("no signed data")
    signed_data = message["content"]
    encapsulated, infos = signed_data["encap_content_info"], signed_data["signer_infos"]
    if encapsulated["content_type"].native != "tst_info" or len(infos) != 1:
        raise _malformed("no time-stamp information, or not one signer")
    _require_plain_frame(signed_data, infos[0])
    content: bytes = encapsulated["content"].contents
    info = tsp.TSTInfo.load(content, strict=True)
    if info["version"].native != "v1" or info["gen_time"].native.tzinfo is None:
        raise _malformed("version or time")
    if any(extension["critical"].native for extension in info["extensions"] or ()):
        raise _malformed("a critical extension that nobody here knows")
    signer, others = _certificates(signed_data, infos[0])
    _require_signed(infos[0], content, signer)
    return _Token(info, signer, others)


def _require_plain_frame(signed_data: Any, info: Any) -> None:
    """What nobody signs is as RFC 5652 §5 has it: no byte of the frame is free."""
    by_serial = info["sid"].name == "issuer_and_serial_number"
    versions = (signed_data["version"].native, info["version"].native)
    digests, mine = signed_data["digest_algorithms"], info["digest_algorithm"]
    if versions != ("v3", "v1" if by_serial else "v3"):
        raise _malformed("version of the frame")
    if mine.dump() not in [each.dump() for each in digests] or len(digests) > len(_DIGESTS):
        raise _malformed("digest algorithms of the frame")
    if any(each["parameters"].dump() not in (b"", b"\x05\x00") for each in (mine, *digests)):
        raise _malformed("parameters of a digest algorithm")
    if len(info["unsigned_attrs"]):
        raise _malformed("attributes that nobody signed")


def _certificates(signed_data: Any, info: Any) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The signer's certificate and the others that the token brings."""
    found = [
        x509.load_der_x509_certificate(choice.chosen.dump())
        for choice in signed_data["certificates"] or ()
        if choice.name == "certificate"
    ]
    if len(found) > _MOST_CERTIFICATES:
        raise _malformed("too many certificates")
    identifier = info["sid"]
    if identifier.name == "issuer_and_serial_number":
        wanted = (identifier.chosen["issuer"].dump(), identifier.chosen["serial_number"].native)
        mine = [each for each in found if (each.issuer.public_bytes(), each.serial_number) == wanted]
    else:
        mine = [each for each in found if _key_identifier(each) == identifier.chosen.native]
    if not mine:
        raise StampProblem(
            "token.no_certificate",
            "时间戳令牌里没有签名者的证书，无法核验",
            "the token does not bring the signer's certificate",
        )
    return mine[0], tuple(each for each in found if each != mine[0])


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _require_signed(info: Any, content: bytes, signer: x509.Certificate) -> None:
    digest = info["digest_algorithm"]["algorithm"].native
    if digest not in _DIGESTS:
        raise StampProblem("token.weak", "时间戳用了不再可靠的摘要算法", f"the token signs over {digest}")
    attributes: dict[str, Any] = {}
    for attribute in info["signed_attrs"]:
        name = attribute["type"].native
        if name in attributes or len(attribute["values"]) != 1:
            raise _malformed(f"attribute {name}")
        attributes[name] = attribute["values"][0]
    if not {"content_type", "message_digest"} <= attributes.keys():
        raise _malformed("signed attributes are missing")
    if attributes["content_type"].native != "tst_info":
        raise _malformed("content type")
    if attributes["message_digest"].native != hashlib.new(digest, content).digest():
        raise StampProblem("token.changed", "时间戳的内容被改过", "the token's content was changed")
    _require_named(attributes, signer)
    # Signed is the DER of the attributes as a SET OF, not with the implicit tag they carry (RFC 5652 §5.4).
    signed = _SET_OF + info["signed_attrs"].dump()[1:]
    _require_signature(info, signed, digest, signer)


def _require_named(attributes: dict[str, Any], signer: x509.Certificate) -> None:
    """The attributes name the certificate by digest (RFC 5816; SHA-1 in the attribute of RFC 3161 itself)."""
    if "signing_certificate_v2" in attributes:
        first = attributes["signing_certificate_v2"]["certs"][0]
        name = first["hash_algorithm"]["algorithm"].native
        expected = signer.fingerprint(_DIGESTS[name]) if name in _DIGESTS else b""
    elif "signing_certificate" in attributes:
        first = attributes["signing_certificate"]["certs"][0]
        expected = signer.fingerprint(hashes.SHA1())  # noqa: S303 - that attribute knows no other digest
    else:
        raise _malformed("the certificate is not named")
    if first["cert_hash"].native != expected:
        raise _malformed("another certificate is named")


def _require_signature(info: Any, signed: bytes, digest: str, signer: x509.Certificate) -> None:
    algorithm, value = info["signature_algorithm"], info["signature"].native
    named = algorithm["algorithm"].native
    hash_name = digest if named in ("ecdsa", "rsassa_pkcs1v15") else algorithm.hash_algo
    key = signer.public_key()
    if hash_name != digest or hash_name not in _DIGESTS:
        raise _malformed("digest and signature algorithm disagree")
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm.signature_algo == "ecdsa":
            key.verify(value, signed, ec.ECDSA(_DIGESTS[digest]))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm.signature_algo == "rsassa_pkcs1v15":
            if key.key_size < _SMALLEST_RSA:
                raise StampProblem("token.weak", "时间戳的密钥太短", "the authority's key is too short")
            key.verify(value, signed, padding.PKCS1v15(), _DIGESTS[digest])
        else:
            raise StampProblem(
                "token.unsupported",
                "时间戳用了本程序不认得的签名算法",
                "the signature algorithm is not supported",
            )
    except InvalidSignature:
        raise StampProblem(
            "token.bad_signature",
            "时间戳的签名不成立：被改过或是伪造的",
            "the token's signature does not hold",
        ) from None


def _authority_of(token: _Token, at: datetime, authorities: Sequence[StampAuthority]) -> StampAuthority:
    """The authority whose root the signer chains to at the token's own time."""
    _require_purpose(token.signer)
    serials = [each.serial_number for each in (token.signer, *token.others)]
    late = False
    for authority in authorities:
        root = x509.load_pem_x509_certificate(authority.root.certificate.encode("ascii"))
        if not issued_path(token.signer, token.others, root, at):
            late = late or _chains_at_some_time(token, root)
            continue
        revoked = authority.root.revocation_of(serials)
        if revoked is not None and revoked.at <= at:
            raise StampProblem(
                "signer.revoked",
                "盖时间戳的证书在那以前已被吊销",
                "the authority's certificate was revoked before",
            )
        if authority.root.accepted_at(at):
            return authority
        late = True
    if late:
        raise StampProblem(
            "signer.expired",
            "盖时间戳时证书不在有效期内，或您那时不接受这个根",
            "the certificate, or your acceptance of its root, did not cover the time of the stamp",
        )
    raise StampProblem(
        "signer.unknown",
        "时间戳不是您信任的机构盖的",
        "the time stamp is not by an authority that you trust",
    )


def _chains_at_some_time(token: _Token, root: x509.Certificate) -> bool:
    moments = (token.signer.not_valid_before_utc, token.signer.not_valid_after_utc)
    return any(issued_path(token.signer, token.others, root, moment) for moment in moments)


def _require_purpose(signer: x509.Certificate) -> None:
    """RFC 3161 §2.3: the certificate is for time stamping alone, and says so critically."""
    try:
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        usage = None
    if usage is None or not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise StampProblem(
            "signer.purpose",
            "签名的证书不是专门用来盖时间戳的",
            "the signer's certificate is not for time stamping alone",
        )


def _accuracy(info: Any) -> timedelta:
    stated = info["accuracy"].native or {}
    parts = [stated.get(unit) or 0 for unit in ("seconds", "millis", "micros")]
    micros = parts[0] * 1_000_000 + parts[1] * 1000 + parts[2]
    if min(parts) < 0 or micros > _WORST_ACCURACY // timedelta(microseconds=1):
        raise StampProblem(
            "token.accuracy",
            "时间戳机构自己说的误差超过一分钟，证明不了时间",
            "the authority states an accuracy worse than a minute",
        )
    return timedelta(microseconds=micros)
