"""The interface description and the gateway name the same addresses and methods; its shape is OpenAPI 3.1."""

from __future__ import annotations

import re
from typing import Any

import pytest

from plumbline.exchange.handbook.openapi import openapi_document
from plumbline.supervision.gateway.app import ROUTES

DOCUMENT = openapi_document("https://jianguan.example")
#: The form for typing a code, and the upper-case address of QR codes: pages for people.
PAGES = {"/v/", "/V/{code}"}
#: Streams for browsers, and the operator's probe.
NOT_EXCHANGE = ("/live/", "/healthz", "/a/")
METHODS = {"get", "head", "post", "patch", "put", "delete"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, each)
        for path, methods in DOCUMENT["paths"].items()
        for method, each in methods.items()
    ]


@pytest.mark.clause("GX 八(一)")
def test_the_description_has_exactly_the_gateways_addresses() -> None:
    served = {
        # The router's converters are its own affair: {index:path} is {index}.
        (re.sub(r":\w+\}", "}", path), method.lower())
        for path, _, methods in ROUTES
        for method in methods
        if path not in PAGES and not path.startswith(NOT_EXCHANGE)
    }
    assert {(path, method) for path, method, _ in operations()} == served


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_an_operation_has_what_openapi_requires(path: str, method: str, operation: dict[str, Any]) -> None:
    assert method in METHODS
    assert operation["operationId"]
    assert operation["summary"]
    for status, answer in operation["responses"].items():
        assert re.fullmatch(r"default|[1-5][0-9]{2}", status)
        assert "$ref" in answer or answer["description"]


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_parameters_of_the_path_are_those_described(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    given = [each for each in operation.get("parameters", []) if each.get("in") == "path"]
    assert {each["name"] for each in given} == set(re.findall(r"\{(\w+)\}", path))
    assert all(each["required"] and each["schema"] for each in given)


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_a_signed_operation_names_a_scheme_that_exists(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    schemes = {name for each in operation.get("security", []) for name in each}
    assert schemes <= set(DOCUMENT["components"]["securitySchemes"])


def test_the_head_of_the_document_is_openapi_3_1() -> None:
    assert re.fullmatch(r"3\.1\.\d+", DOCUMENT["openapi"])
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert set(DOCUMENT) <= {"openapi", "info", "servers", "paths", "components"}
