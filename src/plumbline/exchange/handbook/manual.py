"""The handbook as one HTML page (手册网页): complete, without script or inline style, readable without
login."""

from __future__ import annotations

from functools import cache
from html import escape

from plumbline.exchange.handbook.blocks import (
    Block,
    Chapter,
    Code,
    Heading,
    Items,
    Paragraph,
    Span,
    Table,
    spans,
)
from plumbline.exchange.handbook.book import Book, book

_PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/static/css/tokens.css">
<link rel="stylesheet" href="/static/css/base.css">
<link rel="stylesheet" href="/static/css/manual.css">
</head>
<body class="manual">
<a class="skip" href="#content">跳到正文</a>
<header class="manual-head"><h1>{title}</h1>
<p><a href="/x/manual.pdf">PDF</a> <a href="/x/openapi.json">OpenAPI 3.1</a></p></header>
<nav class="manual-nav" aria-label="目录"><ol>
{contents}
</ol></nav>
<main class="manual-main" id="content" tabindex="-1">
{chapters}
</main>
</body>
</html>
"""


@cache
def manual_html() -> str:
    """The whole page as text; the same for one version of the code."""
    return render(book())


def render(handbook: Book) -> str:
    """HTML of a handbook; every text is escaped."""
    contents = "\n".join(
        f'<li><a href="#{escape(each.anchor)}">{_inline(each.title)}</a></li>' for each in handbook.chapters
    )
    chapters = "\n".join(_chapter(each) for each in handbook.chapters)
    return _PAGE.format(title=escape(handbook.title), contents=contents, chapters=chapters)


def _chapter(chapter: Chapter) -> str:
    inner = "\n".join(_block(each) for each in chapter.blocks)
    return f'<section id="{escape(chapter.anchor)}">\n<h2>{_inline(chapter.title)}</h2>\n{inner}\n</section>'


def _inline(text: str) -> str:
    return "".join(_span(each) for each in spans(text))


def _span(span: Span) -> str:
    inner = f"<code>{escape(span.text)}</code>" if span.is_code else escape(span.text)
    return f'<a href="{escape(span.target)}">{inner}</a>' if span.target else inner


def _block(block: Block) -> str:
    match block:
        case Heading():
            anchor = f' id="{escape(block.anchor)}"' if block.anchor else ""
            return f"<h3{anchor}>{_inline(block.text)}</h3>"
        case Paragraph():
            return f"<p>{_inline(block.text)}</p>"
        case Items():
            tag = "ol" if block.numbered else "ul"
            inner = "".join(f"<li>{_inline(each)}</li>" for each in block.texts)
            return f"<{tag}>{inner}</{tag}>"
        case Code():
            return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_inline(each)}</th>' for each in table.head)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    inner = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>"
    return f'<div class="wide" tabindex="0"><table>\n{inner}\n</table></div>'
