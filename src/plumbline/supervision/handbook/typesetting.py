"""The handbook's chapters as A4 pages (手册排版): every text arrives as JSON and never in the template's source."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import typst

from plumbline import __version__
from plumbline.exchange.handbook.blocks import Block, Code, Heading, Items, Paragraph, Table, spans
from plumbline.exchange.handbook.book import Book, book
from plumbline.web.fonts import FONT_FAMILY, FONT_FOLDER

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
#: The engine's own face for code; it has no Chinese, which our family gives.
CODE_FAMILY = "DejaVu Sans Mono"
#: A column of cells up to this breadth (in Latin letters) is as wide as its widest cell; broader ones share the rest.
_NARROW = 30
#: A chapter of more blocks than this begins on a page of its own.
_LONG_CHAPTER = 20


class ManualError(Exception):
    """手册没有排出来."""


@cache
def manual_pdf() -> bytes:
    """The handbook of this version of the code as PDF; set once a process. `ManualError` when it cannot be set."""
    return render(book())


def render(handbook: Book) -> bytes:
    """PDF of a handbook; the same handbook gives the same pages. `ManualError` as :func:`manual_pdf`."""
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(FONT_FOLDER)]
    )
    if missing := {FONT_FAMILY, CODE_FAMILY} - set(fonts.families()):
        # Without its font a page comes out without words, and nothing is reported.
        raise ManualError(f"没有装好字体：{'、'.join(sorted(missing))}。")
    compiler = typst.Compiler(
        root=str(TEMPLATE_FOLDER),
        font_paths=fonts,
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(_inputs(handbook), ensure_ascii=False)},
    )
    try:
        output = compiler.compile(input=str(TEMPLATE_FOLDER / "manual.typ"), format="pdf")
    except typst.TypstError as error:
        raise ManualError(f"手册没有排出来：{error.message}") from error
    if not isinstance(output, bytes):
        raise ManualError("手册没有排出来：模板没有给出一个文件。")
    return output


def _inputs(handbook: Book) -> dict[str, Any]:
    return {
        "title": handbook.title,
        "version": __version__,
        "family": FONT_FAMILY,
        "code_family": CODE_FAMILY,
        "chapters": [
            {
                "title": _spans(each.title),
                "anchor": each.anchor,
                "own_page": len(each.blocks) > _LONG_CHAPTER,
                "blocks": [_block(inner) for inner in each.blocks],
            }
            for each in handbook.chapters
        ],
    }


def _spans(text: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for each in spans(text):
        anchor = each.target.removeprefix("#") if each.target.startswith("#") else ""
        made.append({"text": each.text, "code": each.is_code, "anchor": anchor})
        if each.target.startswith("/"):
            # Paper has no links, and its reader knows the platform's address.
            made += [
                {"text": "（", "code": False, "anchor": ""},
                {"text": each.target, "code": True, "anchor": ""},
                {"text": "）", "code": False, "anchor": ""},
            ]
    return made


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Heading():
            return {"type": "heading", "spans": _spans(block.text), "anchor": block.anchor}
        case Paragraph():
            return {"type": "paragraph", "spans": _spans(block.text)}
        case Items():
            return {
                "type": "items",
                "numbered": block.numbered,
                "items": [_spans(each) for each in block.texts],
            }
        case Code():
            return {"type": "code", "text": block.text}
        case Table():
            return {
                "type": "table",
                "widths": _widths(block),
                "head": [_spans(each) for each in block.head],
                "rows": [[_spans(cell) for cell in row] for row in block.rows],
            }


def _widths(table: Table) -> list[int]:
    """Share of each column in the breadth that is left; 0 for a column that takes what it needs."""
    widest = [max(_breadth(cell) for cell in cells) for cells in zip(table.head, *table.rows, strict=True)]
    shares = [0 if each <= _NARROW else 1 for each in widest]
    return shares if any(shares) else [*shares[:-1], 1]


def _breadth(text: str) -> int:
    """Breadth in Latin letters; a Chinese character counts two."""
    return sum(_breadth_of(letter) for span in spans(text) for letter in span.text)


def _breadth_of(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
