from __future__ import annotations

import json
from typing import Any

import pytest

from plumbline.evidence.checkpoint import UntrustedCheckpoint, open_checkpoint, parse_verifier
from plumbline.evidence.leaf import leaf_hash, sha256, sm3
from plumbline.evidence.make_vectors import FOLDER, counter_leaf, encode_vectors, make_vectors, write_vectors
from plumbline.evidence.receipt import verify_receipt
from plumbline.evidence.tree import Frontier, verify_consistency, verify_inclusion

NAMES = sorted(path.name for path in FOLDER.glob("*.json"))


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_the_files_are_what_the_code_makes() -> None:
    made = {name: encode_vectors(value) for name, value in make_vectors().items()}
    assert made == {name: (FOLDER / name).read_text(encoding="utf-8") for name in NAMES}


def test_the_files_can_be_written_elsewhere(tmp_path) -> None:
    write_vectors(tmp_path / "vectors")
    assert sorted(path.name for path in (tmp_path / "vectors").iterdir()) == NAMES


def test_the_digests_hold() -> None:
    for row in load("digests.json"):
        data = bytes.fromhex(row["input"])
        digests = (sha256(data).hex(), sm3(data).hex(), leaf_hash(data).hex())
        assert digests == (row["sha256"], row["sm3"], row["leaf"])


def test_the_trees_grow_leaf_by_leaf_into_the_published_ones() -> None:
    frontier, rows = Frontier.empty(), {row["size"]: row for row in load("tree.json")["trees"]}
    nodes: list[dict[str, Any]] = []
    for size in range(max(rows) + 1):
        if size in rows:
            assert frontier.root().hex() == rows[size]["root"]
            assert Frontier.decode(bytes.fromhex(rows[size]["frontier"])) == frontier
            assert nodes == rows[size]["nodes"]
        appended = frontier.append([leaf_hash(counter_leaf(size))])
        frontier = appended.frontier
        nodes += [
            {"level": item.level, "start": item.start, "hash": item.hash.hex()} for item in appended.nodes
        ]


def test_the_inclusion_proofs_verify() -> None:
    for row in load("inclusion.json")["proofs"]:
        path = [bytes.fromhex(item) for item in row["path"]]
        leaf = leaf_hash(counter_leaf(row["index"]))
        assert verify_inclusion(leaf, row["index"], row["size"], path, bytes.fromhex(row["root"]))


def test_the_consistency_proofs_verify() -> None:
    for row in load("consistency.json")["proofs"]:
        path = [bytes.fromhex(item) for item in row["path"]]
        roots = bytes.fromhex(row["old_root"]), bytes.fromhex(row["new_root"])
        assert verify_consistency(row["old"], row["new"], path, *roots)


def test_the_checkpoints_open() -> None:
    row = load("checkpoint.json")
    verifiers = [parse_verifier(row["log_vkey"]), parse_verifier(row["cosigner_vkey"])]
    assert open_checkpoint(row["note"], verifiers).cosigned_by == ()
    (cosigner,) = open_checkpoint(row["cosigned_note"], verifiers).cosigned_by
    assert cosigner.at.timestamp() == row["cosigned_at"]
    national = [parse_verifier(row["log_vkey"]), parse_verifier(row["sm2_cosigner_vkey"])]
    (other,) = open_checkpoint(row["sm2_cosigned_note"], national).cosigned_by
    assert (other.name, other.at, other.algorithm) == (cosigner.name, cosigner.at, "sm2")


def test_the_checkpoint_of_the_gm_suite_opens_under_either_key() -> None:
    row = load("checkpoint.json")
    ours, national = parse_verifier(row["log_vkey"]), parse_verifier(row["sm2_vkey"])
    for verifiers in ([ours], [national], [ours, national]):
        assert open_checkpoint(row["sm2_note"], verifiers).signed_by == (ours.name,) * len(verifiers)
    with pytest.raises(UntrustedCheckpoint):
        open_checkpoint(row["note"], [national])


@pytest.mark.parametrize("row", load("receipt.json")["cases"], ids=lambda row: row["case"])
def test_the_receipts_are_judged_as_published(row: dict[str, Any]) -> None:
    verifiers = [parse_verifier(load("receipt.json")["log_vkey"])]
    check = verify_receipt(row["receipt"], verifiers, row["message"].encode(), row["envelope"].encode())
    assert check.ok is row["ok"] is (row["case"] == "genuine")
    assert [step.code for step in check.steps] == row["codes"]
