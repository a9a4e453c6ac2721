"""A cosigner's keys (联署密钥): Ed25519, SM2 or both, one PEM file each. One program and one memory answer for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.cosign.state import write_durably
from plumbline.evidence.cosignature import Ed25519CosignatureSigner, Sm2CosignatureSigner
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.evidence.note import NoteError

#: Algorithm → file of the private key. Ed25519 comes first: every C2SP tool reads it.
KEY_FILES = {"ed25519": "key.pem", "sm2": "key-sm2.pem"}


class CosignerProblem(RuntimeError):
    """The cosigner cannot start or be set up; the message is one plain sentence with the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignerKeys:
    """The private keys of a cosigner, at least one. Which there are its memory says too, so that none is lost unseen."""

    ed25519: Ed25519PrivateKey | None = None
    sm2: Sm2PrivateKey | None = None

    @classmethod
    def generate(cls, algorithms: Iterable[str]) -> Self:
        """A new key for each algorithm; raises :class:`CosignerProblem` for one that is none, or for no algorithm."""
        wanted = list(dict.fromkeys(algorithms))
        if not wanted or not set(wanted) <= set(KEY_FILES):
            raise CosignerProblem(f"联署密钥的算法 {wanted} 不对：请写 {'、'.join(KEY_FILES)} 中的一种或两种")
        return cls(
            ed25519=Ed25519PrivateKey.generate() if "ed25519" in wanted else None,
            sm2=Sm2PrivateKey.generate() if "sm2" in wanted else None,
        )

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The keys of a folder; raises :class:`CosignerProblem`."""
        data = {}
        for algorithm, name in KEY_FILES.items():
            try:
                data[algorithm] = (folder / name).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise CosignerProblem(f"联署密钥读不了：{folder / name}") from error
        if not data:
            raise CosignerProblem(f"联署密钥读不了：{folder} 里没有 {' 或 '.join(KEY_FILES.values())}")
        return cls(
            ed25519=_read_ed25519(folder / KEY_FILES["ed25519"], data["ed25519"])
            if "ed25519" in data
            else None,
            sm2=_read_sm2(folder / KEY_FILES["sm2"], data["sm2"]) if "sm2" in data else None,
        )

    def write(self, folder: Path) -> None:
        """Durably, 0600."""
        if self.ed25519 is not None:
            pem = self.ed25519.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            write_durably(folder / KEY_FILES["ed25519"], pem)
        if self.sm2 is not None:
            write_durably(folder / KEY_FILES["sm2"], self.sm2.to_pem().encode())

    def signers(
        self, name: str, now: Callable[[], int] = lambda: 0
    ) -> tuple[Ed25519CosignatureSigner | Sm2CosignatureSigner, ...]:
        """One for each key, under one name; raises :class:`CosignerProblem` for a name that cannot stand in a signature line."""
        made: list[Ed25519CosignatureSigner | Sm2CosignatureSigner] = []
        try:
            if self.ed25519 is not None:
                made.append(Ed25519CosignatureSigner(name, self.ed25519, now))
            if self.sm2 is not None:
                made.append(Sm2CosignatureSigner(name, self.sm2, now))
        except NoteError as error:
            raise CosignerProblem(
                f"名称 {name!r} 不能用：不含空格和加号，建议用域名加编号，如 witness.example/1"
            ) from error
        return tuple(made)

    def verifier_keys(self, name: str) -> tuple[str, ...]:
        """The vkeys that others put on their lists."""
        return tuple(each.verifier_key() for each in self.signers(name))


def _read_ed25519(path: Path, data: bytes) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except ValueError as error:
        raise CosignerProblem(f"联署密钥读不了：{path}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CosignerProblem(f"{path} 不是 Ed25519 私钥")
    return key


def _read_sm2(path: Path, data: bytes) -> Sm2PrivateKey:
    try:
        return Sm2PrivateKey.from_pem(data.decode("ascii"))
    except ValueError as error:
        raise CosignerProblem(f"{path} 不是 SM2 私钥：{error}") from error
