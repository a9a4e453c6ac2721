"""A certificate authority for demonstrations only, clearly named so (演示根证书)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

from plumbline.lab.keys.keybox import (
    KeyboxError,
    create_folder,
    key_from_pem,
    key_to_pem,
    read_file,
    require_private,
    write_private,
)
from plumbline.sdk.pdf.roots import TrustRoot

#: A demonstration runs under a shifted clock, so its certificates hold for any day that it may show.
DEMO_VALID_FROM = datetime(2020, 1, 1, tzinfo=UTC)
DEMO_VALID_UNTIL = datetime(2040, 1, 1, tzinfo=UTC)
#: id-kp-documentSigning (RFC 9336)
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
ROOT_COMMON_NAME = "准绳演示根证书 DEMO ROOT (NOT FOR REAL REPORTS)"
USCC_PATTERN = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")
#: X.520 upper bound of a common name
COMMON_NAME_LENGTH = 64


@dataclass(frozen=True, eq=False)
class DemoAuthority:
    """A demo root: it certifies keys of demonstration institutions and nothing real (演示根证书)."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, folder: Path) -> DemoAuthority:
        """Make a new demo root in an empty folder; `KeyboxError` if the folder holds anything."""
        create_folder(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certify_root(key)
        write_private(folder / "root.key.pem", key_to_pem(key))
        write_private(folder / "root.cert.pem", certificate.public_bytes(serialization.Encoding.PEM))
        return cls(key, certificate)

    @classmethod
    def load(cls, folder: Path) -> DemoAuthority:
        """Load a demo root; `KeyboxError` when the folder is open to others or incomplete."""
        require_private(folder)
        key = key_from_pem(folder / "root.key.pem")
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyboxError(f"{folder} 里的根密钥不是 P-256。")
        return cls(key, x509.load_pem_x509_certificate(read_file(folder / "root.cert.pem")))

    def as_trust_root(self) -> TrustRoot:
        """Return the entry for the platform's list of accepted roots, of kind `demo`."""
        return demo_trust_root(self.certificate)

    def certify(self, public_key: ec.EllipticCurvePublicKey, name: str, uscc: str) -> x509.Certificate:
        """Certify an institution's report signing key: CN = name, serialNumber = 统一社会信用代码.

        `ValueError` when the name is empty or longer than a common name may be, or the USCC has not the
        form of GB 32100-2015 (the check character is the register's affair).
        """
        if not name or len(name) > COMMON_NAME_LENGTH:
            raise ValueError(f"a certificate's common name has 1..{COMMON_NAME_LENGTH} characters")
        if not USCC_PATTERN.fullmatch(uscc):
            raise ValueError(f"not a unified social credit code: {uscc!r}")
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, uscc),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        builder = (
            _builder(subject, self.certificate.subject, public_key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signing=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        return builder.sign(self.key, hashes.SHA256())


def demo_trust_root(certificate: x509.Certificate) -> TrustRoot:
    """Wrap a demo root certificate as an accepted root of kind `demo`, for its own period."""
    return TrustRoot(
        name="准绳演示根证书",
        certificate=certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        kind="demo",
        valid_from=certificate.not_valid_before_utc,
        until=certificate.not_valid_after_utc,
        source="演示环境自建，不用于真实报告",
    )


def _certify_root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "准绳演示 DEMO"),
            x509.NameAttribute(NameOID.COMMON_NAME, ROOT_COMMON_NAME),
        ]
    )
    builder = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signing=False), critical=True)
    )
    return builder.sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(DEMO_VALID_FROM)
        .not_valid_after(DEMO_VALID_UNTIL)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signing: bool) -> x509.KeyUsage:
    """Key usage of a document signer, or of a root (RFC 5280 §4.2.1.3)."""
    return x509.KeyUsage(
        digital_signature=signing,
        content_commitment=signing,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signing,
        crl_sign=not signing,
        encipher_only=False,
        decipher_only=False,
    )
