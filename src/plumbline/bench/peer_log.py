"""The log of a peer (对照的日志): its tables, shaped like ours, and the proof that it kept what it promised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import sql

from plumbline.bench.p1a_accept import Lost
from plumbline.bench.requests import Signed
from plumbline.bench.world import World
from plumbline.evidence.checkpoint import Ed25519NoteSigner, NoteVerifier, parse_verifier
from plumbline.evidence.leaf import entry_id
from plumbline.evidence.receipt import verify_receipt
from plumbline.evidence.tree import Frontier, Node

#: Origin line of a peer's checkpoints.
ORIGIN = "bench.peer/1"
_KINDS = ("entry", "claim", "leaf", "node", "head")
_COUNTS = """
SELECT (SELECT count(*) FROM bench_peer_entry), (SELECT count(*) FROM bench_peer_leaf), (SELECT size FROM bench_peer_head)
"""
_STORED = """
SELECT e.uid::text, e.envelope, e.message, l.idx FROM bench_peer_entry e JOIN bench_peer_leaf l USING (uid, sender_id)
"""


def verifier_key(key: bytes) -> str:
    """The vkey of a peer's log."""
    return Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(key)).verifier_key()


def create(world: World) -> None:
    """Tables with the columns, keys and indexes of the journal's, and the head of an empty log."""
    empty = Frontier.empty()
    with world.connect() as conn:
        for kind in _KINDS:
            table, ours = sql.Identifier(f"bench_peer_{kind}"), sql.Identifier("journal", kind)
            conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
            conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(table, ours))
        conn.execute(
            "INSERT INTO bench_peer_head (origin, epoch, size, root, frontier, last_time) VALUES (%s, 1, 0, %s, %s, 'epoch')",
            [ORIGIN.partition("/")[0], empty.root(), empty.encode()],
        )


def counts(conn: psycopg.Connection) -> tuple[int, int, int]:
    """(entries, leaves, size of the head)."""
    row = conn.execute(_COUNTS).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def check(
    conn: psycopg.Connection, accepted: Iterable[Mapping[str, Any]], sent: Mapping[str, Signed], verifier: str
) -> int:
    """Answers = entries = leaves = head, the head is that of the leaves, every receipt verifies offline against message and envelope.

    Returns how many receipts were verified; raises :class:`Lost`.
    """
    answers = {str(each["receipt_url"]).rpartition("/")[2]: each for each in accepted}
    found = counts(conn)
    if set(found) != {len(answers)}:
        raise Lost(f"the peer: {len(answers)} answers; entries, leaves, head: {found}")
    _check_tree(conn)
    verifiers, rows = [parse_verifier(verifier)], conn.execute(_STORED).fetchall()
    for uid, envelope, message, index in rows:
        if uid not in answers or answers[uid]["index"] != index or bytes(message) != sent[uid].data:
            raise Lost(f"the peer: entry {uid} is not what was answered")
        _check_answer(answers[uid], sent[uid], bytes(envelope), verifiers)
    return len(rows)


def _check_answer(
    answer: Mapping[str, Any], signed: Signed, envelope: bytes, verifiers: Sequence[NoteVerifier]
) -> None:
    sender, uid = bytes.fromhex(signed.message.sender), signed.message.uid
    checked = verify_receipt(
        str(answer["receipt"]),
        verifiers,
        signed.data,
        envelope,
        origin=ORIGIN,
        sender_id=sender,
        uid=uid,
    )
    if not checked.ok:
        raise Lost(f"the peer: the receipt of {uid} does not verify: {checked.failure}")
    if (answer["entry"], answer["index"]) != (entry_id(sender, uid).hex(), checked.index):
        raise Lost(f"the peer: the answer of {uid} is not what its receipt says")


def _check_tree(conn: psycopg.Connection) -> None:
    """The stored leaves give the stored nodes, frontier and root; no index is missing and time never goes back."""
    rows = conn.execute("SELECT idx, leaf_hash, logged_at FROM bench_peer_leaf ORDER BY idx").fetchall()
    grown = Frontier.empty().append([bytes(digest) for _, digest, _ in rows])
    head = conn.execute("SELECT root, frontier, last_time FROM bench_peer_head").fetchone()
    assert head is not None
    times = [at for _, _, at in rows]
    nodes = conn.execute("SELECT level, start, hash FROM bench_peer_node").fetchall()
    holds = (
        [index for index, _, _ in rows] == list(range(len(rows)))
        and times == sorted(times)
        and (not times or head[2] == times[-1])
        and (bytes(head[0]), bytes(head[1])) == (grown.frontier.root(), grown.frontier.encode())
        and {Node(level, start, bytes(digest)) for level, start, digest in nodes} == set(grown.nodes)
    )
    if not holds:
        raise Lost("the peer: leaves, nodes and head do not belong together")
