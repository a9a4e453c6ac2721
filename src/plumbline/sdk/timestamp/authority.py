"""Whom the reader believes about time (受信任的时间戳机构): a name, a trust domain and a dated root, from the reader's own list."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from plumbline.evidence.note import require_key_name
from plumbline.sdk.pdf.roots import TrustRoot, root_as_document, root_from_document

#: `use` of a dated root that vouches for time and for nothing else.
USE = "timestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAuthority:
    """One authority: its tokens are believed when they chain to its root, at a time at which the root is accepted."""

    #: as in the line of a checkpoint; no space, no plus sign
    name: str
    #: who runs it
    trust_domain: str
    root: TrustRoot


def authority_of(name: str, trust_domain: str, certificate: x509.Certificate, source: str) -> StampAuthority:
    """An authority that is believed for as long as its root certificate is valid; NoteError for a name that is none."""
    root = TrustRoot(
        name=trust_domain,
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        kind="licensed",
        valid_from=certificate.not_valid_before_utc,
        until=certificate.not_valid_after_utc,
        source=source,
    )
    return StampAuthority(name=require_key_name(name), trust_domain=trust_domain, root=root)


def authority_from_line(line: str) -> StampAuthority:
    """From `timestamp <name> <certificate, base64 of its DER> <trust domain>`; ValueError for anything else."""
    parts = line.split(maxsplit=3)
    if len(parts) < 3 or parts[0] != USE:
        raise ValueError("时间戳机构一行要写：timestamp 名称 根证书（DER 的 base64） 信任域")
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(parts[2], validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"时间戳机构 {parts[1]} 的根证书读不懂") from error
    return authority_of(parts[1], parts[3] if len(parts) > 3 else "", certificate, "trust.txt")


def authority_as_line(authority: StampAuthority) -> str:
    """The line of `trust.txt`."""
    certificate = x509.load_pem_x509_certificate(authority.root.certificate.encode())
    der = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
    return f"{USE} {authority.name} {der} {authority.trust_domain}".rstrip()


def authority_from_document(document: Mapping[str, Any]) -> StampAuthority:
    """From a dated root with `"use": "timestamp"`, `authority` and `trust_domain`; KeyError, TypeError or ValueError for anything else."""
    return StampAuthority(
        name=require_key_name(document["authority"]),
        trust_domain=str(document["trust_domain"]),
        root=root_from_document(document),
    )


def authority_as_document(authority: StampAuthority) -> dict[str, Any]:
    """The JSON object in which a dated authority is kept."""
    return root_as_document(authority.root) | {
        "use": USE,
        "authority": authority.name,
        "trust_domain": authority.trust_domain,
    }
