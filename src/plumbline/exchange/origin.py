"""Origin signatures (源头签名): who made the fact, provable to a third party, over the message digest or over a batch of them.

Signed bytes: `plumb/origin/v1\\n` ‖ SHA-256(message), or `plumb/origin-batch/v1\\n` ‖ size (8 bytes, big-endian) ‖ root, the root being
the RFC 6962 tree over the message digests of the batch.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

from plumbline.exchange.places import places_of, root_of
from plumbline.exchange.signatures import Signer, verify
from plumbline.exchange.submission import BatchPlace, OriginSignature

#: (algorithm, key, signed bytes, signature) → whether it holds.
KnownRoots = dict[tuple[str, bytes, bytes, bytes], bool]
#: A message's place in a list of messages, and the root over all of them.
KnownPlace = tuple[BatchPlace, bytes]
SINGLE = b"plumb/origin/v1\n"
BATCH = b"plumb/origin-batch/v1\n"


def origin_bytes(message: bytes, digest: bytes = b"") -> bytes:
    """What a single origin signature signs; `digest` is the SHA-256 of the message where it is known."""
    return SINGLE + (digest or hashlib.sha256(message).digest())


def sign_origin(signer: Signer, message: bytes) -> OriginSignature:
    """One signature over one message."""
    return _signature(signer, origin_bytes(message), None)


def sign_batch(signer: Signer, messages: Sequence[bytes]) -> list[OriginSignature]:
    """One signature for many messages; each result carries the path of its message."""
    root, places = places_of(messages)
    text = base64.b64encode(signer.sign(_batch_bytes(len(places), root))).decode()
    return [
        OriginSignature(
            key_id=signer.key_id,
            algorithm=signer.algorithm,  # type: ignore[arg-type]  # the port's wire name
            signature=text,
            batch=place,
        )
        for place in places
    ]


def _signature(signer: Signer, data: bytes, batch: BatchPlace | None) -> OriginSignature:
    value = base64.b64encode(signer.sign(data)).decode()
    return OriginSignature(key_id=signer.key_id, algorithm=signer.algorithm, signature=value, batch=batch)  # type: ignore[arg-type]


def _batch_bytes(size: int, root: bytes) -> bytes:
    return BATCH + size.to_bytes(8, "big") + root


def verify_origin(
    signature: OriginSignature,
    key: bytes,
    message: bytes,
    known: KnownRoots | None = None,
    place: KnownPlace | None = None,
    *,
    digest: bytes = b"",
) -> bool:
    """Whether `key` signed `message`, alone or as part of the batch. Never raises on hostile input.

    `known` remembers what was found of the roots of one request, whose messages mostly stand under one signature. `place` is where this
    very message stands among those of its request, as the receiver reckoned it himself: a signature over the same list needs no second
    reckoning. `digest` is the SHA-256 of the message where the receiver has taken it already.
    """
    try:
        raw = base64.b64decode(signature.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    if signature.batch is None:
        return verify(signature.algorithm, key, origin_bytes(message, digest), raw)
    is_here = place is not None and place[0] == signature.batch
    root = place[1] if place is not None and is_here else root_of(message, signature.batch)
    if root is None:
        return False
    asked = (signature.algorithm, key, _batch_bytes(signature.batch.size, root), raw)
    if known is None:
        return verify(*asked)
    if asked not in known:
        known[asked] = verify(*asked)
    return known[asked]
