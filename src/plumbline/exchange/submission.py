"""A submission (报送): the message bytes as they arrive, the origin signatures over them, and the personal
parts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from plumbline.exchange.messages.header import Part
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.wire import Base64Text, Count, Digest, KeyId

#: Submissions of one request; as many as one transaction of the journal takes.
MAX_SUBMISSIONS = 64


class BatchPlace(Part, frozen=True, kw_only=True):
    """Where this message stands in a signed batch: RFC 6962 tree over the message digests."""

    size: Count
    index: Count
    path: list[Digest]


class OriginSignature(Part, frozen=True, kw_only=True):
    """An asymmetric signature over the message digest, or over the root of a batch that contains it
    (源头签名)."""

    key_id: KeyId
    algorithm: Literal["ed25519", "p256", "sm2"]
    signature: Base64Text
    batch: BatchPlace | None = None


class Submission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /x/v1/entries. `message` is kept as the exact bytes received; there is no canonical
    form."""

    message: msgspec.Raw
    origin: Annotated[list[OriginSignature], msgspec.Meta(max_length=16)] = []
    personal: Annotated[list[PersonalRecord], msgspec.Meta(max_length=20)] = []


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /x/v1/batches (成批报送): submissions of one sender, each taken or refused for itself."""

    submissions: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_SUBMISSIONS)]


class Envelope(Part, frozen=True, kw_only=True):
    """What is stored beside the message: how it came in. Digests only, so it outlives the personal part."""

    v: Count
    channel: Literal["http", "session", "internal"]
    key_id: str
    signature_base: str
    signature: str
    origin: list[OriginSignature]
    personal: list[Digest]
    session: str | None = None
    #: Where the message stood in a request of several: `signature_base` then covers the digest of them all. Left out otherwise.
    batch: BatchPlace | msgspec.UnsetType = msgspec.UNSET

    @property
    def place(self) -> BatchPlace | None:
        """The place in a request of several messages, None for one that came alone."""
        return None if self.batch is msgspec.UNSET else self.batch


_ENVELOPE = msgspec.json.Encoder()
_OPENED = msgspec.json.Decoder(Envelope)


def encode_envelope(envelope: Envelope) -> bytes:
    """The bytes whose hash stands in the leaf."""
    return _ENVELOPE.encode(envelope)


def decode_envelope(data: bytes) -> Envelope:
    """Inverse of :func:`encode_envelope`; raises msgspec.DecodeError on anything else."""
    return _OPENED.decode(data)
