"""CMS objects over the signed part of a file (签章数据), sound ones and any other, put in the place that the file keeps for them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import algos, cms, tsp  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from plumbline.drill.hostile_pdf.identities import Identity
from plumbline.sdk.pdf.envelope import Envelope, find_envelope

HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303 - the weak hash is what the drill must see refused
    "sha1": hashes.SHA1(),  # noqa: S303 - the weak hash is what the drill must see refused
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_STATED = re.compile(rb"/M\s*\(D(?::|\\072)(\d{14})(Z|[+-]\d\d'\d\d'?)\)")
Change = Callable[[Any], None]


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a CMS object is made; the plain one is as the verifier asks for."""

    digest: str = "sha256"
    #: digest that the signature itself uses, where it is another
    signature_digest: str | None = None
    #: certificates beside those of the path
    more: Sequence[x509.Certificate] = ()
    #: changes of the signed attributes before they are signed
    before: Change | None = None
    #: changes of the finished SignedData
    after: Change | None = None


def envelope_of(pdf: bytes) -> Envelope:
    """The place of the first signature; `ValueError` without one."""
    found = find_envelope(pdf)
    if found is None:
        raise ValueError("no signature in the file")
    return found


def hole_of(pdf: bytes) -> tuple[int, int]:
    """Where the hex text of the CMS object stands, without its angle brackets."""
    _, length, second, _ = envelope_of(pdf).byte_range
    return length + 1, second - 1


def put(pdf: bytes, der: bytes) -> bytes:
    """The file with this CMS object."""
    start, end = hole_of(pdf)
    text = der.hex().encode("ascii")
    if len(text) > end - start:
        raise ValueError("the CMS object is too long for its place")
    return pdf[:start] + text.ljust(end - start, b"0") + pdf[end:]


def held_in(pdf: bytes) -> bytes:
    """The CMS object of the file."""
    found = envelope_of(pdf).cms
    if found is None:
        raise ValueError("no CMS object in the file")
    return found


def sealed(pdf: bytes, identity: Identity, manner: Manner | None = None) -> bytes:
    """The file signed anew by `identity`, everything else as it stands."""
    first, second = envelope_of(pdf).signed_bytes(pdf)
    return put(pdf, cms_over(first + second, identity, manner or Manner()))


def dated(pdf: bytes, moment: datetime) -> bytes:
    """The file with another signing time; the signature has to be made anew."""
    text = b"%sZ" % moment.strftime("%Y%m%d%H%M%S").encode("ascii")
    found = _STATED.search(pdf, envelope_of(pdf).byte_range[1] - 4096)
    if found is None:
        raise ValueError("no signing time in the file")
    return pdf[: found.start(1)] + text + pdf[found.start(1) + len(text) :]


def changed_cms(pdf: bytes, change: Change) -> bytes:
    """The file with its CMS object changed and not signed again."""
    message = cms.ContentInfo.load(held_in(pdf))
    change(message["content"])
    return put(pdf, message.dump())


def cms_over(content: bytes, identity: Identity, manner: Manner) -> bytes:
    """A detached CMS signature over `content`, DER."""
    certificate = _as_asn1(identity.certificate)
    attributes = _attributes(content, identity, manner)
    if manner.before:
        manner.before(attributes)
    algorithm, signature = _signature(attributes.dump(), identity, manner)
    info = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                name="issuer_and_serial_number",
                value=cms.IssuerAndSerialNumber(
                    {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                ),
            ),
            "digest_algorithm": {"algorithm": manner.digest},
            "signed_attrs": attributes,
            "signature_algorithm": algorithm,
            "signature": signature,
        }
    )
    chain = [identity.certificate, *identity.between, *manner.more]
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": manner.digest}],
            "encap_content_info": {"content_type": "data"},
            "certificates": [cms.CertificateChoices("certificate", _as_asn1(each)) for each in chain],
            "signer_infos": [info],
        }
    )
    if manner.after:
        manner.after(signed)
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def _attributes(content: bytes, identity: Identity, manner: Manner) -> Any:
    fingerprint = identity.certificate.fingerprint(hashes.SHA256())
    named = tsp.SigningCertificateV2({"certs": [{"cert_hash": fingerprint}]})
    digest = hashlib.new(manner.digest, content).digest()
    return cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [digest]}),
            cms.CMSAttribute({"type": "signing_certificate_v2", "values": [named]}),
        ]
    )


def _signature(signed: bytes, identity: Identity, manner: Manner) -> tuple[Any, bytes]:
    name = manner.signature_digest or manner.digest
    hashing = HASHES[name]
    if isinstance(identity.key, ec.EllipticCurvePrivateKey):
        # No name is registered for ECDSA with MD5: what is signed there is signed with SHA-256.
        known = name if name != "md5" else "sha256"
        return (
            algos.SignedDigestAlgorithm({"algorithm": f"{known}_ecdsa"}),
            identity.key.sign(signed, ec.ECDSA(HASHES[known])),
        )
    return (
        algos.SignedDigestAlgorithm({"algorithm": f"{name}_rsa"}),
        identity.key.sign(signed, padding.PKCS1v15(), hashing),
    )


def _as_asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
