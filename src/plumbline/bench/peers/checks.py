"""What every peer checks (对照实现的检查): the door's checks, called one after another, with the keys given beforehand."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plumbline.bench import alike
from plumbline.bench.requests import PATH
from plumbline.bench.world import PUBLIC_URL
from plumbline.exchange.decode import outer_submission, read_message
from plumbline.exchange.messages import kind_of
from plumbline.exchange.origin import verify_origin
from plumbline.exchange.signatures import Target, check_age, check_digests, read_signature, verify
from plumbline.exchange.submission import Envelope, encode_envelope
from plumbline.exchange.uids import uid_time_problem
from plumbline.supervision.journal.model import canonical_claim

#: Names the file with keys and connection: key id → (algorithm, material in hex).
VARIABLE = "PLUMB_BENCH_PEER"
_TARGET = Target(method="POST", uri=PUBLIC_URL + PATH)


class Refused(ValueError):
    """A request that a peer does not take."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is stored of a request."""

    uid: str
    sender_id: bytes
    key_id: str
    envelope: bytes
    message: bytes
    arrived_at: datetime
    #: Values that only one entry may hold, in the order in which they are to be inserted.
    claims: list[tuple[str, str]]
    #: SHA-256 of the message, taken once for header, origin signature and leaf, as ours is; empty where nobody has taken it.
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Peer:
    """Keys that are known, and how the database is reached."""

    keys: dict[str, tuple[str, bytes]]
    host: str
    user: str
    database: str
    #: Of the peer's log: origin line and private key.
    origin: str
    log_key: bytes

    @classmethod
    def from_env(cls) -> Peer:
        """From the file that the environment names; what it checks is timed if the environment says where to."""
        alike.time_in(sys.modules[__name__])
        told = json.loads(Path(os.environ[VARIABLE]).read_text("utf-8"))
        keys = {key_id: (algorithm, bytes.fromhex(key)) for key_id, (algorithm, key) in told["keys"].items()}
        return cls(
            keys,
            told["host"],
            told["user"],
            told["database"],
            told["origin"],
            bytes.fromhex(told["log_key"]),
        )

    def check(self, headers: Mapping[str, str], body: bytes) -> Row:
        """Signatures, digests, age, JSON, schema, texts, curves; raises :class:`Refused` or a Problem."""
        submission = outer_submission(body)
        data = bytes(submission.message)
        signed = read_signature(headers, _TARGET)
        check_age(signed.created, time.time())
        algorithm, key = self.keys[signed.key_id]
        if not verify(algorithm, key, signed.base, signed.signature):
            raise Refused("transport signature")
        digest = check_digests(headers, body, data)
        message = read_message(body, data)
        if uid_time_problem(message.uid, datetime.now(UTC)):
            raise Refused("uid")
        for origin in submission.origin:
            if not verify_origin(origin, self.keys[origin.key_id][1], data, digest=digest):
                raise Refused("origin signature")
        envelope = Envelope(
            v=1,
            channel="http",
            key_id=signed.key_id,
            signature_base=signed.base.decode(),
            signature=signed.signature.hex(),
            origin=list(submission.origin),
            personal=[],
        )
        return Row(
            str(message.uid),
            bytes.fromhex(message.sender),
            signed.key_id,
            encode_envelope(envelope),
            data,
            datetime.now(UTC),
            sorted(canonical_claim(*each) for each in kind_of(message).claims(message)),
            digest,
        )
