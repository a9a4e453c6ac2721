"""JSON Schema 2020-12 of message kinds and of the submission (结构描述), made from the types that decode
them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from plumbline.exchange.handbook.fields import meaning
from plumbline.exchange.messages import KINDS
from plumbline.exchange.submission import Submission

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Python spells "end of text" so; ECMA 262, which JSON Schema follows, has no newline before its `$`.
_PYTHON_END = r"$(?!\n)"


def json_schema(kind: str) -> dict[str, Any]:
    """The schema of one message kind, complete in itself, with Chinese descriptions; KeyError for an unknown
    kind."""
    row = KINDS[kind]
    (root,), definitions = msgspec.json.schema_components([row.type], ref_template="#/$defs/{name}")
    named = {name: _described(name, each) for name, each in definitions.items()}
    own = named.pop(row.type.__name__)
    own["properties"]["kind"] = {"const": kind, "description": meaning(kind, "kind")}
    own = _described(kind, own)
    schema = {"$schema": DIALECT, "$id": f"/x/schemas/{kind}.json", "title": f"{row.title}（{kind}）", **own}
    assert root
    if named:
        schema["$defs"] = named
    return schema


def components() -> dict[str, Any]:
    """Schemas of all kinds and of the submission for an OpenAPI document, under `#/components/schemas/`."""
    types = [row.type for row in KINDS.values()]
    _, definitions = msgspec.json.schema_components(
        [*types, Submission], ref_template="#/components/schemas/{name}"
    )
    by_class = {row.type.__name__: row.tag for row in KINDS.values()}
    named = {name: _described(by_class.get(name, name), each) for name, each in definitions.items()}
    named["Message"] = {
        "description": "一条消息；kind 决定其余字段",
        "oneOf": [{"$ref": f"#/components/schemas/{each.__name__}"} for each in types],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {row.tag: f"#/components/schemas/{row.type.__name__}" for row in KINDS.values()},
        },
    }
    named["Submission"]["properties"]["message"] = {"$ref": "#/components/schemas/Message"}
    return named


def _described(owner: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with ECMA patterns, without docstrings, and with the handbook's meaning on each property."""
    made: dict[str, Any] = _clean(schema)
    made.pop("description", None)
    for name, each in made.get("properties", {}).items():
        if text := meaning(owner, name):
            each["description"] = text
    return made


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _clean(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return value.replace(_PYTHON_END, "$") if isinstance(value, str) else value
