"""Machine export with ';' that holds several concrete specimens in one file (分号分隔的试验机导出).

Project line, test line (name; casting date; time; test date; time; age …), two summary lines, then for each
specimen a size line, column names, units, rows, and an empty line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from plumbline.acquisition.curve_scale import Floats
from plumbline.acquisition.recordings import compression
from plumbline.acquisition.recordings.model import (
    DEFAULT_LIMITS,
    Limits,
    Notes,
    Recording,
    RecordingError,
    measured,
)
from plumbline.acquisition.recordings.source import (
    Dialect,
    SourceFile,
    check_complete,
    check_count,
    numeric_rows,
)

FORMAT: Final = "eth_export"
_COLUMNS: Final = "Index;Element;Markierung;Zeit;Kraft"
_CUBE_SIZE_CELLS: Final = 9
_DIALECT: Final = Dialect(";")
#: The export's own maximum may lie this share beside the highest sample.
_MAXIMUM_TOLERANCE: Final = 0.005
_SUMMARY_MAXIMUM_CELL: Final = -3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The lines above the specimens."""

    project: str
    test: str
    cast_on: date | None
    tested: str
    age: str


def recognises(head: str) -> bool:
    """Whether the column line of this export stands near the top."""
    return any(line.startswith(_COLUMNS) for line in head.split("\n")[:12])


def parse(source: SourceFile, limits: Limits = DEFAULT_LIMITS) -> tuple[Recording, ...]:
    """All specimens of an export, in its order; raises `RecordingError` with line, reason and remedy."""
    check_complete(source)
    lines = [line.rstrip() for line in source.lines("latin-1")]
    starts = [index for index, line in enumerate(lines) if line.startswith(_COLUMNS)]
    if not starts or starts[0] < 3:
        raise RecordingError("wrong_header", "缺少项目、试验与试件行", "请由试验机软件重新导出")
    run = _run(lines)
    return tuple(_specimen(source, lines, start, run, limits) for start in starts)


def _run(lines: list[str]) -> _Run:
    cells = lines[1].split(";")
    if len(cells) < 6:
        raise RecordingError("wrong_header", "试验行应有名称、成型与试验日期、龄期", "请重新导出", 2)
    return _Run(
        project=lines[0].strip(),
        test=cells[0].strip(),
        cast_on=compression.written_date(cells[1]),
        tested=cells[3],
        age=cells[5].strip(),
    )


def _specimen(source: SourceFile, lines: list[str], start: int, run: _Run, limits: Limits) -> Recording:
    columns = lines[start].split(";")
    end = start + 2
    while end < len(lines) and lines[end]:
        end += 1
    check_count(end - start - 2, limits)
    table = numeric_rows(lines[start + 2 : end], start + 3, len(columns), _DIALECT)
    notes = Notes()
    sizes = lines[start - 1].split(";")
    header = _header(sizes, run, notes)
    series = _series(table, columns, lines[start + 1].split(";"))
    _compare_maximum(sizes, series, notes)
    notes.warn("shared_time", f"文件只有整组的试验时间（{run.tested}），没有每个试件的时间")
    return compression.build(FORMAT, source, header, series, notes)


def _header(sizes: list[str], run: _Run, notes: Notes) -> compression.Header:
    cube = len(sizes) == _CUBE_SIZE_CELLS and run.test.startswith("Compressive")
    if not cube:
        notes.refuse("no_method", f"试验“{run.test}”在检测方法目录中没有对应方法")
    width, height, length, mass = (*sizes[1:4], sizes[4]) if cube else (*sizes[1:3], None, sizes[3])
    return compression.Header(
        procedure=run.test,
        label=f"{run.project} {run.test} {sizes[0]}",
        # Width and height span the loaded face, whose area the export itself divides by.
        width=width,
        height=height,
        length=length,
        mass=mass,
        typed_date=run.tested,
        cast_on=run.cast_on,
        group=f"{run.project}|{run.age}",
    )


def _series(table: Floats, columns: list[str], units: list[str]) -> compression.Measured:
    time, force = columns.index("Zeit"), columns.index("Kraft")
    if (units[time], units[force]) != ("s", "kN"):
        raise RecordingError("wrong_unit", f"时间与力的单位是 {units[time]}、{units[force]}", "应为 s 与 kN")
    travel = next((index for index, name in enumerate(columns) if name in {"Weg", "Extern"}), None)
    return compression.Measured(
        time_s=table[:, time],
        force_kN=table[:, force],
        stroke_mm=None if travel is None else table[:, travel],
        force_column="Kraft",
        stroke_column="" if travel is None else columns[travel],
        first_block=len(table),
    )


def _compare_maximum(sizes: list[str], series: compression.Measured, notes: Notes) -> None:
    stated = measured(sizes[_SUMMARY_MAXIMUM_CELL])
    highest = float(series.force_kN.max())
    if stated is None:
        return
    if abs(float(stated.value) - highest) > _MAXIMUM_TOLERANCE * highest:
        notes.warn("maximum_conflict", f"文件标注最大力 {stated} kN，曲线最大 {highest:.2f} kN")
