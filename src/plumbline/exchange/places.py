"""Several messages under one digest (成批摘要): the RFC 6962 tree over their SHA-256, and the place of each in it.

What is signed is the root; each message keeps its place and the path, so that it can be shown and verified without the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from plumbline.evidence.leaf import leaf_hash
from plumbline.evidence.tree import Frontier, batch_inclusion_paths, node_hash
from plumbline.exchange.submission import BatchPlace

_LARGEST = 1 << 20
#: Begins what `Plumb-Message-Digest` is taken over in a request of several messages; no message begins so.
REQUEST = b"plumb/batch/v1\n"


def places_of(messages: Sequence[bytes]) -> tuple[bytes, list[BatchPlace]]:
    """(root, place of each message in the order given); ValueError for none."""
    return places_of_digests([hashlib.sha256(each).digest() for each in messages])


def places_of_digests(digests: Sequence[bytes]) -> tuple[bytes, list[BatchPlace]]:
    """The same for who has taken the SHA-256 of each message already."""
    if not digests:
        raise ValueError("a batch holds at least one message")
    leaves = [leaf_hash(each) for each in digests]
    root = Frontier.empty().append(leaves).frontier.root()
    paths = batch_inclusion_paths(Frontier.empty(), leaves)
    places = [
        BatchPlace(size=len(leaves), index=i, path=[step.hex() for step in path])
        for i, path in enumerate(paths)
    ]
    return root, places


def root_of(message: bytes, place: BatchPlace) -> bytes | None:
    """The root to which a message's place leads, by the fold of RFC 9162 §2.1.3.2; None where the place is none.

    Whoever signed that root signed the message in it. Never raises on hostile input: the type of a place admits no other path.
    """
    fn, sn = place.index, place.size - 1
    if not 0 <= fn <= sn or place.size > _LARGEST:
        return None
    result = leaf_hash(hashlib.sha256(message).digest())
    for step in place.path:
        sibling = bytes.fromhex(step)
        if sn == 0 or len(sibling) != 32:
            return None
        if fn & 1 or fn == sn:
            result = node_hash(sibling, result)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, sibling)
        fn, sn = fn >> 1, sn >> 1
    return result if sn == 0 else None


def request_bytes(root: bytes, size: int) -> bytes:
    """What `Plumb-Message-Digest` is the digest of in a request of `size` messages: 15 bytes of name, 8 of size, the root."""
    return REQUEST + size.to_bytes(8, "big") + root


def signed_part(message: bytes, place: BatchPlace | None) -> bytes | None:
    """The bytes whose digest the transport signature of an entry covers: the message, or the batch that it came in; None where its
    place in the batch does not hold."""
    if place is None:
        return message
    root = root_of(message, place)
    return None if root is None else request_bytes(root, place.size)
