"""Compression recordings: which specimen, which group, and is it a strength test (抗压记录的识别)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import numpy as np

from plumbline.acquisition.curve_scale import Floats
from plumbline.acquisition.recordings.model import (
    Dimension,
    MethodCode,
    Note,
    Notes,
    Recording,
    RecordingError,
    dimension,
    initials,
    make_channel,
    measured,
    peak_of,
    sampling_rate,
)
from plumbline.acquisition.recordings.source import SourceFile
from plumbline.domain.basics.quantities import MeasuredDecimal

#: Buffers of controllers are powers of two; below this a curve is short for other reasons.
_SMALLEST_BUFFER: Final = 512
#: A load cycle rises above the first share of the maximum and falls below the second before the next.
_CYCLE_HIGH, _CYCLE_LOW = 0.8, 0.5
#: A specimen that failed has lost this share of its maximum by some later reading.
_FAILURE_DROP: Final = 0.1
_CUBE_EDGES: Final = (Decimal(100), Decimal(150), Decimal(200))
#: Share by which a cube's measured edge may lie beside the nominal one before it is no cube of that size.
_EDGE_TOLERANCE: Final = Decimal("0.02")
#: Share beyond which a written length is a slip of the keyboard.
_LENGTH_TOLERANCE: Final = Decimal("0.1")
_DENSITY_G_PER_CM3 = (Decimal("2.0"), Decimal("2.8"))
_CLOCK_TOLERANCE_S: Final = 60.0
_SLOW_HZ: Final = 10.0

_SAMPLE: Final = re.compile(r"(?P<cast>[0-9]{8})_[0-9]+_M[0-9]+")
_STEM_AGE: Final = re.compile(r"__[^_]*?Druckfestigkeiten_(?P<age>[0-9]{1,3})Tage__")
_NUMBER: Final = re.compile(r"_[WZ](?P<number>[0-9]{1,3})$|Probe[_ ]*(?P<probe>[0-9]{1,3})$")
_DATE: Final = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4}|[0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the operator typed before the test, all as written."""

    procedure: str = ""
    label: str = ""
    width: str | None = None
    height: str | None = None
    length: str | None = None
    diameter: str | None = None
    mass: str | None = None
    typed_date: str | None = None
    operator: str | None = None
    cast_on: date | None = None
    group: str | None = None
    grade: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What the machine recorded: arrays of shape (n,), compression positive."""

    time_s: Floats
    force_kN: Floats
    stroke_mm: Floats | None
    force_column: str = ""
    stroke_column: str = ""
    #: Readings in the first block of the file: a full buffer shows here.
    first_block: int = 0
    started_at: datetime | None = None
    #: Start by the controller's second clock, where the file has one.
    controller_started_at: datetime | None = None
    peak_hold_kN: MeasuredDecimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identity:
    number: int | None
    group: str | None
    cast_on: date | None


def build(fmt: str, source: SourceFile, header: Header, series: Measured, notes: Notes) -> Recording:
    """The recording of one compression test, with its method or the reasons why it has none."""
    tested_on = series.started_at.date() if series.started_at else written_date(header.typed_date)
    identity = _identity(source, header, tested_on, notes)
    method = _classify(source, header, series, notes)
    sizes = _dimensions(header)
    _warn_of_dates(header, series, notes)
    if method is not None:
        _warn_of_sizes(header, notes)
    rate = sampling_rate(series.time_s)
    if rate is not None and rate < _SLOW_HZ:
        notes.warn("slow_sampling", f"采样率 {rate:g} Hz 低于 {_SLOW_HZ:g} Hz，曲线细部不足以比对")
    if bool((np.diff(series.time_s) <= 0).any()):
        notes.warn("time_not_increasing", "时间轴有重复或倒退的读数")
    force = make_channel("force", "kN", series.time_s, series.force_kN, series.force_column)
    channels = [force]
    if series.stroke_mm is not None:
        channels.append(
            make_channel("displacement", "mm", series.time_s, series.stroke_mm, series.stroke_column)
        )
    return Recording(
        format=fmt,
        source_name=source.name,
        sha256=source.sha256,
        method=method,
        reasons=tuple(notes.reasons),
        specimen_label=header.label or source.path.stem,
        specimen_number=identity.number,
        group_label=identity.group if method is not None else None,
        cast_on=identity.cast_on,
        tested_on=tested_on,
        tested_at=series.started_at,
        operator_initials=initials(header.operator),
        dimensions=sizes,
        mass_g=measured(header.mass),
        grade=header.grade,
        channels=tuple(channels),
        sampling_rate_hz=rate,
        peak=peak_of(force),
        controller_peak_kN=series.peak_hold_kN,
        warnings=tuple(notes.warnings),
    )


def written_date(text: str | None) -> date | None:
    """A German date as typed ("2.4.2024", "17.07.14"); None when the text is no date."""
    match = _DATE.fullmatch((text or "").strip())
    if match is None:
        return None
    day, month, year = (int(part) for part in match.groups())
    try:
        return date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def load_cycles(force_kN: Floats) -> int:
    """How often the force rises above 80 % of its maximum, having fallen below 50 % in between."""
    top = float(force_kN.max())
    if top <= 0:
        return 0
    # Only the crossings matter: 1 above the high mark, -1 below the low one, 0 between.
    state = np.where(force_kN > _CYCLE_HIGH * top, 1, np.where(force_kN < _CYCLE_LOW * top, -1, 0))
    state = state[state != 0]
    rises = int(((state[1:] == 1) & (state[:-1] == -1)).sum())
    return rises + int(state.size > 0 and state[0] == 1)


def has_failed(force_kN: Floats) -> bool:
    """Whether the force fell by a tenth of its maximum at some reading after the maximum."""
    peak = int(force_kN.argmax())
    return bool(force_kN[peak:].min() <= (1 - _FAILURE_DROP) * float(force_kN[peak]))


def is_cut_under_load(force_kN: Floats, first_block: int) -> bool:
    """Whether the first block filled a buffer (a power of two) while the load was still at its highest."""
    full = first_block >= _SMALLEST_BUFFER and first_block & (first_block - 1) == 0
    if not full or first_block > force_kN.size:
        return False
    block = force_kN[:first_block]
    return int(block.argmax()) >= first_block - 2


def _classify(source: SourceFile, header: Header, series: Measured, notes: Notes) -> MethodCode | None:
    force = series.force_kN
    if float(force.max()) <= 0:
        raise RecordingError("no_load", "力值始终不大于零，没有加载过程", "请确认导出的是测量值通道")
    cut = is_cut_under_load(force, series.first_block)
    cycles = load_cycles(force)
    failed = has_failed(force)
    if cycles >= 2:
        sentence = (
            f"加载—卸载 {cycles} 次，最大力 {force.max():.1f} kN 为设定值，未加载至破坏，属弹性模量试验"
        )
        notes.refuse("modulus_cycles", sentence)
    elif not failed and not cut:
        notes.refuse("no_failure", "最大力之后没有下降，未见破坏，不能作为强度试验")
    if not _is_cube(header):
        notes.refuse("no_method_cylinder", _cylinder_sentence(header))
    if cut and (notes.reasons or not failed):
        notes.reasons.insert(0, _buffer_note(force, series.first_block, failed))
    elif cut:
        notes.warn("buffer_split", f"采集缓存满 {series.first_block} 点后分段记录，已按时间接续")
    return None if notes.reasons else "concrete_cube"


def _buffer_note(force: Floats, first_block: int, failed: bool) -> Note:
    held = float(force[:first_block].max())
    sentence = f"采集缓存在 {first_block} 点处写满，该段末尾的 {held:.1f} kN 不是破坏荷载"
    if failed and force.size > first_block:
        sentence += f"；文件的后续段显示至 {float(force.max()):.1f} kN 才破坏"
    return Note(code="recording.buffer_limited", sentence=sentence)


def cube_edge(header: Header) -> Decimal | None:
    """The nominal edge in mm when width and height are those of a cube; None otherwise."""
    width, height = measured(header.width), measured(header.height)
    if width is None or height is None or measured(header.diameter) is not None:
        return None
    for edge in _CUBE_EDGES:
        if all(abs(size.value - edge) <= edge * _EDGE_TOLERANCE for size in (width, height)):
            return edge
    return None


def _is_cube(header: Header) -> bool:
    return cube_edge(header) is not None and not re.search(r"_Z[0-9]+$", header.label)


def _cylinder_sentence(header: Header) -> str:
    if header.diameter is not None:
        shape = f"直径 {header.diameter.strip()} mm 的圆柱体"
    elif re.search(r"_Z[0-9]+$", header.label):
        shape = f"圆柱体（编号 {header.label}）"
    else:
        written = "×".join((text or "-").strip() for text in (header.width, header.height, header.length))
        shape = f"尺寸 {written} mm，不是立方体试件"
    return f"试件为{shape}，检测方法目录中没有对应方法" if "不是" not in shape else f"试件{shape}"


def _identity(source: SourceFile, header: Header, tested_on: date | None, notes: Notes) -> _Identity:
    stem = source.path.stem
    in_stem, in_label = _SAMPLE.search(stem), _SAMPLE.search(header.label)
    # The folder's name (the first part of the stem) was written once for the whole series, the label for each
    # specimen by hand: where both exist and differ, the folder is right and the label gets a warning.
    sample = in_stem or in_label
    number = _NUMBER.search(header.label.strip()) or _NUMBER.search(stem)
    found = next((int(part) for part in number.groups() if part), None) if number else None
    if sample is None:
        return _Identity(number=found, group=header.group, cast_on=header.cast_on)
    cast_on = _compact_date(sample["cast"])
    if in_stem and in_label and in_stem[0] != in_label[0]:
        sentence = f"试件编号写作“{header.label}”，与所在样品 {in_stem[0]} 不一致，按样品归组"
        notes.warn("label_conflict", sentence)
    days = (tested_on - cast_on).days if tested_on and cast_on else None
    stated = _STEM_AGE.search(stem)
    age = int(stated["age"]) if stated else days
    if stated and days is not None and days != age:
        notes.warn("age_conflict", f"名称标注龄期 {age} d，按成型与试验日期为 {days} d")
    return _Identity(number=found, group=None if age is None else f"{sample[0]}|{age}", cast_on=cast_on)


def _compact_date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _dimensions(header: Header) -> tuple[Dimension, ...]:
    sizes = (
        dimension("width", header.width),
        dimension("height", header.height),
        dimension("length", header.length),
        dimension("diameter", header.diameter),
    )
    return tuple(size for size in sizes if size is not None)


def _warn_of_sizes(header: Header, notes: Notes) -> None:
    edge, length, mass = cube_edge(header), measured(header.length), measured(header.mass)
    if edge is None:
        return
    depth = edge
    if length is not None and abs(length.value - edge) > edge * _LENGTH_TOLERANCE:
        notes.warn("implausible_length", f"长度写作 {header.length} mm，与边长 {edge} mm 相差过大，疑为笔误")
    elif length is not None:
        depth = length.value
    if mass is not None:
        density = mass.value / (edge * edge * depth / 1000)
        if not _DENSITY_G_PER_CM3[0] <= density <= _DENSITY_G_PER_CM3[1]:
            notes.warn("implausible_mass", f"质量 {header.mass} g 折算密度 {density:.2f} g/cm³，疑为笔误")


def _warn_of_dates(header: Header, series: Measured, notes: Notes) -> None:
    typed, machine = written_date(header.typed_date), series.started_at
    if typed is not None and machine is not None and typed != machine.date():
        notes.warn("date_conflict", f"填写日期 {header.typed_date} 与试验机日期 {machine:%Y-%m-%d} 不一致")
    if machine is None or series.controller_started_at is None:
        return
    apart = (machine - series.controller_started_at).total_seconds()
    if abs(apart) > _CLOCK_TOLERANCE_S:
        notes.warn("clock_conflict", f"试验机两个时钟相差 {apart:.0f} s，以数据段标题的时间为准")
