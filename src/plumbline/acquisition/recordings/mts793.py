"""Raw files of MTS TestSuite 793 MPT controllers, German locale (MTS793 原始记录).

Latin-1, tab separated, the decimal mark stated in the first line. One or more header blocks ("Bediener
Information"), then blocks of readings ("Datenerfassung"), each with column names, units and rows. A block may
go on where the controller's buffer was full, or hold only the highest and lowest reading of each channel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from plumbline.acquisition.curve_scale import Floats
from plumbline.acquisition.recordings import compression
from plumbline.acquisition.recordings.model import DEFAULT_LIMITS, Limits, Notes, Recording, RecordingError
from plumbline.acquisition.recordings.source import (
    Dialect,
    SourceFile,
    check_complete,
    check_count,
    numeric_rows,
)
from plumbline.domain.basics.quantities import MeasuredDecimal

FORMAT: Final = "mts793"
MAGIC: Final = "MTS793|"
_HEADER: Final = "Bediener Information"
_BLOCK: Final = "Datenerfassung"
_TIME: Final = "Laufzeit"
_STAMP: Final = re.compile(r"[0-9]{2}\.[0-9]{2}\.[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}")
#: Day zero of the controller's day numbers.
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - the machine's clock carries no zone
#: A block goes on with the one before when it starts within so many sampling intervals.
_CONTINUES_WITHIN: Final = 3.0
_UNITS: Final = {"force": {"kN": 1.0, "N": 0.001}, "stroke": {"mm": 1.0}, "time": {"s": 1.0}}


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    columns: list[str]
    units: list[str]
    rows: Floats
    #: Wall clock and running time when the block was written.
    stamp: datetime | None
    running_s: float | None


def recognises(head: str) -> bool:
    """Whether the first characters of a file are those of this format."""
    return head.startswith(MAGIC)


def parse(source: SourceFile, limits: Limits = DEFAULT_LIMITS) -> tuple[Recording, ...]:
    """The one recording of a raw file; raises `RecordingError` with line, reason and remedy."""
    check_complete(source)
    lines = source.lines("latin-1")
    dialect = _dialect(lines[0])
    header, blocks = _header(lines), _blocks(lines, dialect, limits)
    notes = Notes()
    curve = _join([block for block in blocks if _TIME in block.columns], notes)
    check_count(len(curve.rows), limits)
    series = _series(curve, blocks)
    return (compression.build(FORMAT, source, header, series, notes),)


def _dialect(first: str) -> Dialect:
    fields = first.split("|")
    if not first.startswith(MAGIC) or len(fields) < 8 or fields[5] not in {",", "."}:
        raise RecordingError("wrong_header", "首行不是完整的 MTS793 文件头", "请导出原始 .dat 文件", 1)
    return Dialect("\t", fields[5])


def _header(lines: list[str]) -> compression.Header:
    typed: dict[str, str] = {}
    procedure, inside = "", False
    for line in lines:
        cells = line.split("\t")
        if line.startswith(_HEADER):
            inside = not line.startswith(f"{_HEADER} Ende")
            procedure = procedure or next((cell for cell in cells[1:4] if cell.strip()), "").strip()
        elif inside and len(cells) >= 2:
            # The same field is typed "Masse [g]:", "Masse :" and "Masse" by three generations of procedure.
            key = cells[0].split("[")[0].rstrip(" :").strip()
            typed.setdefault(key, cells[1].strip())
    if not typed:
        raise RecordingError("wrong_header", "缺少试件信息段（Bediener Information）", "请导出完整的原始文件")
    label = typed.get("Probe") or typed.get("Probebezeichnung") or typed.get("Probenbezeichnung") or ""
    return compression.Header(
        procedure=procedure,
        label=label,
        width=typed.get("Breite"),
        height=typed.get("Höhe"),
        length=typed.get("Länge Einfüllseite") or typed.get("Länge"),
        diameter=typed.get("Durchmesser"),
        mass=typed.get("Masse"),
        typed_date=typed.get("Datum"),
        operator=typed.get("Prüfer"),
    )


def _blocks(lines: list[str], dialect: Dialect, limits: Limits) -> list[_Block]:
    blocks: list[_Block] = []
    start = 0
    while start < len(lines):
        if not lines[start].startswith(_BLOCK):
            start += 1
            continue
        end = start + 1
        while end < len(lines) and lines[end].strip():
            end += 1
        if end - start > 3:
            blocks.append(_block(lines, start, end, dialect))
        start = end
    if sum(len(block.rows) for block in blocks) > limits.max_points:
        check_count(sum(len(block.rows) for block in blocks), limits)
    return blocks


def _block(lines: list[str], start: int, end: int, dialect: Dialect) -> _Block:
    title, columns, units = lines[start], lines[start + 1].split("\t"), lines[start + 2].split("\t")
    if len(units) != len(columns):
        raise RecordingError("wrong_columns", "列名与单位的列数不同", "请重新导出", start + 3)
    rows = numeric_rows(lines[start + 3 : end], start + 4, len(columns), dialect)
    stamp = _STAMP.search(title)
    running = next((cell for cell in title.split("\t")[1:] if dialect.number.fullmatch(cell.strip())), None)
    return _Block(
        columns=columns,
        units=units,
        rows=rows,
        stamp=_clock(stamp[0]) if stamp else None,
        running_s=float(running.replace(dialect.decimal, ".")) if running else None,
    )


def _clock(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%d.%m.%Y %H:%M:%S")  # noqa: DTZ007 - naive by contract
    except ValueError:
        return None


def _join(blocks: list[_Block], notes: Notes) -> _Block:
    """The first block with every block that goes on where it ended; others are summaries and named."""
    if not blocks:
        raise RecordingError("no_readings", "没有带时间（Laufzeit）的数据段", "请导出完整的原始文件")
    first = blocks[0]
    times, rows = _column(first, _TIME, "time")[1], [first.rows]
    interval = float(np.median(np.diff(times))) if times.size > 1 else 0.0
    last, sizes = float(times[-1]), [len(first.rows)]
    for block in blocks[1:]:
        begins = _column(block, _TIME, "time")[1]
        if block.columns == first.columns and 0 < begins[0] - last <= _CONTINUES_WITHIN * interval:
            rows.append(block.rows)
            sizes.append(len(block.rows))
            last = float(begins[-1])
        else:
            notes.warn("block_ignored", f"另有 {len(block.rows)} 行不接续的数据段（极值汇总），未计入曲线")
    if len(rows) > 1:
        notes.warn("blocks_joined", f"曲线由 {len(rows)} 段接续而成（{'、'.join(map(str, sizes))} 点）")
    return _Block(first.columns, first.units, np.concatenate(rows), first.stamp, first.running_s)


def _series(curve: _Block, blocks: list[_Block]) -> compression.Measured:
    force_name, force = _force(curve)
    stroke_name = next((name for name in curve.columns if name.endswith("Weg")), None)
    stroke = _column(curve, stroke_name, "stroke")[1] if stroke_name else None
    time_s = _column(curve, _TIME, "time")[1]
    first_block = next(block for block in blocks if _TIME in block.columns)
    started = None
    if curve.stamp is not None and curve.running_s is not None:
        started = curve.stamp - timedelta(seconds=curve.running_s - float(time_s[0]))
    return compression.Measured(
        time_s=time_s,
        # Compression is negative on this machine; the stroke keeps its sign against the force.
        force_kN=-force,
        stroke_mm=None if stroke is None else -stroke,
        force_column=force_name,
        stroke_column=stroke_name or "",
        first_block=len(first_block.rows),
        started_at=started,
        controller_started_at=_controller_start(curve),
        peak_hold_kN=_peak_hold(blocks),
    )


def _force(block: _Block) -> tuple[str, Floats]:
    """The measured force. "Kraft Sollwert" beside it is the set point: a ruler-straight line, never data."""
    names = [name for name in block.columns if "raft" in name and "Sollwert" not in name]
    if len(names) != 1:
        found = "、".join(block.columns)
        raise RecordingError("no_force", f"找不到唯一的实测力通道（列：{found}）", "请导出实测力值通道")
    return _column(block, names[0], "force")


def _column(block: _Block, name: str, quantity: str) -> tuple[str, Floats]:
    index = block.columns.index(name)
    factor = _UNITS[quantity].get(block.units[index].strip())
    if factor is None:
        raise RecordingError("wrong_unit", f"“{name}”的单位“{block.units[index]}”不认识", "请改用 kN、mm、s")
    values: Floats = block.rows[:, index] * factor
    return name, values


def _controller_start(block: _Block) -> datetime | None:
    if "Datum" not in block.columns or "Tageszeit" not in block.columns:
        return None
    day = float(block.rows[0, block.columns.index("Datum")])
    fraction = float(block.rows[0, block.columns.index("Tageszeit")])
    if not 0 <= fraction < 1 or not 1 <= day < 100_000:
        return None
    return _DAY_ZERO + timedelta(days=day + fraction)


def _peak_hold(blocks: list[_Block]) -> MeasuredDecimal | None:
    """The lowest (most compressive) force of the two-row summary blocks, to 0.001 kN."""
    lowest: float | None = None
    for block in blocks:
        names = [name for name in block.columns if "raft" in name and "Sollwert" not in name]
        if len(block.rows) != 2 or len(names) != 1:
            continue
        value = float(_column(block, names[0], "force")[1].min())
        lowest = value if lowest is None else min(lowest, value)
    return None if lowest is None or lowest >= 0 else MeasuredDecimal(f"{-lowest:.3f}")
