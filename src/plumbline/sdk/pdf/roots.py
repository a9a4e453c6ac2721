"""The dated list of certificate roots that a verifier accepts (受信任的根证书清单)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: `licensed`: an electronic certification service holding the state's licence (依法设立的电子认证服务机构).
#: `demo`: made for a demonstration; whatever it vouches for is shown as 演示证书.
RootKind = Literal["licensed", "demo"]


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

    def __post_init__(self) -> None:
        """Refuse naive times: a root's dates decide over signatures made in any time zone."""
        for moment in (self.valid_from, self.until):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a trust root's dates carry a time zone")

    def accepted_at(self, moment: datetime) -> bool:
        """Whether the verifier accepts this root for a signature made at `moment` (aware)."""
        return self.valid_from <= moment and (self.until is None or moment < self.until)


def roots_accepted_at(roots: Iterable[TrustRoot], moment: datetime) -> tuple[TrustRoot, ...]:
    """Return the roots of the list that are accepted at `moment` (aware), in the list's order."""
    return tuple(root for root in roots if root.accepted_at(moment))
