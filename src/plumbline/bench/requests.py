"""Signed requests made beforehand (预签请求): so that the generator costs little while the clock runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from plumbline.bench.world import PUBLIC_URL, Sender
from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.signatures import Target, read_signature, sign_request
from plumbline.exchange.submission import Envelope, OriginSignature, encode_envelope
from plumbline.supervision.journal.model import Pending, canonical_claim

PATH = "/x/v1/entries"
_TARGET = Target(method="POST", uri=PUBLIC_URL + PATH)


@dataclass(frozen=True, slots=True)
class Signed:
    """One message with its origin signature and the four headers of its request."""

    message: Message
    data: bytes
    origin: OriginSignature
    body: bytes
    headers: dict[str, str]

    def http(self) -> bytes:
        """The request as it goes over the wire."""
        head = [f"POST {PATH} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
        head += [f"Content-Length: {len(self.body)}", *(f"{k}: {v}" for k, v in self.headers.items())]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + self.body

    def pending(self, key_id: str) -> Pending:
        """What the door makes of this request."""
        signed = read_signature({k.lower(): v for k, v in self.headers.items()}, _TARGET)
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
