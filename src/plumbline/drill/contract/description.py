"""The published description as the drill reads it (接口描述): operations, and what each of their answers must look like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

Schema = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one address."""

    name: str
    method: str
    path: str
    document: Mapping[str, Any]
    told: Mapping[str, Any]
    #: Validators by what they are of: making one costs more than using it.
    _validators: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def signed(self) -> bool:
        """Whether a signature is asked for."""
        return bool(self.told.get("security"))

    @property
    def answers(self) -> Mapping[str, Any]:
        """Documented answers by status."""
        answers: Mapping[str, Any] = self.told["responses"]
        return answers

    @cached_property
    def body(self) -> tuple[str, Schema] | None:
        """Media type and schema of the body, None when there is none."""
        content = self.told.get("requestBody", {}).get("content", {})
        return next(((kind, each["schema"]) for kind, each in content.items()), None)

    @cached_property
    def example(self) -> Any:
        """The body that the description shows."""
        content = self.told.get("requestBody", {}).get("content", {})
        return next((each["example"] for each in content.values() if "example" in each), None)

    def parameters(self, where: str) -> list[str]:
        """Names of the parameters `in` path, query or header, without those of the signature."""
        given = (self._resolved(each) for each in self.told.get("parameters", []))
        signature = {"Signature-Input", "Content-Digest", "Plumb-Message-Digest"}
        return [each["name"] for each in given if each["in"] == where and each["name"] not in signature]

    def address(self, values: Mapping[str, str]) -> str:
        """The path with its parameters filled in, each percent-encoded."""
        return re.sub(r"\{(\w+)\}", lambda m: quote(values.get(m[1], "0"), safe=""), self.path)

    def _resolved(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in told:
            found: Any = self.document
            for part in told["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            told = found
        return told

    def errors(self, key: str, schema: Schema, value: object) -> list[str]:
        """What of `value` does not fit; `key` names the schema among those of this operation."""
        if key not in self._validators:
            self._validators[key] = _validator(self.document, schema)
        return [
            f"{'/'.join(map(str, each.absolute_path)) or '（整体）'} {each.message[:160]}"
            for each in self._validators[key].iter_errors(value)
        ][:3]


def _validator(document: Mapping[str, Any], schema: Schema) -> Any:
    """Independent of the product's own decoder: jsonschema, with the document's components at hand."""
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    whole = {"components": document["components"]}
    registry: Any = Registry().with_resource("urn:document", DRAFT202012.create_resource(whole))
    rooted = _rooted(schema)
    return Draft202012Validator(rooted, registry=registry, format_checker=None)


def _rooted(schema: Any) -> Any:
    """References of the document, as seen from outside of it."""
    if isinstance(schema, dict):
        return {
            key: "urn:document" + each if key == "$ref" and isinstance(each, str) else _rooted(each)
            for key, each in schema.items()
        }
    return [_rooted(each) for each in schema] if isinstance(schema, list) else schema


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Every operation that a document describes."""
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield Operation(
                name=told["operationId"], method=method.upper(), path=path, document=document, told=told
            )
