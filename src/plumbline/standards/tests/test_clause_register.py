"""The register holds every clause once, in our own words (条文登记)."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from plumbline.standards.register import (
    DOCUMENTS,
    REGISTER_FOLDER,
    Force,
    RegisterError,
    load_open,
    load_register,
)

SPECIFICATION = Path(__file__).resolve().parents[4].parent / "shared" / "spec"


def specification_rows() -> list[dict[str, str]]:
    path = SPECIFICATION / "clauses.csv"
    if not path.is_file():
        pytest.skip("the specification folder is not beside this checkout")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_register_holds_399_clauses() -> None:
    assert len(load_register()) == 399


def test_every_document_of_the_folder_is_read() -> None:
    assert sorted(path.stem for path in REGISTER_FOLDER.glob("*.toml")) == sorted(DOCUMENTS)


@pytest.mark.clause("CECS 用词")
def test_the_forces_are_shall_should_may_and_note() -> None:
    counts = Counter(clause.force for clause in load_register())
    assert counts == {Force.SHALL: 337, Force.SHOULD: 13, Force.MAY: 8, Force.NOTE: 41}


def test_every_text_is_one_short_chinese_sentence() -> None:
    for clause in load_register():
        assert re.fullmatch(r"[^。\n]{4,60}。", clause.text), clause.id
        assert not re.search(r"[A-Za-z]{4,}", clause.text), clause.id


def test_the_register_agrees_with_the_specification() -> None:
    levels = {"must": "应", "should": "宜", "may": "可", "info": "说明"}
    expected = {
        row["id"]: (levels[row["level"]], row["module"], row["work"], row["verify_kind"])
        for row in specification_rows()
    }
    found = {
        clause.id: (clause.force.value, clause.module, clause.work, clause.verify)
        for clause in load_register()
    }
    assert found == expected


def test_no_text_is_a_sentence_of_the_documents() -> None:
    specification_rows()
    source = "".join(
        re.sub(r"\s", "", path.read_text(encoding="utf-8", errors="replace"))
        for path in SPECIFICATION.glob("*.txt")
    )
    copied = [clause.id for clause in load_register() if clause.text.rstrip("。") in source]
    assert copied == []


def test_every_open_clause_is_registered_and_has_a_reason() -> None:
    known = {clause.id for clause in load_register()}
    assert set(load_open().reasons) <= known
    assert all(len(reason) >= 8 for reason in load_open().reasons.values())


def write_register(folder: Path, rows: str) -> Path:
    for document in DOCUMENTS:
        (folder / f"{document}.toml").write_text(rows if document == "cecs" else "", encoding="utf-8")
    return folder


ROW = '[[clause]]\nid = "CECS 1"\nforce = "应"\nmodule = "all"\nwork = "x"\nverify = "T"\ntext = "一句话。"\n'


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (ROW + ROW, "登记了两次"),
        (ROW.replace("应", "必须"), "CECS 1"),
        (ROW.replace("一句话。", ""), "没有内容"),
        (ROW.replace("module", "modul"), "CECS 1"),
        ("[[clause", "读不出来"),
    ],
)
def test_a_damaged_register_is_refused_by_name(tmp_path: Path, rows: str, words: str) -> None:
    with pytest.raises(RegisterError, match=words):
        load_register(write_register(tmp_path, rows))


def test_an_open_clause_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open.toml"
    path.write_text('[[open]]\nids = ["CECS 1"]\nreason = " "\n', encoding="utf-8")
    with pytest.raises(RegisterError, match="没有写原因"):
        load_open(path)
