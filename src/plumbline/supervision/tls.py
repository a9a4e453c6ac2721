"""TLS of our own (自建证书): beyond loopback everything is HTTPS; a local CA is made at first start unless a certificate is given."""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plumbline.embedded.problems import EmbeddedProblem
from plumbline.supervision.journal.keys import write_private
from plumbline.supervision.run import Serving

LIFE = datetime.timedelta(days=397)


def lan_address() -> str:
    """This machine's address in the local network; loopback when it has none. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation address: only asks the routing table
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def serving_of(arguments: argparse.Namespace, data_dir: Path) -> Serving:
    """How to listen, from the options: plain HTTP on loopback, HTTPS with `--lan` or a given certificate."""
    if bool(arguments.certificate) != bool(arguments.key):
        raise EmbeddedProblem("--certificate 和 --key 要一起给。", "--certificate and --key go together.")
    if arguments.certificate:
        return Serving(
            host=lan_address(),
            port=arguments.port,
            certificate=Path(arguments.certificate),
            key=Path(arguments.key),
        )
    if arguments.lan:
        host = lan_address()
        folder = data_dir / "tls"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificate, key, authority = local_certificate(folder, host)
        return Serving(host=host, port=arguments.port, certificate=certificate, key=key, ca=authority)
    return Serving(port=arguments.port)


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        return loaded
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(
        path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    return key


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFE)
    )


def local_certificate(folder: Path, host: str) -> tuple[Path, Path, Path]:
    """(certificate chain, key, CA) for a host, made or renewed in `folder`; the CA is the one people install on their phones."""
    now = datetime.datetime.now(datetime.UTC)
    authority_path, chain_path, key_path = folder / "ca.pem", folder / f"{host}.pem", folder / f"{host}.key"
    authority_key = _key(folder / "ca.key")
    if not authority_path.exists():
        made = _builder("Plumbline 本地证书", "Plumbline 本地证书", authority_key.public_key(), now)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        authority_path.write_bytes(
            made.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
    authority = x509.load_pem_x509_certificate(authority_path.read_bytes())
    key = _key(key_path)
    fresh = chain_path.exists() and x509.load_pem_x509_certificate(
        chain_path.read_bytes()
    ).not_valid_after_utc > now + datetime.timedelta(days=30)
    if not fresh:
        names = [
            x509.IPAddress(ipaddress.ip_address(host)),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.DNSName("localhost"),
        ]
        leaf = _builder(host, "Plumbline 本地证书", key.public_key(), now)
        leaf = leaf.add_extension(x509.SubjectAlternativeName(names), critical=False).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        signed = leaf.sign(authority_key, hashes.SHA256())
        chain_path.write_bytes(
            signed.public_bytes(serialization.Encoding.PEM)
            + authority.public_bytes(serialization.Encoding.PEM)
        )
    return chain_path, key_path, authority_path
