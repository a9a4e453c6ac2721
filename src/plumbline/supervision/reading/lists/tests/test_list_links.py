"""Whoever follows a link into a list finds it narrowed as the link says (名录链接): every name in it is one that the list knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.supervision.pages import preview

preview.configure()
from plumbline.supervision.reading.lists.listing import KINDS  # noqa: E402 (settings first)

SUPERVISION = Path(__file__).parents[3]
LINK = re.compile(rf"/({'|'.join(KINDS)})/\?((?:[a-z]+=(?:\{{[^}}]*\}}|[a-z_]*)&?)+)")
#: What every list reads beside its filters.
COMMON = {"q", "view", "sort"}


def links() -> Iterator[tuple[str, str, str]]:
    """(file, list, conditions) of every link into a list that stands in code or template."""
    for path in sorted((*SUPERVISION.rglob("*.py"), *SUPERVISION.rglob("*.html"))):
        if "tests" not in path.parts:
            for kind, asked in LINK.findall(path.read_text()):
                yield path.name, kind, asked


FOUND = sorted(set(links()))


def test_the_links_are_found() -> None:
    assert len(FOUND) > 8
    assert ("project.py", "findings", "project={key}") in FOUND


@pytest.mark.parametrize(("file", "kind", "asked"), FOUND)
def test_a_link_names_what_the_list_knows(file: str, kind: str, asked: str) -> None:
    known = COMMON | {each.key for each in KINDS[kind].filters}
    names = set(re.findall(r"([a-z]+)=", re.sub(r"\{[^}]*\}", "", asked)))
    assert names <= known
    views = {each.key for each in KINDS[kind].views}
    assert set(re.findall(r"view=([a-z]+)", asked)) <= views
