"""The inventory of fields against the real catalogue, the real messages and the real file kinds (字段清单)."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from plumbline.supervision.gateway.uploads import MEDIA_TYPES
from plumbline.supervision.inventory import fields, page

ROOT = Path(__file__).parents[5]


@pytest.fixture
def catalogue(untouched_platform) -> list[tuple[str, str]]:
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        return conn.execute(fields.CATALOGUE.encode()).fetchall()


@pytest.mark.service
def test_every_column_has_a_class_and_nothing_else_has(catalogue) -> None:
    assert len(catalogue) > 800
    assert fields.unclassified(catalogue) == []
    assert fields.vanished(catalogue) == []


@pytest.mark.service
def test_a_new_column_and_a_dropped_one_are_named(catalogue) -> None:
    assert fields.unclassified([*catalogue, ("ops.file", "phone"), ("ops.diary", "id")]) == [
        "ops.file.phone",
        "ops.diary.id",
    ]
    assert fields.vanished([each for each in catalogue if each != ("ops.personal", "subject")]) == [
        "ops.personal.subject"
    ]


def test_a_message_field_without_class_is_named(monkeypatch) -> None:
    told = fields._read("messages")
    rest = told["fields"] | {"personal": [n for n in told["fields"]["personal"] if n != "witness"]}
    monkeypatch.setattr(fields, "_read", lambda name: told | {"fields": rest})
    assert "witnessing.recorded.witness" in fields.unclassified([])


def test_every_message_field_has_a_class_and_the_personal_part_is_personal() -> None:
    classes = fields.message_classes()
    for name in ("name", "resident_id", "phone", "face_sha256"):
        assert classes["PersonalFields", name] == "personal"
    assert classes["PersonalRecord", "salt"] == classes["PersonalRecord", "subject"] == "personal"


def test_every_entry_says_why_how_long_and_how_it_is_masked() -> None:
    assert fields.flaws() == []


def test_every_kind_of_file_that_is_taken_has_a_class() -> None:
    assert {
        name for name in fields.files() if "/" in name and "*" not in name and "." not in name
    } == MEDIA_TYPES


def test_the_page_in_the_documents_is_this_inventory() -> None:
    assert (ROOT / page.PAGE).read_text("utf-8") == page.text()
