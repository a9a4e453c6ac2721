"""A recording's bytes and strict numeric tables in them (记录文件与数据表读取)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from plumbline.acquisition.curve_scale import Floats
from plumbline.acquisition.recordings.model import DEFAULT_LIMITS, Limits, RecordingError

#: Lines that a header, several blocks and their units may take beside the readings.
_HEADER_ALLOWANCE: Final = 2_000
_LONGEST_CELL: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """The bytes of one file as read once; every parser works from these, so hash and content agree."""

    path: Path
    content: bytes
    sha256: str

    @property
    def name(self) -> str:
        """The file name."""
        return self.path.name

    def lines(self, encoding: str) -> list[str]:
        """The lines without their ends; raises `RecordingError` when the bytes are not in the encoding."""
        try:
            text = self.content.decode(encoding)
        except UnicodeDecodeError as exc:
            raise RecordingError(
                "wrong_encoding", f"文件不是 {encoding} 编码", "请由试验机软件重新导出"
            ) from exc
        return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table writes its cells."""

    separator: str
    decimal: str = "."

    @property
    def number(self) -> re.Pattern[str]:
        """What a number looks like; NaN, infinity, hexadecimal and underscores do not."""
        point = re.escape(self.decimal)
        return re.compile(rf"[-+]?[0-9]+(?:{point}[0-9]+)?(?:[eE][-+]?[0-9]{{1,3}})?", re.ASCII)


def load(path: Path, limits: Limits = DEFAULT_LIMITS) -> SourceFile:
    """Read one file; raises `RecordingError` when it is missing, empty, too large or not text."""
    if not path.is_file():
        raise RecordingError("not_a_file", f"“{path.name}”不是可读文件", "请检查路径")
    size = path.stat().st_size
    if size == 0:
        raise RecordingError("empty", "文件是空的（0 字节）", "请由试验机软件重新导出")
    if size > limits.max_bytes:
        raise _too_large(f"文件有 {size} 字节，超过上限 {limits.max_bytes} 字节")
    content = path.read_bytes()
    if b"\0" in content:
        raise RecordingError("binary", "文件含有二进制内容，不是文本记录", "请导出为文本格式")
    if content.count(b"\n") > limits.max_points + _HEADER_ALLOWANCE:
        raise _too_large(f"文件行数超过每条曲线 {limits.max_points} 点的上限")
    return SourceFile(path=path, content=content, sha256=hashlib.sha256(content).hexdigest())


def numeric_rows(rows: Sequence[str], first_line: int, columns: int, dialect: Dialect) -> Floats:
    """A table of shape (rows, columns); strict: each breach names its line.

    ``first_line`` is the one-based line number of the first row. Raises `RecordingError` for a row that is
    too short (a truncated file), too long, or holds a cell that is no number in the dialect.
    """
    number = dialect.number
    table = np.empty((len(rows), columns), dtype=np.float64)
    for offset, row in enumerate(rows):
        cells = row.split(dialect.separator)
        if len(cells) != columns:
            raise _wrong_width(first_line + offset, len(cells), columns)
        for column, cell in enumerate(cells):
            text = cell.strip()
            if len(text) > _LONGEST_CELL or not number.fullmatch(text):
                raise _no_number(first_line + offset, text, dialect)
            table[offset, column] = float(text.replace(dialect.decimal, "."))
    if not bool(np.isfinite(table).all()):
        raise RecordingError("not_finite", "数值过大，不是有限数", "请由试验机软件重新导出")
    return table


def simple_table(source: SourceFile, header: str, dialect: Dialect, limits: Limits) -> Floats:
    """The readings of a file that is one header line and rows; at least three rows."""
    lines = source.lines("utf-8")
    if lines[0].strip() != header:
        raise RecordingError("wrong_header", f"表头不是“{header}”", "请检查文件格式", 1)
    while lines and not lines[-1].strip():
        lines.pop()
    check_count(len(lines) - 1, limits)
    return numeric_rows(lines[1:], 2, header.count(dialect.separator) + 1, dialect)


def check_count(points: int, limits: Limits) -> None:
    """Raise `RecordingError` when a curve has fewer than three readings or more than allowed."""
    if points > limits.max_points:
        raise _too_large(f"曲线有 {points} 点，超过每条曲线 {limits.max_points} 点的上限")
    if points < 3:
        raise RecordingError("too_few_points", f"曲线只有 {max(points, 0)} 点", "文件可能不完整，请重新导出")


def check_complete(source: SourceFile) -> None:
    """Raise `RecordingError` when the last line has no end: this program always writes one."""
    if not source.content.endswith((b"\n", b"\r")):
        raise RecordingError("truncated", "最后一行没有结束，文件被截断", "请由试验机软件重新导出完整文件")


def _too_large(reason: str) -> RecordingError:
    return RecordingError("too_large", reason, "请降低采样率或分段导出")


def _wrong_width(line: int, found: int, expected: int) -> RecordingError:
    if found < expected:
        reason = f"只有 {found} 列，应为 {expected} 列，文件可能被截断或小数点格式不符"
        return RecordingError("truncated", reason, "请由试验机软件重新导出完整文件", line)
    reason = f"有 {found} 列，应为 {expected} 列"
    return RecordingError("wrong_columns", reason, "请检查分隔符与小数点", line)


def _no_number(line: int, text: str, dialect: Dialect) -> RecordingError:
    other = "," if dialect.decimal == "." else "."
    if other in text:
        reason = f"“{text[:40]}”的小数点与文件格式不符（应为“{dialect.decimal}”）"
        return RecordingError("wrong_decimal", reason, "请按原格式重新导出，勿用表格软件另存", line)
    return RecordingError("not_a_number", f"“{text[:40]}”不是数值", "请由试验机软件重新导出", line)
