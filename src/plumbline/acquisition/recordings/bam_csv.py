"""Parsed curves as CSV (time_s, force_kN, stroke_mm) with meta.json beside their folder (解析后的曲线).

The table keeps about seven digits and has lost the machine's clock, so a raw file of the same name is the
better source; `discover` pairs the two.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Final

from plumbline.acquisition.recordings import compression
from plumbline.acquisition.recordings.model import DEFAULT_LIMITS, Limits, Notes, Recording, RecordingError
from plumbline.acquisition.recordings.source import Dialect, SourceFile, check_complete, simple_table

FORMAT: Final = "bam_csv"
HEADER: Final = "time_s,force_kN,stroke_mm"
_META_NAME: Final = "meta.json"
_MAX_META_BYTES: Final = 8 * 1024 * 1024


def recognises(head: str) -> bool:
    """Whether the first characters of a file are those of this format."""
    return head.startswith(HEADER)


def parse(source: SourceFile, limits: Limits = DEFAULT_LIMITS) -> tuple[Recording, ...]:
    """The one recording of a curve file; without its entry in meta.json it has no method."""
    check_complete(source)
    table = simple_table(source, HEADER, Dialect(","), limits)
    notes = Notes()
    entry = _entry(source.path)
    if entry is None:
        sentence = f"旁边没有 {_META_NAME} 或其中没有本记录，试件尺寸与日期不明"
        notes.refuse("no_description", sentence)
        entry = {}
    header = compression.Header(
        procedure=entry.get("proc", ""),
        label=entry.get("specimen", ""),
        width=entry.get("b_mm"),
        height=entry.get("h_mm"),
        length=entry.get("l_mm"),
        diameter=entry.get("d_mm"),
        mass=entry.get("mass_g"),
        typed_date=entry.get("date"),
        grade=entry.get("grade"),
    )
    series = compression.Measured(
        time_s=table[:, 0],
        force_kN=table[:, 1],
        # The CSV keeps the machine's sign of the stroke (negative in compression), unlike its force.
        stroke_mm=-table[:, 2],
        force_column="force_kN",
        stroke_column="stroke_mm",
        first_block=len(table),
    )
    return (compression.build(FORMAT, source, header, series, notes),)


def _entry(path: Path) -> dict[str, str] | None:
    """The description of one curve: texts only, other members of the JSON are computed and not used."""
    for folder in (path.parent, path.parent.parent):
        meta = folder / _META_NAME
        if meta.is_file():
            wanted = unicodedata.normalize("NFC", path.stem)
            found = _load(meta).get(wanted)
            return found
    return None


def _load(meta: Path) -> dict[str, dict[str, str]]:
    broken = RecordingError("broken_description", f"{_META_NAME} 不是有效的描述文件", "请恢复原文件")
    if meta.stat().st_size > _MAX_META_BYTES:
        raise broken
    try:
        document = json.loads(meta.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as exc:
        raise broken from exc
    if not isinstance(document, list):
        raise broken
    entries: dict[str, dict[str, str]] = {}
    for item in document:
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            texts = {key: value for key, value in item.items() if isinstance(value, str)}
            entries[unicodedata.normalize("NFC", texts["name"])] = texts
    return entries
