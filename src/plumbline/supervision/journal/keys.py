"""The platform's own keys (平台密钥): log, web attestation, code issuer. Files in the demo, a port for HSMs in production.

`docs/keys.md` says where each lives, who rotates it, and what happens on loss. The platform never holds an institution's or a person's key.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.exchange.signatures import Ed25519Signer

PLATFORM_KEYS = ("log", "web", "code")
#: Which algorithms the platform itself signs with: `standard`, or `gm`, which adds the national ones beside them.
SUITES = ("standard", "gm")


class UnknownSuite(ValueError):
    """PLUMB_SUITE names no suite of algorithms."""


def chosen_suite(env: Mapping[str, str] = os.environ) -> str:
    """The suite that PLUMB_SUITE asks for at a start; `standard` where it is not set."""
    suite = env.get("PLUMB_SUITE", "") or SUITES[0]
    if suite not in SUITES:
        raise UnknownSuite(f"PLUMB_SUITE={suite!r} 不是平台认得的算法套件：写 standard（默认）或 gm（国密）")
    return suite


def key_id_of(use: str, public_key: bytes) -> str:
    """`use:16 hex of SHA-256(public key)`."""
    return f"{use}:{hashlib.sha256(public_key).hexdigest()[:16]}"


def public_bytes(key: ed25519.Ed25519PrivateKey) -> bytes:
    """The 32 raw public bytes."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def write_private(path: Path, data: bytes) -> None:
    """Write a 0600 file that is either whole or absent, durably."""
    write_temporary(path, data).rename(path)
    sync_folder(path.parent)


def write_temporary(path: Path, data: bytes) -> Path:
    """A finished 0600 file beside `path` whose name nobody else uses, to be renamed or linked; the caller syncs the folder."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """The signing keys of the platform, loaded from its key folder."""

    log: ed25519.Ed25519PrivateKey
    web: ed25519.Ed25519PrivateKey
    code: ed25519.Ed25519PrivateKey
    #: The log's second key: there once the platform was started in the suite `gm`, and for all processes from then on.
    log_sm2: Sm2PrivateKey | None = None

    @classmethod
    def load(cls, folder: Path, *, create: bool = False, suite: str = SUITES[0]) -> PlatformKeys:
        """Read `log.pem`, `web.pem`, `code.pem` and, if it is there, `log-sm2.pem`; with `create`, make those that are missing and that
        the suite asks for."""
        log_sm2 = _load_sm2(folder / "log-sm2.pem", create=create and suite == "gm")
        keys = {name: _load(folder / f"{name}.pem", create=create) for name in PLATFORM_KEYS}
        return cls(**keys, log_sm2=log_sm2)

    def signer(self, use: str) -> Ed25519Signer:
        """The signer of one use; its key id is derived from the public key."""
        key: ed25519.Ed25519PrivateKey = getattr(self, use)
        return Ed25519Signer(key_id_of(use, public_bytes(key)), key)

    def public(self, use: str) -> str:
        """Base64 of the raw public key."""
        return base64.b64encode(public_bytes(getattr(self, use))).decode()


def _load(path: Path, *, create: bool) -> ed25519.Ed25519PrivateKey:
    if not path.exists() and create:
        key = ed25519.Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(path, pem)
    loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(loaded, ed25519.Ed25519PrivateKey):
        raise TypeError(f"{path.name} is not an Ed25519 key")
    return loaded


def _load_sm2(path: Path, *, create: bool) -> Sm2PrivateKey | None:
    if not path.exists():
        if not create:
            return None
        write_private(path, Sm2PrivateKey.generate().to_pem().encode())
    return Sm2PrivateKey.from_pem(path.read_text("ascii"))


def key_encryption_key(folder: Path, *, create: bool = False) -> bytes:
    """The 32-byte key under which transport secrets are stored."""
    path = folder / "kek.bin"
    if not path.exists() and create:
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()
