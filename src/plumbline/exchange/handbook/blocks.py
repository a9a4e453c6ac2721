"""Parts of a handbook chapter (正文块), the same for the page and the PDF; in texts, backticks mark code and
`[words](#anchor)` leads to an anchor of the handbook, `[words](/path)` to a page of the platform."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARKS = re.compile(r"\[(?P<words>[^\]]+)\]\((?P<target>[#/][^)]*)\)|`(?P<code>[^`]+)`")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text."""

    text: str
    is_code: bool = False
    #: `#anchor` or a path of the platform; empty for what leads nowhere
    target: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a chapter; `anchor` names it for links."""

    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list; numbered when the order counts."""

    texts: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be read literally."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; every row has as many cells as `head`."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Items | Code | Table


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter with the anchor under which it is linked."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


def spans(text: str) -> list[Span]:
    """The pieces of a text in order; a link may be code as a whole, not in part."""
    pieces, end = [], 0
    for mark in _MARKS.finditer(text):
        pieces.append(Span(text[end : mark.start()]))
        words, end = mark["words"], mark.end()
        if words is None:
            pieces.append(Span(mark["code"], is_code=True))
        else:
            pieces.append(Span(words.strip("`"), is_code=words.startswith("`"), target=mark["target"]))
    pieces.append(Span(text[end:]))
    return [piece for piece in pieces if piece.text]
