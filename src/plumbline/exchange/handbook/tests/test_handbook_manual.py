from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from plumbline.exchange.handbook.book import ROLES, book, senders_zh
from plumbline.exchange.handbook.layout import indented
from plumbline.exchange.handbook.manual import manual_html
from plumbline.exchange.handbook.openapi import openapi_document
from plumbline.exchange.messages import KINDS
from plumbline.exchange.problems import KINDS as PROBLEMS

PAGE = manual_html()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.forbidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag in {"script", "style"} or any(name == "style" or name.startswith("on") for name in names):
            self.forbidden.append(tag)
        if names.get("id"):
            self.ids.append(str(names["id"]))
        if tag == "a":
            self.links.append(str(names["href"]))


@pytest.fixture(scope="module")
def page() -> _Reader:
    reader = _Reader()
    reader.feed(PAGE)
    return reader


@pytest.mark.clause("GX 八(一)")
def test_the_page_has_every_kind_and_every_error() -> None:
    for tag, kind in KINDS.items():
        assert f"<code>{tag}</code>" in PAGE
        assert kind.title in PAGE
    assert all(f"<code>{slug}</code>" in PAGE for slug in PROBLEMS)


def test_the_page_runs_under_a_policy_without_inline_code(page: _Reader) -> None:
    assert page.forbidden == []
    assert '<link rel="stylesheet" href="/static/css/manual.css">' in PAGE


def test_anchors_are_unique_and_links_inside_lead_somewhere(page: _Reader) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_every_sender_role_has_a_chinese_name() -> None:
    for kind in KINDS.values():
        assert kind.senders <= set(ROLES)
        assert senders_zh(kind)


def test_every_table_row_is_as_wide_as_its_head() -> None:
    for chapter in book().chapters:
        for block in chapter.blocks:
            for row in getattr(block, "rows", ()):
                assert len(row) == len(block.head)  # type: ignore[union-attr]


def test_a_laid_out_example_is_the_same_value() -> None:
    data = json.dumps({"a": [1, {"b": "长" * 90}], "c": {}, "d": []}).encode()
    assert json.loads(indented(data)) == json.loads(data)


def test_every_reference_of_the_interface_description_leads_somewhere() -> None:
    document = openapi_document("https://jianguan.example/")
    assert document["servers"] == [{"url": "https://jianguan.example"}]
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        found = document
        for part in reference.split("/"):
            found = found[part]
        assert found


def test_operations_have_names_of_their_own() -> None:
    paths = openapi_document("https://jianguan.example")["paths"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(names) == len(set(names))
