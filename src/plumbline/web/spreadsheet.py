"""The one writer of exports (导出): CSV that a spreadsheet reads as text and numbers, and never as a formula.

See OWASP, CSV injection. Excel and its like take a cell for a formula by its first character, also in full width, and split at semicolons
where the region says so: both are seen to. What is a number stays one.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

CONTENT_TYPE = "text/csv; charset=utf-8"
#: Excel reads UTF-8 only with the mark.
MARK = "\ufeff"
_NUMBER = r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?"
_IS_NUMBER = re.compile(_NUMBER)
#: First characters of a formula; what becomes one of them in compatibility form is one, too.
_BEGINS = "=+-@\u2212"
#: A number that a semicolon begins and the same one, or the cell's end, ends is one wherever is split: at one kind, the other is text.
_BEHIND_SEMICOLON = re.compile(rf"(([;；])\s*)(?!{_NUMBER}\s*(?:\2|$))(?=\S)")
#: A negative number behind the last semicolon of a cell.
_OPEN_NUMBER = re.compile(r"([;；]\s*)(-[0-9.]+\s*)$")
#: What a quotation mark of the writer's own, which closes the cell, would make the beginning of a field that swallows the next line.
_OPEN_END = re.compile(r"[;；]$")
#: A quotation mark too: behind a semicolon the writer's own doubled one opens and closes a field of nothing.
_PASSED_OVER = "".join(each for each in map(chr, range(0x3001)) if each.isspace()) + '"\uff02'
_GAPS = {"Cc": " ", "Zl": " ", "Zp": " ", "Cf": "", "Cs": ""}


def safe_cell(text: str) -> str:
    """The text on one line, so that a spreadsheet never takes it, or what follows a semicolon in it, for a formula."""
    line = "".join(_GAPS.get(unicodedata.category(each), each) for each in text)
    line = _BEHIND_SEMICOLON.sub(lambda gap: f"{gap[1]}'" if _begins(line[gap.end() :]) else gap[1], line)
    return f"'{line}" if _begins(line) and not _IS_NUMBER.fullmatch(line) else line


def _begins(text: str) -> bool:
    """Whether a formula may begin here; what a spreadsheet passes over in front does not count."""
    first = text.lstrip(_PASSED_OVER)[:1]
    return bool(first) and unicodedata.normalize("NFKC", first)[:1] in _BEGINS


class _Echo:
    """A file that hands back what is written, so that rows can be streamed."""

    def write(self, line: str) -> str:
        """Return the line."""
        return line


def csv_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The mark, then each row as one line; made as they are asked for."""
    writer = csv.writer(_Echo())
    yield MARK
    for row in rows:
        yield writer.writerow(_beside_each_other([safe_cell(cell) for cell in row]))


def _beside_each_other(cells: list[str]) -> list[str]:
    """Where a spreadsheet splits at semicolons alone, cells run together: a negative number that begins what runs on is a formula then
    (`-2,5+…`). One that stands first in its row, or behind a semicolon, is marked as text; elsewhere a comma comes before it."""
    marked = [_OPEN_END.sub(r"\g<0> ", _OPEN_NUMBER.sub(r"\1'\2", cell)) for cell in cells]
    if len(marked) > 1 and marked[0].startswith("-"):
        marked[0] = f"'{marked[0]}"
    return marked
