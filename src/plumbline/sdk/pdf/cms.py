"""The CMS object of a PAdES signature, checked strictly (签章数据; RFC 5652, RFC 5035, EN 319 122-1).

"Strictly" means that no byte of it is free: lengths are minimal, there are no unsigned attributes, every
certificate is on the path, and digest and signature algorithm agree.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from plumbline.sdk.pdf.der import is_strict_der

_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_SIGNED_ATTRIBUTES = {
    "content_type",
    "message_digest",
    "signing_certificate_v2",
    "signing_time",
    "cms_algorithm_protection",
}
_SMALLEST_RSA = 2048
#: DER tag of a SET OF
_SET_OF = b"\x31"


class CmsProblemError(Exception):
    """签章数据不合要求; the code is one of `problems.SENTENCES`."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class SignedContent:
    """What a CMS signature says once its own signature has been verified."""

    signer: x509.Certificate
    #: the other certificates in it
    others: tuple[x509.Certificate, ...]


def verify_cms(der: bytes, parts: tuple[bytes, bytes]) -> SignedContent:
    """Verify that `der` is a well-formed signature over `parts` by the certificate it holds.

    Whether that certificate is trusted is not decided here. `CmsProblemError` when anything fails; other
    exceptions may come from the decoders on garbage and are the caller's to catch.
    """
    # The names of the RFC 5035 attributes come with the second module.
    from asn1crypto import cms as asn1_cms  # type: ignore[import-untyped]
    from asn1crypto import tsp as _  # noqa: F401

    message = asn1_cms.ContentInfo.load(der, strict=True)
    if message["content_type"].native != "signed_data" or not is_strict_der(der):
        raise CmsProblemError("bad_container")
    signed_data = message["content"]
    info = _only_signer(signed_data)
    # Signed is the DER of the attributes as a SET OF, not with the implicit tag they carry (RFC 5652 §5.4). Taken before they are
    # looked into: these are the bytes of the file.
    signed = _SET_OF + info["signed_attrs"].dump()[1:]
    digest = info["digest_algorithm"]["algorithm"].native
    if digest not in _DIGESTS:
        raise CmsProblemError("weak_digest")
    attributes = _signed_attributes(info)
    if attributes["message_digest"].native != hashlib.new(digest, parts[0] + parts[1]).digest():
        raise CmsProblemError("changed")
    signer, others = _certificates(signed_data, info)
    _require_certificate_attribute(attributes["signing_certificate_v2"], signer)
    _verify_signature(info, signed, digest, signer)
    return SignedContent(signer, others)


def _only_signer(signed_data: Any) -> Any:
    encapsulated = signed_data["encap_content_info"]
    digests = signed_data["digest_algorithms"]
    infos = signed_data["signer_infos"]
    plain = (
        signed_data["version"].native == "v1"
        and encapsulated["content_type"].native == "data"
        and encapsulated["content"].native is None
        and not signed_data["crls"].native
        and len(infos) == 1
        and len(digests) == 1
    )
    if not plain:
        raise CmsProblemError("bad_container")
    info = infos[0]
    same_digest = digests[0].dump() == info["digest_algorithm"].dump()
    if info["version"].native != "v1" or not same_digest or not _no_parameters(info["digest_algorithm"]):
        raise CmsProblemError("bad_container")
    if info["unsigned_attrs"].native:
        raise CmsProblemError("bad_container")
    return info


def _no_parameters(algorithm: Any) -> bool:
    return algorithm["parameters"].dump() in (b"", b"\x05\x00")


def _signed_attributes(info: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in info["signed_attrs"]:
        name = attribute["type"].native
        if name not in _SIGNED_ATTRIBUTES or name in found or len(attribute["values"]) != 1:
            raise CmsProblemError("bad_container")
        found[name] = attribute["values"][0]
    if not {"content_type", "message_digest", "signing_certificate_v2"} <= found.keys():
        raise CmsProblemError("bad_container")
    if found["content_type"].native != "data":
        raise CmsProblemError("bad_container")
    return found


def _certificates(signed_data: Any, info: Any) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    identifier = info["sid"]
    if identifier.name != "issuer_and_serial_number" or len(signed_data["certificates"]) > 5:
        raise CmsProblemError("bad_container")
    wanted = (identifier.chosen["issuer"].dump(), identifier.chosen["serial_number"].native)
    signers: list[x509.Certificate] = []
    others: list[x509.Certificate] = []
    for choice in signed_data["certificates"]:
        if choice.name != "certificate":
            raise CmsProblemError("bad_container")
        certificate = x509.load_der_x509_certificate(choice.chosen.dump())
        mine = (certificate.issuer.public_bytes(), certificate.serial_number) == wanted
        (signers if mine else others).append(certificate)
    if len(signers) != 1:
        raise CmsProblemError("bad_container")
    return signers[0], tuple(others)


def _require_certificate_attribute(attribute: Any, signer: x509.Certificate) -> None:
    """The signed attributes name the certificate by digest (RFC 5035): another one cannot take its place."""
    first = attribute["certs"][0]
    name = first["hash_algorithm"]["algorithm"].native
    if name not in _DIGESTS or first["cert_hash"].native != signer.fingerprint(_DIGESTS[name]):
        raise CmsProblemError("bad_container")


def _verify_signature(info: Any, signed: bytes, digest: str, signer: x509.Certificate) -> None:
    algorithm = info["signature_algorithm"]
    if algorithm.signature_algo in ("ecdsa", "rsassa_pkcs1v15") and not _no_parameters(algorithm):
        raise CmsProblemError("bad_container")
    if algorithm["algorithm"].native in ("ecdsa", "rsassa_pkcs1v15"):
        hash_name = digest
    else:
        hash_name = algorithm.hash_algo
    if hash_name != digest:
        raise CmsProblemError("bad_container")
    key, value, hashing = signer.public_key(), info["signature"].native, _DIGESTS[digest]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm.signature_algo == "ecdsa":
            key.verify(value, signed, ec.ECDSA(hashing))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm.signature_algo == "rsassa_pkcs1v15":
            if key.key_size < _SMALLEST_RSA:
                raise CmsProblemError("weak_digest")
            key.verify(value, signed, padding.PKCS1v15(), hashing)
        else:
            raise CmsProblemError("unsupported")
    except InvalidSignature:
        raise CmsProblemError("bad_signature") from None
