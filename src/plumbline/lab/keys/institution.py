"""One institution's keys: report signing, message origin, devices (机构密钥: 报告签章、数据来源、设备)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from plumbline.lab.keys.authority import DemoAuthority, demo_trust_root
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

_DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, eq=False)
class InstitutionKeys:
    """The loaded key folder of one institution (机构密钥盒); its files are read once, by `load`.

    Layout: `report.key.pem`, `report.cert.pem`, `root.cert.pem` (PAdES), `origin.key.pem` (Ed25519, signs
    messages) and `devices/<name>.key.pem` (Ed25519, one for each press or gauge).
    """

    folder: Path
    #: P-256, signs reports (检测报告签名)
    report_key: ec.EllipticCurvePrivateKey
    #: certificate of `report_key`
    certificate: x509.Certificate
    #: root that issued `certificate`
    root: x509.Certificate
    #: signs the institution's messages
    origin: ed25519.Ed25519PrivateKey

    @classmethod
    def create_demo(
        cls,
        folder: Path,
        name: str,
        uscc: str,
        *,
        authority: DemoAuthority | None = None,
        devices: Sequence[str] = (),
    ) -> InstitutionKeys:
        """Make a complete demo key folder for the institution `name` with 统一社会信用代码 `uscc`.

        Without `authority` a demo root of its own is made in `folder/demo-root`. `KeyboxError` when the
        folder holds anything, `ValueError` when name, code or a device's name has not the right form.
        """
        create_folder(folder)
        issuer = authority or DemoAuthority.create(folder / "demo-root")
        report_key = ec.generate_private_key(ec.SECP256R1())
        certificate = issuer.certify(report_key.public_key(), name, uscc)
        write_private(folder / "report.key.pem", key_to_pem(report_key))
        write_private(folder / "report.cert.pem", certificate.public_bytes(serialization.Encoding.PEM))
        write_private(folder / "root.cert.pem", issuer.certificate.public_bytes(serialization.Encoding.PEM))
        write_private(folder / "origin.key.pem", key_to_pem(ed25519.Ed25519PrivateKey.generate()))
        keys = cls.load(folder)
        for device in devices:
            keys.add_device(device)
        return keys

    @classmethod
    def load(cls, folder: Path) -> InstitutionKeys:
        """Load a key folder; `KeyboxError` when it is open to others, incomplete or inconsistent."""
        require_private(folder)
        report_key = key_from_pem(folder / "report.key.pem")
        origin = key_from_pem(folder / "origin.key.pem")
        if not isinstance(report_key, ec.EllipticCurvePrivateKey):
            raise KeyboxError(f"{folder} 里的报告签名密钥不是 P-256。")
        if not isinstance(origin, ed25519.Ed25519PrivateKey):
            raise KeyboxError(f"{folder} 里的数据来源密钥不是 Ed25519。")
        certificate = x509.load_pem_x509_certificate(read_file(folder / "report.cert.pem"))
        if certificate.public_key() != report_key.public_key():
            raise KeyboxError(f"{folder} 里的证书和报告签名密钥不是一对。")
        root = x509.load_pem_x509_certificate(read_file(folder / "root.cert.pem"))
        return cls(folder, report_key, certificate, root, origin)

    @property
    def name(self) -> str:
        """The institution's name as certified (CN)."""
        return _subject_value(self.certificate, NameOID.COMMON_NAME)

    @property
    def uscc(self) -> str:
        """The institution's 统一社会信用代码 as certified (serialNumber)."""
        return _subject_value(self.certificate, NameOID.SERIAL_NUMBER)

    @property
    def is_demo(self) -> bool:
        """Whether the certificate comes from a root that calls itself DEMO (演示证书)."""
        return "DEMO" in _subject_value(self.root, NameOID.COMMON_NAME)

    @cached_property
    def devices(self) -> dict[str, ed25519.Ed25519PrivateKey]:
        """Keys of the institution's devices by name (设备密钥)."""
        found: dict[str, ed25519.Ed25519PrivateKey] = {}
        for path in sorted((self.folder / "devices").glob("*.key.pem")):
            key = key_from_pem(path)
            if isinstance(key, ed25519.Ed25519PrivateKey):
                found[path.name.removesuffix(".key.pem")] = key
        return found

    def add_device(self, device: str) -> ed25519.Ed25519PrivateKey:
        """Make the key of a new device; `ValueError` for a bad name, `KeyboxError` when it has one."""
        if not _DEVICE_NAME.fullmatch(device):
            raise ValueError(f"a device's name is 1..64 letters, digits, dot, dash or underscore: {device!r}")
        key = ed25519.Ed25519PrivateKey.generate()
        (self.folder / "devices").mkdir(mode=0o700, exist_ok=True)
        write_private(self.folder / "devices" / f"{device}.key.pem", key_to_pem(key))
        self.devices[device] = key
        return key

    def export_root(self) -> TrustRoot:
        """Return the issuing root as the platform lists it: a demo root of kind `demo`.

        `KeyboxError` for a root that is no demo root: whether a licensed one is accepted is decided on the
        platform's list, not by the institution that uses it.
        """
        if not self.is_demo:
            raise KeyboxError("这不是演示根证书；正式根证书由平台的清单决定是否接受。")
        return demo_trust_root(self.root)


def public_bytes(key: ed25519.Ed25519PrivateKey) -> bytes:
    """Return the raw 32 bytes of an Ed25519 public key (RFC 8032), as key registers hold it."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _subject_value(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    values = certificate.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if values else ""
