"""What goes into an append and what comes out (入账的输入与结果)."""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import msgspec

from plumbline.evidence.leaf import entry_id, sha256, sm3
from plumbline.evidence.position import position_of
from plumbline.exchange.problems import Problem, field_problem
from plumbline.supervision.journal.vault import SealedRecord


@dataclass(slots=True, kw_only=True)
class Pending:
    """One verified submission that waits for its place in the log.

    `stated_at` is set only in a demo log: the instant that the demo clock follows.
    """

    sender_id: bytes
    uid: uuid.UUID
    key_id: str
    envelope: bytes
    message: bytes
    arrived_at: datetime
    claims: list[tuple[str, str]] = field(default_factory=list)
    personal: list[SealedRecord] = field(default_factory=list)
    stated_at: datetime | None = None
    #: SHA-256 and SM3 of the message as far as they are known; a copy with another message knows neither.
    _sha256: bytes = field(default=b"", init=False, repr=False, compare=False)
    _sm3: bytes = field(default=b"", init=False, repr=False, compare=False)
    _digests: tuple[bytes, bytes, bytes] | None = field(default=None, init=False, repr=False, compare=False)

    def know(self, digest: bytes, in_sm3: bytes) -> Self:
        """Take over what was reckoned of these very bytes already: SHA-256 of the message, and SM3 or nothing."""
        self._sha256, self._sm3 = digest, in_sm3
        return self

    @property
    def digest(self) -> bytes:
        """SHA-256 of the message: decides between a repeat and a conflict."""
        if not self._sha256:
            self._sha256 = sha256(self.message)
        return self._sha256

    def take_digests(self) -> None:
        """Reckon :attr:`digests` now, for whoever will ask for them when others wait."""
        if self._digests is None:
            self._digests = sha256(self.envelope), self.digest, self._sm3 or sm3(self.message)

    @property
    def digests(self) -> tuple[bytes, bytes, bytes]:
        """What the leaf says of envelope and message: SHA-256 of the envelope, SHA-256 and SM3 of the message."""
        self.take_digests()
        assert self._digests is not None
        return self._digests

    @property
    def identity(self) -> tuple[uuid.UUID, bytes]:
        """What the journal's primary key says."""
        return self.uid, self.sender_id

    @property
    def entry(self) -> bytes:
        """The entry id, 16 bytes."""
        return entry_id(self.sender_id, self.uid)


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Durable, logged, and provable: `receipt` is a complete inclusion proof."""

    entry: bytes
    epoch: int
    #: Place in the epoch's tree, which the receipt proves.
    index: int
    logged_at: datetime
    receipt: str
    duplicate: bool

    @property
    def position(self) -> int:
        """Place in the whole log, through all epochs: what `fact.position` counts."""
        return position_of(self.epoch, self.index)


Outcome = Accepted | Problem


def canonical_claim(kind: str, value: str) -> tuple[str, str]:
    """NFKC, trimmed, upper case; at most 200 bytes (PROTOCOL §2)."""
    text = unicodedata.normalize("NFKC", value).strip().upper()
    if len(text.encode()) > 200:
        raise field_problem("/message", "占用的号码超过 200 字节", "缩短编号、前缀或场所")
    return kind, text
