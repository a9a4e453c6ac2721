"""Signed requests made beforehand (预签请求): so that the generator costs little while the clock runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from plumbline.bench.world import PUBLIC_URL, Sender
from plumbline.exchange.encode import encode_batch, encode_message, encode_submission
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.origin import sign_batch, sign_origin
from plumbline.exchange.places import places_of, request_bytes
from plumbline.exchange.signatures import SignedRequest, Target, read_signature, sign_request
from plumbline.exchange.submission import Envelope, OriginSignature, encode_envelope
from plumbline.supervision.journal.model import Pending, canonical_claim

PATH, PATH_OF_SEVERAL = "/x/v1/entries", "/x/v1/batches"
_TARGET = Target(method="POST", uri=PUBLIC_URL + PATH)
_TARGET_OF_SEVERAL = Target(method="POST", uri=PUBLIC_URL + PATH_OF_SEVERAL)


@dataclass(frozen=True, slots=True)
class Signed:
    """One message with its origin signature and the four headers of its request, if it goes alone."""

    message: Message
    data: bytes
    origin: OriginSignature
    body: bytes
    headers: dict[str, str]

    def http(self) -> bytes:
        """The request as it goes over the wire."""
        return _post(PATH, self.headers, self.body)

    @property
    def transport(self) -> SignedRequest:
        """The transport signature of the request, if it goes alone."""
        return read_signature({k.lower(): v for k, v in self.headers.items()}, _TARGET)

    def pending(self, key_id: str) -> Pending:
        """What the door makes of this request."""
        signed = self.transport
        envelope = Envelope(
            v=1,
            channel="http",
            key_id=key_id,
            signature_base=signed.base.decode(),
            signature=signed.signature.hex(),
            origin=[self.origin],
            personal=[],
        )
        return Pending(
            sender_id=bytes.fromhex(self.message.sender),
            uid=self.message.uid,
            key_id=key_id,
            envelope=encode_envelope(envelope),
            message=self.data,
            arrived_at=datetime.now(UTC),
            claims=[canonical_claim(*claim) for claim in kind_of(self.message).claims(self.message)],
        )


@dataclass(frozen=True, slots=True)
class SignedTogether:
    """At most 64 messages of one request, under one origin signature and one transport signature."""

    members: list[Signed]
    body: bytes
    headers: dict[str, str]

    def http(self) -> bytes:
        """The request as it goes over the wire."""
        return _post(PATH_OF_SEVERAL, self.headers, self.body)


def _post(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
    head += [f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def sign(sender: Sender, message: Message) -> Signed:
    """Origin signature over the message, transport signature over the request, both Ed25519; good for 300
    s."""
    data = encode_message(message)
    origin = sign_origin(sender.origin, data)
    body = encode_submission(data, origin=[origin])
    headers = sign_request(sender.transport, _TARGET, body, data, created=int(time.time()))
    return Signed(message, data, origin, body, headers)


def sign_all(sender: Sender, messages: Sequence[Message]) -> list[Signed]:
    """`sign` of each."""
    return [sign(sender, each) for each in messages]


def sign_together(sender: Sender, messages: Sequence[Message]) -> SignedTogether:
    """One origin signature over all of them and one transport signature over their request, both Ed25519; good for 300 s."""
    data = [encode_message(each) for each in messages]
    root, places = places_of(data)
    origins = sign_batch(sender.origin, data)
    bodies = [encode_submission(each, origin=[origin]) for each, origin in zip(data, origins, strict=True)]
    body = encode_batch(bodies)
    headers = sign_request(
        sender.transport, _TARGET_OF_SEVERAL, body, request_bytes(root, len(places)), created=int(time.time())
    )
    members = [Signed(*each, {}) for each in zip(messages, data, origins, bodies, strict=True)]
    return SignedTogether(members, body, headers)
