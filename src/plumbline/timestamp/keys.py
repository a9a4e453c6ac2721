"""Keys of a time-stamp authority (时间戳密钥): a root that readers trust, a certificate for time stamping alone, a folder for both."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from plumbline.evidence.note import require_key_name

ROOT_DAYS, SIGNER_DAYS = 20 * 365, 5 * 365
#: X.520 upper bound of a name
_NAME_LENGTH = 64


class AuthorityProblem(RuntimeError):
    """The authority cannot work; the message is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an authority is called."""

    name: str
    trust_domain: str
    #: dotted object identifier
    policy: str


def initialise(folder: Path, *, name: str, trust_domain: str, policy: str = "") -> Settings:
    """Make the keys of a new authority in an empty folder; NoteError for a name that is none, :class:`AuthorityProblem` else."""
    require_key_name(name)
    if not 0 < len(trust_domain) <= _NAME_LENGTH or len(name) > _NAME_LENGTH:
        raise AuthorityProblem(f"名称和信任域各写一行，1 到 {_NAME_LENGTH} 字")
    if folder.exists() and any(folder.iterdir()):
        raise AuthorityProblem(f"{folder} 不是空文件夹")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # An identifier of our own without a registry: ITU-T X.667, 2.25.<UUID>.
    settings = Settings(name=name, trust_domain=trust_domain, policy=policy or f"2.25.{uuid.uuid4().int}")
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name, trust_domain, "时间戳根证书")
    root = (
        _builder(subject, subject, key.public_key(), now, ROOT_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signing=False), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_durably(folder / "root.key.pem", _pem(key))
    write_durably(folder / "root.cert.pem", root.public_bytes(serialization.Encoding.PEM))
    certify_signer(folder, settings)
    told = {"name": name, "trust_domain": trust_domain, "policy": settings.policy}
    write_durably(folder / "authority.json", json.dumps(told, ensure_ascii=False).encode())
    return settings


def certify_signer(folder: Path, settings: Settings) -> None:
    """A new signing key and its certificate; tokens of the former one hold as before."""
    try:
        root_key = serialization.load_pem_private_key((folder / "root.key.pem").read_bytes(), None)
        root = x509.load_pem_x509_certificate((folder / "root.cert.pem").read_bytes())
    except (OSError, ValueError) as error:
        raise AuthorityProblem(f"{folder} 里的根密钥读不了：{error}") from error
    if not isinstance(root_key, ec.EllipticCurvePrivateKey):
        raise AuthorityProblem(f"{folder} 里的根密钥不是 P-256")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(
            _subject(settings.name, settings.trust_domain, "时间戳签名证书"),
            root.subject,
            key.public_key(),
            datetime.now(UTC),
            SIGNER_DAYS,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signing=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    write_durably(folder / "signer.key.pem", _pem(key))
    write_durably(folder / "signer.cert.pem", certificate.public_bytes(serialization.Encoding.PEM))


def read_settings(folder: Path) -> Settings:
    """The settings of a folder; :class:`AuthorityProblem` when it is none."""
    try:
        told = json.loads((folder / "authority.json").read_text("utf-8"))
        return Settings(name=told["name"], trust_domain=told["trust_domain"], policy=told["policy"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuthorityProblem(
            f"{folder} 不是时间戳机构的文件夹，请先执行 plumbline timestamp init"
        ) from error


def root_certificate(folder: Path) -> x509.Certificate:
    """The root that readers put on their list."""
    return x509.load_pem_x509_certificate((folder / "root.cert.pem").read_bytes())


def write_durably(path: Path, data: bytes) -> None:
    """A 0600 file that is whole or as it was."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _subject(name: str, trust_domain: str, kind: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, kind),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signing,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signing,
        crl_sign=not signing,
        encipher_only=False,
        decipher_only=False,
    )
