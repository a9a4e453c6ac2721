from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs

from plumbline.exchange.handbook.examples import example_bytes
from plumbline.exchange.handbook.fields import all_tables, fields_of_kind, header_fields, orphans, structures
from plumbline.exchange.handbook.schema import components, json_schema
from plumbline.exchange.messages import KINDS

TABLES = all_tables()


@pytest.mark.parametrize("owner", TABLES)
def test_every_field_has_a_meaning_and_a_type(owner: str) -> None:
    for row in TABLES[owner]:
        assert row.meaning, f"{owner}.{row.name}"
        assert row.type_zh, f"{owner}.{row.name}"


def test_no_text_is_left_over() -> None:
    assert orphans() == []


def test_the_header_is_told_once() -> None:
    assert [row.name for row in header_fields()] == [
        "v",
        "uid",
        "sender",
        "occurred_at",
        "supersedes",
        "reason",
    ]
    assert all(row.name != "uid" for kind in KINDS for row in fields_of_kind(kind))


def test_every_structure_that_a_field_names_has_its_table() -> None:
    named = {row.structure for rows in TABLES.values() for row in rows if row.structure}
    assert named <= set(structures())


def test_choices_are_the_code_list() -> None:
    rows = {row.name: row for row in fields_of_kind("commission.placed")}
    assert "witnessed" in rows["test_category"].choices
    assert rows["samples"].type_zh == "列表：32 位十六进制"
    assert not rows["witness"].required


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_validates_against_its_schema(kind: str) -> None:
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    assert not list(Draft202012Validator(schema).iter_errors(json.loads(example_bytes(kind))))


@pytest.mark.parametrize(
    ("field", "value"),
    [("v", 2), ("sender", "x"), ("extra", 1), ("kind", "report.applied"), ("specimens", "x")],
)
def test_a_schema_refuses_what_the_door_refuses(field: str, value: object) -> None:
    body = json.loads(example_bytes("run.recorded")) | {field: value}
    assert list(Draft202012Validator(json_schema("run.recorded")).iter_errors(body))


def test_patterns_are_those_of_json_schema() -> None:
    assert "(?!" not in json.dumps([json_schema(kind) for kind in KINDS] + [components()])
