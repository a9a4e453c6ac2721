"""Writes the published test vectors of the log's formats into ``vectors/`` (测试向量).

Run ``python -m plumbline.evidence.make_vectors`` after a deliberate change of format; a test holds the files
equal to what this module makes, so an accidental change cannot pass. Everything is deterministic. The private
keys are bytes([n]) * 32 and protect nothing. Binary values are lower-case hex; texts are JSON strings.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from plumbline.evidence.checkpoint import Checkpoint, sign_checkpoint
from plumbline.evidence.leaf import Leaf, entry_id, leaf_hash, sha256, sm3
from plumbline.evidence.receipt import make_receipt, verify_receipt
from plumbline.evidence.testing import (
    FIRST_INSTANT_US,
    InMemoryLog,
    InMemorySubtrees,
    Submission,
    make_cosigner,
    make_signer,
    make_sm2_cosigner,
    make_sm2_signer,
)
from plumbline.evidence.tree import Frontier, consistency_path, inclusion_path

FOLDER = Path(__file__).parent / "vectors"

ORIGIN = "demo.plumbline.example/vectors"
COSIGNER = "cosigner.example/upper-tier"

#: Sizes around every power of two, and around the border of a stored block.
TREE_SIZES = (*range(18), 31, 32, 33, 255, 256, 257, 600)
PROOF_SIZES = (1, 2, 3, 5, 7, 8, 13, 257, 600)


def counter_leaf(index: int) -> bytes:
    """The tree vectors' leaf data: the index as u32 big-endian."""
    return index.to_bytes(4, "big")


def make_vectors() -> dict[str, Any]:
    """All vector files by name, as JSON values."""
    return {
        "digests.json": _digests(),
        "leaf.json": _leaves(),
        "tree.json": _trees(),
        "inclusion.json": _inclusions(),
        "consistency.json": _consistencies(),
        "checkpoint.json": _checkpoints(),
        "receipt.json": _receipts(),
    }


