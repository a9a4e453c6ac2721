"""Who is shown what of a person (遮盖表): the golden table, held by hand, and the one place that masks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plumbline.exchange.masks import FIELDS, READERS, masked_name, name_for, shown

SOURCE = Path(__file__).parents[2]
#: Field → how it is shown to officer, institution, party, three administrators, public. Changed by hand only.
GOLDEN = {
    "name": "whole whole whole never never never masked",
    "resident_id": "never never never never never never never",
    "phone": "never never never never never never never",
    "face_sha256": "never never never never never never never",
    "contact": "on_request never never never never never never",
    "person": "whole whole whole never never whole never",
    "certificate_number": "whole whole whole never never never never",
}


@pytest.mark.parametrize("field", FIELDS)
def test_each_reader_is_shown_what_the_table_says(field: str) -> None:
    assert [shown(field, reader) for reader in READERS] == GOLDEN[field].split()


def test_the_table_knows_every_role_and_shows_strangers_nothing() -> None:
    roles = re.findall(
        r'^    [A-Z_]+ = "([a-z_]+)"$', (SOURCE / "supervision/access/principals.py").read_text("utf-8"), re.M
    )
    assert set(roles) == set(READERS)
    assert shown("name", "somebody") == "never" and name_for("somebody", "王海涛") == ""
    with pytest.raises(KeyError):
        shown("blood_group", "officer")


@pytest.mark.parametrize(
    ("name", "masked"),
    [("", "＊"), ("王", "＊"), ("王涛", "王＊"), ("王海涛", "王＊涛"), ("欧阳海涛", "欧＊＊涛")],
)
def test_a_name_is_masked(name: str, masked: str) -> None:
    assert masked_name(name) == masked


def test_a_name_as_each_reader_sees_it() -> None:
    seen = {reader: name_for(reader, "王海涛") for reader in READERS}
    assert seen["officer"] == seen["institution"] == seen["party"] == "王海涛"
    assert seen["public"] == "王＊涛"
    assert seen["audit_admin"] == name_for("public", "") == ""


def test_nothing_else_in_the_source_masks_names() -> None:
    """A second way would drift from the first: two had, by one star."""
    defined = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"def _?(masked|mask)_name\(", path.read_text("utf-8"))
    ]
    assert defined == ["exchange/masks.py"]
