"""Keys and certificates of the drill (密钥与证书): honest institutions, strangers who bear their names, and broken certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

from plumbline.sdk.pdf.roots import RootKind, TrustRoot

NAME, USCC = "衡川市准信建设工程检测有限公司", "91350100M000100Y43"
OTHER_NAME, OTHER_USCC = "衡川市远大工程检测有限公司", "91350100M000100Y52"
SIGNED_AT = datetime(2025, 3, 3, 2, 5, tzinfo=UTC)
#: A root that the verifier's list drops on this day.
ENDED_AT = datetime(2024, 7, 1, tzinfo=UTC)
_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
_PRIVATE = ObjectIdentifier("1.3.6.1.4.1.99999.1")

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, eq=False)
class Identity:
    """A key and its certificate, with those that stand between it and its root."""

    key: Key
    certificate: x509.Certificate
    between: tuple[x509.Certificate, ...] = ()

    @property
    def name(self) -> str:
        """As certified."""
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def new_key() -> ec.EllipticCurvePrivateKey:
    """P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def subject(name: str, uscc: str | None = None, *, twice: bool = False) -> x509.Name:
    """A name as institutions and authorities bear it; `twice` holds the common name two times."""
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
    ]
    if uscc is not None:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, uscc))
    parts += [x509.NameAttribute(NameOID.COMMON_NAME, name)] * (2 if twice else 1)
    return x509.Name(parts)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a certificate is to say."""

    subject: x509.Name
    is_ca: bool = False
    path_length: int | None = None
    signs_documents: bool = True
    signs_certificates: bool = False
    not_before: datetime = _FROM
    not_after: datetime = _UNTIL
    unknown_critical: bool = False


def authority(name: str, issuer: Identity | None = None, path_length: int | None = None) -> Identity:
    """A root, or an authority below `issuer`."""
    wish = Wish(
        subject=subject(name),
        is_ca=True,
        path_length=path_length,
        signs_documents=False,
        signs_certificates=True,
    )
    return certified(issuer, wish)


def institution(
    issuer: Identity, name: str = NAME, uscc: str | None = USCC, key: Key | None = None, **other: object
) -> Identity:
    """An institution under `issuer`; `other` are further wishes."""
    wish = Wish(subject=subject(name, uscc))
    return certified(issuer, replace(wish, **other), key)  # type: ignore[arg-type]


def certified(issuer: Identity | None, wish: Wish, key: Key | None = None) -> Identity:
    """A certificate as wished, by `issuer` or by itself."""
    own = key or new_key()
    signer = issuer.key if issuer else own
    builder = (
        x509.CertificateBuilder()
        .subject_name(wish.subject)
        .issuer_name(issuer.certificate.subject if issuer else wish.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.not_before)
        .not_valid_after(wish.not_after)
        .add_extension(
            x509.BasicConstraints(wish.is_ca, wish.path_length if wish.is_ca else None), critical=True
        )
        .add_extension(_usage(wish), critical=True)
    )
    if wish.unknown_critical:
        builder = builder.add_extension(x509.UnrecognizedExtension(_PRIVATE, b"\x05\x00"), critical=True)
    certificate = builder.sign(signer, hashes.SHA256())
    # What stands between: the issuer and those above it, but never the root.
    above = (issuer.certificate, *issuer.between) if issuer and not _is_root(issuer.certificate) else ()
    return Identity(own, certificate, above)


def trusted(
    identity: Identity,
    kind: RootKind = "demo",
    name: str = "",
    until: datetime | None = None,
    **other: Sequence[object],
) -> TrustRoot:
    """The root's line in the verifier's list."""
    pem = identity.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
    certificate = identity.certificate
    return TrustRoot(
        name=name or identity.name,
        certificate=pem,
        kind=kind,
        valid_from=certificate.not_valid_before_utc,
        until=until or certificate.not_valid_after_utc,
        **other,  # type: ignore[arg-type]
    )


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _usage(wish: Wish) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=wish.signs_documents,
        content_commitment=wish.signs_documents,
        key_encipherment=not (wish.signs_documents or wish.signs_certificates),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=wish.signs_certificates,
        crl_sign=wish.signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