def encode_vectors(value: Any) -> str:
    """The exact text of a vector file."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def write_vectors(folder: Path = FOLDER) -> None:
    """Write all vector files into ``folder``."""
    folder.mkdir(exist_ok=True)
    for name, value in make_vectors().items():
        (folder / name).write_text(encode_vectors(value), encoding="utf-8")


def _digests() -> Any:
    inputs = [b"", b"abc", b"abcd" * 16, "准绳".encode()]
    return [
        {
            "input": data.hex(),
            "sha256": sha256(data).hex(),
            "sm3": sm3(data).hex(),
            "leaf": leaf_hash(data).hex(),
        }
        for data in inputs
    ]


def _submission(number: int) -> Submission:
    return Submission(
        sender_id=sha256(b"institution %d" % (number % 3))[:16],
        uid=uuid.UUID(f"019b76da-a800-7000-8000-{number:012x}"),
        message=json.dumps({"type": "example", "number": number}).encode(),
        envelope=json.dumps({"key": "example", "number": number}).encode(),
    )


def _leaf_fields(leaf: Leaf) -> dict[str, Any]:
    return {
        "sender_id": leaf.sender_id.hex(),
        "uid": str(leaf.uid),
        "arrived_at_us": leaf.arrived_at_us,
        "logged_at_us": leaf.logged_at_us,
        "envelope_sha256": leaf.envelope_sha256.hex(),
        "message_sha256": leaf.message_sha256.hex(),
        "message_sm3": leaf.message_sm3.hex(),
    }


def _leaves() -> Any:
    made = []
    for number in range(3):
        item = _submission(number)
        leaf = Leaf.of(
            item.sender_id,
            item.uid,
            envelope=item.envelope,
            message=item.message,
            arrived_at_us=FIRST_INSTANT_US + number,
            logged_at_us=FIRST_INSTANT_US + 1_000 * number + 1,
        )
        made.append(
            {
                "fields": _leaf_fields(leaf),
                "message": item.message.decode(),
                "envelope": item.envelope.decode(),
                "bytes": leaf.encode().hex(),
                "entry_id": entry_id(item.sender_id, item.uid).hex(),
                "leaf_hash": leaf.hash().hex(),
            }
        )
    good = bytes.fromhex(str(made[0]["bytes"]))
    refused = {"short": good[:-1], "long": good + b"\0", "version": b"\x02" + good[1:], "empty": b""}
    late = good[:33] + b"\xff" * 8 + good[41:]
    return {
        "leaves": made,
        "refused": {name: data.hex() for name, data in (refused | {"instant": late}).items()},
    }


def _counter_hashes(size: int) -> list[bytes]:
    return [leaf_hash(counter_leaf(index)) for index in range(size)]


def _trees() -> Any:
    rows = []
    for size in TREE_SIZES:
        appended = Frontier.empty().append(_counter_hashes(size))
        nodes = [
            {"level": item.level, "start": item.start, "hash": item.hash.hex()} for item in appended.nodes
        ]
        frontier = appended.frontier
        rows.append(
            {"size": size, "root": frontier.root().hex(), "frontier": frontier.encode().hex(), "nodes": nodes}
        )
    return {"leaf": "index as u32 big-endian", "trees": rows}


def _inclusions() -> Any:
    rows = []
    for size in PROOF_SIZES:
        source = InMemorySubtrees(_counter_hashes(size))
        root = Frontier.empty().append(_counter_hashes(size)).frontier.root().hex()
        for index in sorted({0, 1, size // 2, 255, 256, size - 1} & set(range(size))):
            path = [item.hex() for item in inclusion_path(index, size, source)]
            rows.append({"index": index, "size": size, "root": root, "path": path})
    return {"leaf": "index as u32 big-endian", "proofs": rows}


def _consistencies() -> Any:
    source = InMemorySubtrees(_counter_hashes(max(PROOF_SIZES)))
    roots = {
        size: Frontier.empty().append(_counter_hashes(size)).frontier.root().hex() for size in PROOF_SIZES
    }
    rows = []
    for old in PROOF_SIZES:
        for new in (size for size in PROOF_SIZES if size >= old):
            path = [item.hex() for item in consistency_path(old, new, source)]
            rows.append(
                {"old": old, "new": new, "old_root": roots[old], "new_root": roots[new], "path": path}
            )
    return {"leaf": "index as u32 big-endian", "proofs": rows}


def _checkpoints() -> Any:
    signer, cosigner = make_signer(ORIGIN, 1), make_cosigner(COSIGNER, 2)
    national, national_cosigner = make_sm2_signer(ORIGIN, 3), make_sm2_cosigner(COSIGNER, 4)
    head = Checkpoint(ORIGIN, 600, Frontier.empty().append(_counter_hashes(600)).frontier.root())
    return {
        "body": head.body(),
        "log_seed": "01" * 32,
        "log_vkey": signer.verifier_key(),
        "cosigner_seed": "02" * 32,
        "cosigner_vkey": cosigner.verifier_key(),
        "cosigned_at": FIRST_INSTANT_US // 1_000_000,
        "note": sign_checkpoint(head, [signer]),
        "cosigned_note": sign_checkpoint(head, [signer, cosigner]),
        "sm2_secret": "03" * 32,
        "sm2_vkey": national.verifier_key(),
        "sm2_note": sign_checkpoint(head, [signer, national]),
        "sm2_cosigner_secret": "04" * 32,
        "sm2_cosigner_vkey": national_cosigner.verifier_key(),
        "sm2_cosigned_note": sign_checkpoint(head, [signer, national_cosigner]),
    }


def _receipts() -> Any:
    log, items = InMemoryLog(ORIGIN), [_submission(number) for number in range(300)]
    log.cosigners.append(make_cosigner(COSIGNER, 2))
    log.append(items[:250])
    receipt = log.append(items[250:])[20]
    item, other = items[270], items[271]
    stranger = InMemoryLog(ORIGIN, seed=9)
    strangers = stranger.append(items[270:271])[0]
    path = inclusion_path(270, 300, log.subtrees)
    moved = make_receipt(log.leaves[270], 271, path, log.checkpoint())
    swapped = make_receipt(log.leaves[271], 270, path, log.checkpoint())
    cases = [
        ("genuine", receipt, item.message, item.envelope),
        ("message with one byte changed", receipt, item.message.replace(b"270", b"271"), item.envelope),
        ("envelope of another entry", receipt, item.message, other.envelope),
        ("receipt of another entry", receipt, other.message, other.envelope),
        ("index changed", moved, item.message, item.envelope),
        ("leaf of another entry in the path", swapped, other.message, other.envelope),
        ("checkpoint size changed", receipt.replace("\n300\n", "\n301\n"), item.message, item.envelope),
        ("another log's key", strangers, item.message, item.envelope),
        ("cut off", receipt[: len(receipt) // 3], item.message, item.envelope),
    ]
    rows = []
    for name, text, message, envelope in cases:
        check = verify_receipt(text, log.verifiers, message, envelope)
        codes = [step.code for step in check.steps]
        rows.append(
            {"case": name, "ok": check.ok, "codes": codes, "receipt": text}
            | {"message": message.decode(), "envelope": envelope.decode()}
        )
    return {"log_vkey": log.signer.verifier_key(), "cases": rows}


if __name__ == "__main__":
    write_vectors()
