from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from plumbline.evidence.leaf import entry_id
from plumbline.exchange.claims import CONTEXT, claims_hold
from plumbline.exchange.curves import decode_dzv, encode_dzv
from plumbline.exchange.make_vectors import FOLDER, encode_vectors, make_vectors, write_vectors
from plumbline.exchange.origin import origin_bytes, verify_origin
from plumbline.exchange.personal import PersonalFields, record_digest
from plumbline.exchange.submission import OriginSignature

NAMES = sorted(path.name for path in FOLDER.glob("*.json"))


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_the_files_are_what_the_code_makes() -> None:
    made = {name: encode_vectors(value) for name, value in make_vectors().items()}
    assert made == {name: (FOLDER / name).read_text(encoding="utf-8") for name in NAMES}


def test_the_files_can_be_written_elsewhere(tmp_path: Path) -> None:
    write_vectors(tmp_path / "vectors")
    assert sorted(path.name for path in (tmp_path / "vectors").iterdir()) == NAMES


def test_the_origin_signatures_hold() -> None:
    rows, key = load("origin.json"), bytes.fromhex(load("origin.json")["key"])
    messages = [each.encode() for each in rows["messages"]]
    assert origin_bytes(messages[0]).hex() == rows["single_signed_bytes"]
    assert verify_origin(msgspec.convert(rows["single"], OriginSignature), key, messages[0])
    for row, message in zip(rows["batch"], messages, strict=True):
        assert verify_origin(msgspec.convert(row, OriginSignature), key, message)


def test_the_personal_digests_hold() -> None:
    for row in load("personal.json"):
        fields = PersonalFields(**row["fields"])
        assert record_digest(base64.b64decode(row["salt"]), row["subject"], fields) == row["ref"]


@pytest.mark.parametrize("row", load("dzv.json"))
def test_the_curves_decode(row: dict[str, Any]) -> None:
    assert decode_dzv(base64.b64decode(row["dzv"])) == row["values"]
    assert base64.b64encode(encode_dzv(row["values"])).decode() == row["dzv"]


def test_the_claims_hold() -> None:
    row = load("claims.json")
    claims = claims_hold(row["fragment"], "ed25519", bytes.fromhex(row["key"]))
    assert claims is not None
    assert (CONTEXT + claims.encode()).hex() == row["signed_bytes"]
    assert (claims.code, claims.report_number, claims.verdict) == (
        row["code"],
        row["report_number"],
        row["verdict"],
    )


def test_the_entry_ids_hold() -> None:
    for row in load("entry_id.json"):
        assert entry_id(bytes.fromhex(row["sender"]), UUID(row["uid"])).hex() == row["entry"]
