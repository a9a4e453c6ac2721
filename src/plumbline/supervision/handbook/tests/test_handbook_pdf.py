"""The printed handbook: every chapter, kind and error is on a page, nothing runs over the edge."""

from __future__ import annotations

import io
import unicodedata
from typing import Any

import pypdf
import pytest

from plumbline.exchange.handbook.blocks import Chapter, Code, Paragraph, Table
from plumbline.exchange.handbook.book import Book, book
from plumbline.exchange.messages import KINDS
from plumbline.exchange.problems import KINDS as PROBLEMS
from plumbline.supervision.handbook import manual_pdf
from plumbline.supervision.handbook.typesetting import render

POINTS_PER_MM = 72 / 25.4
pytestmark = pytest.mark.slow  # the whole handbook is set and read again


@pytest.fixture(scope="module")
def reader() -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(manual_pdf()))


@pytest.fixture(scope="module")
def texts(reader: pypdf.PdfReader) -> list[str]:
    return [page.extract_text() for page in reader.pages]


@pytest.mark.clause("GX 八(一)")
def test_every_kind_and_every_error_is_printed(texts: list[str]) -> None:
    whole = "".join("".join(texts).split())
    assert [tag for tag in KINDS if tag not in whole] == []
    assert [slug for slug in PROBLEMS if slug not in whole] == []


def test_the_contents_name_every_chapter_before_the_first_begins(texts: list[str]) -> None:
    contents = "".join(texts[1].split())
    assert [each.title for each in book().chapters if each.title not in contents] == []


def test_pages_are_numbered_after_the_cover(texts: list[str]) -> None:
    last = len(texts) - 1
    assert "第" not in texts[0]
    for number, text in enumerate(texts[1:], 1):
        assert f"第{number}页共{last}页" in "".join(text.split())


def test_chapters_are_bookmarks(reader: pypdf.PdfReader) -> None:
    top = [each.title for each in reader.outline if not isinstance(each, list)]
    assert top == [each.title for each in book().chapters]


def test_a_link_of_a_table_leads_inside_the_document(reader: pypdf.PdfReader) -> None:
    links = [annotation.get_object() for page in reader.pages for annotation in page.get("/Annots") or []]
    assert len(links) > len(KINDS)
    assert not [each for each in links if "/URI" in each.get("/A", {})]


def beyond_the_edge(reader: pypdf.PdfReader) -> list[str]:
    """Texts that reach into the right margin, by the least breadth that their letters can have."""
    edge = float(reader.pages[0].mediabox.width) - 17 * POINTS_PER_MM
    found: list[str] = []

    def visit(
        text: str, place: list[float], _: list[float], font: dict[str, Any] | None, size: float
    ) -> None:
        latin = 0.6 if "DejaVu" in str((font or {}).get("/BaseFont")) else 0.4
        # Chinese punctuation at the end of a line is set half as broad.
        wide = [each for each in text.strip() if unicodedata.east_asian_width(each) in "WF"]
        signs = sum(unicodedata.category(each).startswith("P") for each in wide)
        ems = len(wide) - signs / 2 + latin * (len(text.strip()) - len(wide))
        if text.strip() and place[4] + ems * size > edge:
            found.append(text)

    for page in reader.pages:
        page.extract_text(visitor_text=visit)
    return found


def test_nothing_is_printed_beyond_the_margin(reader: pypdf.PdfReader) -> None:
    assert beyond_the_edge(reader) == []


def test_a_line_that_cannot_be_broken_would_be_found() -> None:
    made = render(Book("书", (Chapter("a", "章", (Code("x" * 120),)),)))
    assert beyond_the_edge(pypdf.PdfReader(io.BytesIO(made))) == ["x" * 120]


def test_markup_in_a_text_is_printed_as_it_is() -> None:
    hostile = '#panic("x") $1/0$ *a* <b> \\ @d'
    blocks = (Paragraph(hostile), Code(hostile), Table(("甲",), ((hostile,),)))
    made = render(Book("书", (Chapter("a", "章", blocks),)))
    text = "".join("".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages).split())
    assert text.count("".join(hostile.split())) == 3


def test_it_is_set_once() -> None:
    assert manual_pdf() is manual_pdf()
