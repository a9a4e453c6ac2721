"""The dated list of certificate roots that a verifier accepts (受信任的根证书清单)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

#: `licensed`: an electronic certification service holding the state's licence (依法设立的电子认证服务机构).
#: `demo`: made for a demonstration; whatever it vouches for is shown as 演示证书.
RootKind = Literal["licensed", "demo"]


@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate below a root that its authority has taken back (吊销)."""

    #: serial number, hexadecimal without leading zeros, lower case
    serial: str
    #: signatures that nobody can show to be older are not accepted (aware)
    at: datetime

    def __post_init__(self) -> None:
        """Refuse a naive time and a serial number in another spelling."""
        if self.at.tzinfo is None:
            raise ValueError("a revocation carries a time zone")
        if self.serial != f"{int(self.serial, 16):x}":
            raise ValueError("a serial number is hexadecimal, lower case, without leading zeros")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoot:
    """One accepted root and the time in which the verifier accepts it (根证书).

    The list is the verifier's own, never the document's: a bundle or a PDF that brought its own roots could
    vouch for itself.
    """

    #: name as shown to the reader
    name: str
    #: the certificate, PEM
    certificate: str
    kind: RootKind
    #: accepted for signatures made at or after this instant (aware)
    valid_from: datetime
    #: accepted for signatures made before this instant (aware); None: no end set
    until: datetime | None = None
    #: where the decision to accept it is recorded
    source: str = ""
    #: certificates on paths to this root that were taken back
    revoked: tuple[Revocation, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an unknown kind and naive times: a root's dates decide over signatures made in any time zone."""
        if self.kind not in get_args(RootKind):
            raise ValueError("a trust root is licensed or demo")
        for moment in (self.valid_from, self.until):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a trust root's dates carry a time zone")

    def revocation_of(self, serials: Iterable[int]) -> Revocation | None:
        """The earliest revocation among certificates of these serial numbers; None when none was taken back."""
        taken_back = {f"{serial:x}" for serial in serials}
        found = [each for each in self.revoked if each.serial in taken_back]
        return min(found, key=lambda each: each.at, default=None)

    def accepted_at(self, moment: datetime) -> bool:
        """Whether the verifier accepts this root for a signature made at `moment` (aware)."""
        return self.valid_from <= moment and (self.until is None or moment < self.until)


def roots_accepted_at(roots: Iterable[TrustRoot], moment: datetime) -> tuple[TrustRoot, ...]:
    """Return the roots of the list that are accepted at `moment` (aware), in the list's order."""
    return tuple(root for root in roots if root.accepted_at(moment))


def root_from_document(document: Mapping[str, Any]) -> TrustRoot:
    """A root from the JSON object in which it is kept; `KeyError`, `TypeError` or `ValueError` for anything else."""
    until = document.get("until")
    return TrustRoot(
        name=document["name"],
        certificate=document["certificate"],
        kind=document["kind"],
        valid_from=datetime.fromisoformat(document["valid_from"]),
        until=datetime.fromisoformat(until) if until else None,
        source=document.get("source", ""),
        revoked=tuple(
            Revocation(each["serial"], datetime.fromisoformat(each["at"]))
            for each in document.get("revoked", ())
        ),
    )


def root_as_document(root: TrustRoot) -> dict[str, Any]:
    """The JSON object in which a root is kept; `revoked` is left out while nothing was taken back."""
    document: dict[str, Any] = {
        "name": root.name,
        "certificate": root.certificate,
        "kind": root.kind,
        "valid_from": root.valid_from.isoformat(),
        "until": root.until.isoformat() if root.until else None,
        "source": root.source,
    }
    if root.revoked:
        document["revoked"] = [{"serial": each.serial, "at": each.at.isoformat()} for each in root.revoked]
    return document
