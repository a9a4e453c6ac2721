"""Origin signatures (源头签名): who made the fact, provable to a third party, over the message digest or over a batch of them.

Signed bytes: `plumb/origin/v1\\n` ‖ SHA-256(message), or `plumb/origin-batch/v1\\n` ‖ size (8 bytes, big-endian) ‖ root, the root being
the RFC 6962 tree over the message digests of the batch.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

from plumbline.evidence.leaf import leaf_hash
from plumbline.evidence.tree import Frontier, batch_inclusion_paths, node_hash, verify_inclusion
from plumbline.exchange.signatures import Signer, verify
from plumbline.exchange.submission import BatchPlace, OriginSignature

SINGLE = b"plumb/origin/v1\n"
BATCH = b"plumb/origin-batch/v1\n"


def origin_bytes(message: bytes) -> bytes:
    """What a single origin signature signs."""
    return SINGLE + hashlib.sha256(message).digest()


def sign_origin(signer: Signer, message: bytes) -> OriginSignature:
    """One signature over one message."""
    return _signature(signer, origin_bytes(message), None)


def sign_batch(signer: Signer, messages: Sequence[bytes]) -> list[OriginSignature]:
    """One signature for many messages; each result carries the path of its message."""
    leaves = [leaf_hash(hashlib.sha256(each).digest()) for each in messages]
    root = Frontier.empty().append(leaves).frontier.root()
    signed = signer.sign(_batch_bytes(len(leaves), root))
    paths = batch_inclusion_paths(Frontier.empty(), leaves)
    text = base64.b64encode(signed).decode()
    return [
        OriginSignature(
            key_id=signer.key_id,
            algorithm=signer.algorithm,  # type: ignore[arg-type]  # the port's wire name
            signature=text,
            batch=BatchPlace(size=len(leaves), index=i, path=[step.hex() for step in path]),
        )
        for i, path in enumerate(paths)
    ]


def _signature(signer: Signer, data: bytes, batch: BatchPlace | None) -> OriginSignature:
    value = base64.b64encode(signer.sign(data)).decode()
    return OriginSignature(key_id=signer.key_id, algorithm=signer.algorithm, signature=value, batch=batch)  # type: ignore[arg-type]


def _batch_bytes(size: int, root: bytes) -> bytes:
    return BATCH + size.to_bytes(8, "big") + root


def _root_from_path(leaf: bytes, place: BatchPlace) -> bytes | None:
    """The root that the path leads to, by the fold of RFC 9162 §2.1.3.2."""
    if not 0 <= place.index < place.size or place.size > 1 << 20:
        return None
    fn, sn, result = place.index, place.size - 1, leaf
    for step in place.path:
        if sn == 0:
            return None
        sibling = bytes.fromhex(step)
        if fn & 1 or fn == sn:
            result = node_hash(sibling, result)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, sibling)
        fn, sn = fn >> 1, sn >> 1
    return result if sn == 0 else None


def verify_origin(signature: OriginSignature, key: bytes, message: bytes) -> bool:
    """Whether `key` signed `message`, alone or as part of the batch. Never raises on hostile input."""
    try:
        raw = base64.b64decode(signature.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    if signature.batch is None:
        return verify(signature.algorithm, key, origin_bytes(message), raw)
    leaf = leaf_hash(hashlib.sha256(message).digest())
    root = _root_from_path(leaf, signature.batch)
    if root is None:
        return False
    path = [bytes.fromhex(step) for step in signature.batch.path]
    if not verify_inclusion(leaf, signature.batch.index, signature.batch.size, path, root):
        return False
    return verify(signature.algorithm, key, _batch_bytes(signature.batch.size, root), raw)
