"""Fakes of the evidence log for everybody's tests: real hashes and signatures, no database (测试用日志)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.evidence.checkpoint import (
    Checkpoint,
    Ed25519CosignatureSigner,
    Ed25519NoteSigner,
    Ed25519NoteVerifier,
    NoteSigner,
    NoteVerifier,
    Sm2CosignatureSigner,
    Sm2NoteSigner,
    sign_checkpoint,
)
from plumbline.evidence.gm.pure import PureBackend
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.evidence.leaf import Leaf, entry_id
from plumbline.evidence.note import ED25519_COSIGNATURE, format_verifier_key, key_id
from plumbline.evidence.receipt import make_receipt
from plumbline.evidence.tree import (
    Frontier,
    MissingSubtree,
    batch_inclusion_paths,
    consistency_path,
    inclusion_path,
    node_hash,
)

#: 2026-01-01T00:00:00Z in microseconds, where the fake log's clock begins.
FIRST_INSTANT_US = 1_767_225_600_000_000


def make_signer(name: str, seed: int) -> Ed25519NoteSigner:
    """A log's key that is the same in every run: for tests only."""
    return Ed25519NoteSigner(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def make_sm2_signer(name: str, seed: int) -> Sm2NoteSigner:
    """A log's SM2 key that is the same for the same seed, and so are its signatures."""
    backend = PureBackend()
    key = Sm2PrivateKey.from_secret(bytes([seed]) * 32, backend=backend)
    return Sm2NoteSigner(name, key, backend=backend)


def make_cosigner(
    name: str, seed: int, seconds: int = FIRST_INSTANT_US // 1_000_000
) -> Ed25519CosignatureSigner:
    """A cosigner's key that is the same in every run and always states ``seconds``: for tests only."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return Ed25519CosignatureSigner(name, key, lambda: seconds)


def make_sm2_cosigner(
    name: str, seed: int, seconds: int = FIRST_INSTANT_US // 1_000_000
) -> Sm2CosignatureSigner:
    """A cosigner's SM2 key that is the same for the same seed, and so are its signatures."""
    backend = PureBackend()
    key = Sm2PrivateKey.from_secret(bytes([seed]) * 32, backend=backend)
    return Sm2CosignatureSigner(name, key, lambda: seconds, backend=backend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a sender hands in."""

    sender_id: bytes
    uid: uuid.UUID
    message: bytes
    envelope: bytes = b"{}"


class InMemorySubtrees:
    """Subtrees over a list of leaf hashes; computes each once."""

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self._leaves = list(leaf_hashes)
        self._known: dict[tuple[int, int], bytes] = {}

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add leaves at the end."""
        self._leaves.extend(leaf_hashes)

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes of ``start`` ≤ index < ``end``."""
        return self._leaves[start:end]

    def subtree(self, level: int, start: int) -> bytes:
        """Root of a complete subtree; MissingSubtree if it is not complete."""
        if start % (1 << level) or start + (1 << level) > len(self._leaves):
            raise MissingSubtree(f"no complete subtree of level {level} at leaf {start}")
        if level == 0:
            return self._leaves[start]
        if (level, start) not in self._known:
            middle = start + (1 << (level - 1))
            pair = self.subtree(level - 1, start), self.subtree(level - 1, middle)
            self._known[level, start] = node_hash(*pair)
        return self._known[level, start]


class InMemoryLog:
    """A log that appends batches and answers with real receipts; by default an entry takes 1 ms.

    As in the real log, the same entry with the same message gets a receipt of its stored leaf; with another
    message ValueError, and nothing of the batch is appended.
    """

    def __init__(
        self, origin: str = "demo.log.test", *, seed: int = 1, clock_us: Callable[[], int] | None = None
    ) -> None:
        self.origin = origin
        self.signer = make_signer(origin, seed)
        self.cosigners: list[NoteSigner] = []
        self.leaves: list[Leaf] = []
        self.frontier = Frontier.empty()
        self.subtrees = InMemorySubtrees()
        self._indexes: dict[bytes, int] = {}
        self._clock_us = clock_us or (lambda: FIRST_INSTANT_US + 1_000 * self.frontier.size)

    @property
    def verifiers(self) -> list[NoteVerifier]:
        """The trust list of this log's own key."""
        return [Ed25519NoteVerifier.parse(self.signer.verifier_key())]

    def append(self, submissions: Sequence[Submission]) -> list[str]:
        """Append the new entries as one batch; receipts of all, in order, against the new head."""
        before, now = self.frontier, self._clock_us()
        fresh = self._new_leaves(submissions, now)
        hashes = [leaf.hash() for leaf in fresh]
        for at, leaf in enumerate(fresh):
            self._indexes[leaf.entry_id] = before.size + at
        self.leaves.extend(fresh)
        self.subtrees.extend(hashes)
        self.frontier = before.append(hashes).frontier
        note, paths = self.checkpoint(), batch_inclusion_paths(before, hashes)
        receipts: list[str] = []
        for item in submissions:
            index = self._indexes[entry_id(item.sender_id, item.uid)]
            at = index - before.size
            receipts.append(
                make_receipt(fresh[at], index, paths[at], note) if at >= 0 else self.receipt(index)
            )
        return receipts

    def grow(self, count: int, text: str = "m") -> list[str]:
        """Append entries of one sender that nobody else has; their receipts. Another ``text`` makes another history."""
        start = self.frontier.size
        made = [
            Submission(sender_id=bytes(16), uid=uuid.UUID(int=n + 1), message=f"{text}{n}".encode())
            for n in range(start, start + count)
        ]
        return self.append(made)

    def _new_leaves(self, submissions: Sequence[Submission], now: int) -> list[Leaf]:
        fresh: dict[bytes, Leaf] = {}
        for item in submissions:
            leaf = Leaf.of(
                item.sender_id,
                item.uid,
                envelope=item.envelope,
                message=item.message,
                arrived_at_us=now,
                logged_at_us=now,
            )
            name = leaf.entry_id
            stored = self.leaves[self._indexes[name]] if name in self._indexes else fresh.get(name)
            if stored is None:
                fresh[name] = leaf
            elif stored.message_sha256 != leaf.message_sha256:
                raise ValueError(f"entry {item.uid} is in the log with another message")
        return list(fresh.values())

    def checkpoint(self) -> str:
        """The current head, signed by the log and, if any, its cosigners."""
        head = Checkpoint(self.origin, self.frontier.size, self.frontier.root())
        return sign_checkpoint(head, [self.signer, *self.cosigners])

    def receipt(self, index: int) -> str:
        """Receipt of a stored leaf against the current head."""
        path = inclusion_path(index, self.frontier.size, self.subtrees)
        return make_receipt(self.leaves[index], index, path, self.checkpoint())

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Consistency proof between two sizes."""
        return consistency_path(old, new, self.subtrees)


def clashing_cosigner_keys(name: str) -> tuple[str, str]:
    """Two keys of one name whose ids are the same four bytes: some 80 000 tries make a pair."""
    seen: dict[bytes, bytes] = {}
    for number in range(1 << 20):
        public = hashlib.sha256(number.to_bytes(4, "big")).digest()
        other = seen.setdefault(key_id(name, ED25519_COSIGNATURE, public), public)
        if other != public:
            return (
                format_verifier_key(name, ED25519_COSIGNATURE, other),
                format_verifier_key(name, ED25519_COSIGNATURE, public),
            )
    raise AssertionError("no clash in a million keys")
