"""Keys of the demo's parties (演示密钥): each in its party's own folder; public keys go to the platform."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.demo.cast import Cast, PartyKey
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.lab.keys import InstitutionKeys, KeyboxError, public_bytes
from plumbline.lab.keys.keybox import FOLDER_MODE, key_from_pem, key_to_pem, write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyKeys:
    """Signing keys of one party: for requests, for messages, and for its devices by name."""

    folder: Path
    transport: Ed25519Signer
    origin: Ed25519Signer
    devices: dict[str, Ed25519Signer]


def institution_folder(cast: Cast, data_dir: Path) -> Path:
    """Where the institution keeps keys, ledger, receipts and reports."""
    return data_dir / "institutions" / cast.organisations["institution"].short_name


def party_folder(cast: Cast, data_dir: Path, party: PartyKey) -> Path:
    """Where a party keeps what is its own."""
    if party == "institution":
        return institution_folder(cast, data_dir)
    return data_dir / "parties" / cast.organisations[party].short_name


def report_keys(cast: Cast, data_dir: Path) -> InstitutionKeys:
    """The institution's key folder, made at first use."""
    folder = institution_folder(cast, data_dir) / "keys"
    if (folder / "report.cert.pem").exists():
        return InstitutionKeys.load(folder)
    who = cast.organisations["institution"]
    return InstitutionKeys.create_demo(folder, who.name, who.uscc, devices=tuple(cast.machines.values()))


def party_keys(cast: Cast, data_dir: Path, party: PartyKey) -> PartyKeys:
    """Keys of a party, made at first use; `KeyboxError` when the folder is open to others."""
    if party == "institution":
        keys = report_keys(cast, data_dir)
        devices = {name: _signer(party, f"device.{name.lower()}", key) for name, key in keys.devices.items()}
        transport = _kept(keys.folder / "transport.key.pem")
        return PartyKeys(
            folder=keys.folder,
            transport=_signer(party, "transport", transport),
            origin=_signer(party, "origin", keys.origin),
            devices=devices,
        )
    folder = party_folder(cast, data_dir, party)
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return PartyKeys(
        folder=folder,
        transport=_signer(party, "transport", _kept(folder / "transport.key.pem")),
        origin=_signer(party, "origin", _kept(folder / "origin.key.pem")),
        devices={},
    )


def _kept(path: Path) -> ed25519.Ed25519PrivateKey:
    if not path.exists():
        write_private(path, key_to_pem(ed25519.Ed25519PrivateKey.generate()))
    key = key_from_pem(path)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise KeyboxError(f"{path} 不是 Ed25519 私钥。")
    return key


def _signer(party: PartyKey, use: str, key: ed25519.Ed25519PrivateKey) -> Ed25519Signer:
    # The id holds a piece of the key, so that keys of two demo folders are never mistaken for one another.
    mark = hashlib.sha256(public_bytes(key)).hexdigest()[:8]
    return Ed25519Signer(f"{party.replace('_', '-')}.{use}.{mark}", key)
