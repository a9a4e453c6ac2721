"""What a peer with equal work promises (对照的存证): leaf, head, checkpoint and receipt, by our own pure functions.

So nobody's hashing is compared. Storage is the peer's own: these functions turn what it read under the lock of its head into
what it has to write, and what it has committed into the answer. Nothing here touches a database.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.bench.peers.checks import Row
from plumbline.evidence.checkpoint import Checkpoint, Ed25519NoteSigner, sign_checkpoint
from plumbline.evidence.leaf import Leaf, entry_id, leaf_hash, sha256, sm3, us_from_instant
from plumbline.evidence.paths import SubtreeSource, inclusion_path
from plumbline.evidence.receipt import make_receipt
from plumbline.evidence.tree import Frontier, Node, batch_inclusion_paths
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import receipt_body
from plumbline.supervision.journal.model import Accepted

#: The log of a peer has one epoch.
EPOCH = 1


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one entry: all that is written under the head's lock, and all that the receipt needs after the commit."""

    leaf: Leaf
    index: int
    leaf_hash: bytes
    logged_at: datetime
    before: Frontier
    after: Frontier
    root: bytes
    nodes: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Draft:
    """A row with its digests, taken before the head is locked."""

    row: Row
    uid: uuid.UUID
    entry: bytes
    envelope_sha256: bytes
    message_sha256: bytes
    message_sm3: bytes

    @classmethod
    def of(cls, row: Row) -> Draft:
        """The row with the digests of its leaf."""
        uid = uuid.UUID(row.uid)
        digests = sha256(row.envelope), row.digest or sha256(row.message), sm3(row.message)
        return cls(row, uid, entry_id(row.sender_id, uid), *digests)

    def leaf(self, logged_at: datetime) -> Leaf:
        """The leaf of this row."""
        return Leaf(
            sender_id=self.row.sender_id,
            uid=self.uid,
            arrived_at_us=us_from_instant(self.row.arrived_at),
            logged_at_us=us_from_instant(logged_at),
            envelope_sha256=self.envelope_sha256,
            message_sha256=self.message_sha256,
            message_sm3=self.message_sm3,
        )

    def place(self, frontier: bytes, last_time: datetime, now: datetime) -> Place:
        """The next place after a locked head; the log's time never goes back."""
        logged_at, before = max(now, last_time), Frontier.decode(bytes(frontier))
        leaf = self.leaf(logged_at)
        hashed = leaf_hash(leaf.encode())
        grown = before.append([hashed])
        after = grown.frontier
        return Place(leaf, before.size, hashed, logged_at, before, after, after.root(), grown.nodes)


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry that the peer's log holds already, and the head in which it is proven."""

    draft: Draft
    index: int
    logged_at: datetime
    size: int
    root: bytes


class Notary:
    """Signs committed heads with the key of a peer's log and makes its receipts. Safe between threads."""

    def __init__(self, origin: str, key: bytes) -> None:
        self._origin = origin
        self._signers = [Ed25519NoteSigner(origin, Ed25519PrivateKey.from_private_bytes(key))]

    def note(self, size: int, root: bytes) -> str:
        """A checkpoint over a committed head.

        Every request signs the head that it committed itself. Heads are committed one after the other under the lock of one row, so that
        any two of them belong to one history, whichever is signed first.
        """
        return sign_checkpoint(Checkpoint(self._origin, size, root), self._signers)

    def answer(self, draft: Draft, place: Place) -> dict[str, object]:
        """What the gateway would answer, for an entry whose transaction is committed."""
        (path,) = batch_inclusion_paths(place.before, [place.leaf_hash])
        receipt = make_receipt(place.leaf, place.index, path, self.note(place.after.size, place.root))
        return _body(draft, (place.index, place.logged_at), receipt, duplicate=False)

    def again(self, draft: Draft, stored: Stored, source: SubtreeSource) -> dict[str, object]:
        """What the gateway would answer for an entry that is there already: its own place, proven in the newest head.

        Raises :class:`Problem` when the uid stands for another message.
        """
        if stored.draft.message_sha256 != draft.message_sha256:
            raise Problem(slug="uid-conflict", detail=f"uid {draft.uid} 已用于另一份内容")
        path = inclusion_path(stored.index, stored.size, source)
        leaf, note = stored.draft.leaf(stored.logged_at), self.note(stored.size, stored.root)
        receipt = make_receipt(leaf, stored.index, path, note)
        return _body(draft, (stored.index, stored.logged_at), receipt, duplicate=True)


def _body(draft: Draft, at: tuple[int, datetime], receipt: str, *, duplicate: bool) -> dict[str, object]:
    index, logged_at = at
    accepted = Accepted(
        entry=draft.entry,
        epoch=EPOCH,
        index=index,
        logged_at=logged_at,
        receipt=receipt,
        duplicate=duplicate,
    )
    return receipt_body(accepted, draft.row.sender_id.hex(), draft.row.uid)
