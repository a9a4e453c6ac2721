"""Tension recordings: curves of round bars with diameter and gauge length (拉伸记录)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from plumbline.acquisition.recordings.model import (
    Channel,
    Dimension,
    Notes,
    Recording,
    dimension,
    peak_of,
    sampling_rate,
)
from plumbline.acquisition.recordings.source import SourceFile

_NOTE_NAME: Final = "SOURCE.md"
_MAX_NOTE_BYTES: Final = 64 * 1024
_SIZES: Final = re.compile(r"\bd ([0-9]+(?:\.[0-9]+)?) mm, L0 ([0-9]+(?:\.[0-9]+)?) mm")
_GRADE: Final = re.compile(r"\b(HPB300|HRB(?:400|500|600)E?)\b")
#: Longest interval that still counts as one curve, as a multiple of the median.
_GAP_FACTOR: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderNote:
    """What the note beside the recordings says of all specimens in the folder."""

    diameter_mm: str | None = None
    gauge_length_mm: str | None = None
    grade: str | None = None


def folder_note(path: Path) -> FolderNote:
    """Sizes and grade from SOURCE.md beside a recording ("d 10 mm, L0 75 mm"); empty without one."""
    note = path.parent / _NOTE_NAME
    if not note.is_file() or note.stat().st_size > _MAX_NOTE_BYTES:
        return FolderNote()
    text = note.read_text(encoding="utf-8", errors="replace")
    sizes, grade = _SIZES.search(text), _GRADE.search(text)
    return FolderNote(
        diameter_mm=sizes[1] if sizes else None,
        gauge_length_mm=sizes[2] if sizes else None,
        grade=grade[1] if grade else None,
    )


def note_dimensions(note: FolderNote) -> tuple[Dimension, ...]:
    """Diameter and gauge length of the folder's note."""
    sizes = (
        dimension("diameter", note.diameter_mm, "accompanying"),
        dimension("gauge_length", note.gauge_length_mm, "accompanying"),
    )
    return tuple(size for size in sizes if size is not None)


def build(
    fmt: str,
    source: SourceFile,
    channels: tuple[Channel, ...],
    notes: Notes,
    sizes: tuple[Dimension, ...] = (),
    *,
    grade: str | None = None,
) -> Recording:
    """The recording of one tension test; the first channel is the force, or the stress without one."""
    time_s = channels[0].time_s
    if channels[0].name != "force" or time_s is None:
        notes.refuse("stress_strain_only", "只有应力—应变数据，没有力值与时间，不能构成力值—时间曲线")
    elif not any(size.name == "diameter" for size in sizes):
        notes.refuse("no_dimensions", "没有公称直径，不能由力值计算强度")
    if time_s is not None:
        steps = np.diff(time_s)
        if bool((steps <= 0).any()):
            notes.warn("time_not_increasing", f"时间轴有 {int((steps <= 0).sum())} 处重复或倒退")
        typical = float(np.median(steps))
        if typical > 0 and float(steps.max()) > _GAP_FACTOR * typical:
            notes.warn("gap", f"曲线最长间断 {float(steps.max()):.1f} s（一般间隔 {typical:.2f} s）")
    return Recording(
        format=fmt,
        source_name=source.name,
        sha256=source.sha256,
        method=None if notes.reasons else "rebar_tension",
        reasons=tuple(notes.reasons),
        specimen_label=source.path.stem,
        dimensions=sizes,
        grade=grade,
        channels=channels,
        sampling_rate_hz=sampling_rate(time_s),
        peak=peak_of(channels[0]),
        warnings=tuple(notes.warnings),
    )
