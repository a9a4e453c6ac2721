"""The verifier's own trust (信任根): log keys, code issuers' keys and certificate roots, from files that the caller names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509

from plumbline.evidence.checkpoint import parse_cosigner, parse_verifier
from plumbline.sdk.anchor.trust import USE as ANCHOR
from plumbline.sdk.anchor.trust import TrustedContract, contract_from_line
from plumbline.sdk.pdf.roots import RootKind, TrustRoot, root_from_document
from plumbline.sdk.timestamp.authority import (
    USE,
    StampAuthority,
    authority_from_document,
    authority_from_line,
)

#: First word of a line on a cosigner's key that is accepted no longer.
RETIRED = "retired-cosigner"
#: A root that calls itself so is a demonstration root, whatever the caller thinks of it.
_DEMO_WORDS = ("DEMO", "演示")


@dataclass(slots=True)
class Trust:
    """What the caller trusts. Code keys are (id, algorithm, base64 of the public key); cosigners are vkeys with their trust domain."""

    log_keys: list[str] = field(default_factory=list)
    code_keys: list[tuple[str, str, str]] = field(default_factory=list)
    roots: list[TrustRoot] = field(default_factory=list)
    cosigners: dict[str, str] = field(default_factory=dict)
    #: when a cosigner's key was retired, by vkey
    ended: dict[str, datetime] = field(default_factory=dict)
    #: who is believed about time
    authorities: list[StampAuthority] = field(default_factory=list)
    #: contracts that are believed to hold the operator's checkpoints
    contracts: list[TrustedContract] = field(default_factory=list)

    def add_key(self, vkey: str, domain: str = "") -> None:
        """A log's key, or a cosigner's with its trust domain. NoteError for a vkey that is none."""
        if not parse_verifier(vkey).is_cosigner:
            self.log_keys.append(vkey)
        elif domain or vkey not in self.cosigners:
            self.cosigners[vkey] = domain

    def end_key(self, vkey: str, at: datetime, domain: str) -> None:
        """A cosigner's key that was retired. Where files say several times the latest counts. NoteError for a vkey that is none."""
        parse_cosigner(vkey)
        self.add_key(vkey, domain)
        self.ended[vkey] = max(at, self.ended.get(vkey, at))

    def domain_of(self, name: str) -> str:
        """Trust domain of a cosigner by its key name; empty when the caller named none, all of them when its keys have several."""
        told = [domain for key, domain in self.cosigners.items() if key.startswith(f"{name}+") and domain]
        return "、".join(dict.fromkeys(told))


def read_trust(files: Sequence[str], log_keys: Sequence[str] = ()) -> Trust:
    """Trust from `trust.txt` files, root certificates (PEM), dated roots (JSON, as the platform keeps them), and folders of these.

    A line of `trust.txt` is a vkey, `cosigner <vkey> <trust domain>`,
    `retired-cosigner <vkey> <instant> <trust domain>`, `code <id> <algorithm> <key>`,
    `timestamp <name> <certificate> <trust domain>` or `anchor <name> <chain id> <address> <trust domain>`.
    ValueError for a file that is none of them, OSError for one that cannot be read.
    """
    trust = Trust()
    for key in log_keys:
        trust.add_key(key.strip())
    for name in files:
        path = Path(name)
        for each in sorted(path.iterdir()) if path.is_dir() else [path]:
            # What was named is read, or it is said why not: passed over in silence, its roots would be missing unnoticed.
            if each == path or (each.is_file() and each.suffix in {".txt", ".pem", ".json"}):
                _read_file(each, trust)
    return trust


def _read_file(path: Path, trust: Trust) -> None:
    text = path.read_text("utf-8")
    if text.lstrip().startswith("{"):
        _read_dated(text, trust)
    elif "-----BEGIN CERTIFICATE-----" in text:
        trust.roots += [pem_root(each, str(path)) for each in x509.load_pem_x509_certificates(text.encode())]
    elif not _read_lines(text, trust):
        raise ValueError(f"{path}：不是 trust.txt、根证书（PEM）或根证书清单（JSON）")


def _read_lines(text: str, trust: Trust) -> int:
    """How many lines were keys; empty lines and lines that begin with # are passed over."""
    found = 0
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 4 and parts[0] == "code":
            trust.code_keys.append((parts[1], parts[2], parts[3]))
        elif len(parts) >= 2 and parts[0] == USE:
            trust.authorities.append(authority_from_line(line))
        elif len(parts) >= 2 and parts[0] == ANCHOR:
            trust.contracts.append(contract_from_line(line))
        elif len(parts) >= 2 and parts[0] == RETIRED:
            trust.end_key(parts[1], _instant(" ".join(parts[2:3])), " ".join(parts[3:]))
        elif len(parts) >= 2 and parts[0] == "cosigner":
            trust.add_key(parts[1], " ".join(parts[2:]))
        elif len(parts) == 1 and parts[0].count("+") >= 2:
            trust.add_key(parts[0])
        else:
            found -= bool(parts) and not line.startswith("#")
        found += bool(parts) and not line.startswith("#")
    return found


def _instant(text: str) -> datetime:
    """ValueError for what is no time, or a time of no zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 2000 <= at.year < 2100:
        raise ValueError(f"停用时间 {text[:40]!r} 读不懂：写带时区的时间，如 2026-05-01T12:00:00+00:00")
    return at


def pem_root(certificate: x509.Certificate, source: str) -> TrustRoot:
    """A certificate that the caller trusts for as long as it is valid; a demonstration root by its name."""
    from cryptography.hazmat.primitives.serialization import Encoding

    subject = certificate.subject.rfc4514_string()
    kind: RootKind = "demo" if any(word in subject for word in _DEMO_WORDS) else "licensed"
    return TrustRoot(
        name=subject,
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        kind=kind,
        valid_from=certificate.not_valid_before_utc,
        until=certificate.not_valid_after_utc,
        source=source,
    )


def _read_dated(text: str, trust: Trust) -> None:
    """A dated root: of signatures, or of time stamps alone when it says so."""
    try:
        document = json.loads(text)
        if document.get("use") == USE:
            trust.authorities.append(authority_from_document(document))
        else:
            trust.roots.append(root_from_document(document))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"根证书清单缺少 {error}") from error
