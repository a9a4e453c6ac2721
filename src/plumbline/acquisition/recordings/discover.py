"""Reading one recording, or everything in a data folder, by content (记录的识别与清点)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Final, cast

import numpy as np

from plumbline.acquisition.recordings import (
    bam_csv,
    eth_export,
    lucas_csv,
    matcal_dat,
    mts793,
    ufmg_tsv,
)
from plumbline.acquisition.recordings.model import (
    DEFAULT_LIMITS,
    Companion,
    Limits,
    Note,
    Recording,
    RecordingError,
    Unreadable,
)
from plumbline.acquisition.recordings.source import SourceFile, load

#: Every format: each module has FORMAT, recognises(head) and parse(source, limits).
PARSERS: Final[tuple[ModuleType, ...]] = (mts793, bam_csv, lucas_csv, ufmg_tsv, matcal_dat, eth_export)
#: Endings under which machines export; other files of a folder are documents, not recordings.
SUFFIXES: Final = frozenset({".dat", ".csv", ".tsv", ".txt"})
_DOCUMENTS: Final = ("license", "licence", "readme", "source", "copying")
#: First words of the SOURCE.md of a simulated data set.
SIMULATED_MARK: Final = "# 模拟数据"
_HEAD_BYTES: Final = 4096
#: The parsed table keeps seven digits of the force and six of the time.
_FORCE_AGREES: Final = 2e-6
_TIME_AGREES: Final = 1e-5


def read_all(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[Recording, ...]:
    """Every specimen in one file, whatever its name; raises `RecordingError` with reason and remedy."""
    source = load(path, limits)
    head = (
        source.content[:_HEAD_BYTES]
        .decode("latin-1")
        .replace("\r\n", "\n")
        .removeprefix("\u00ef\u00bb\u00bf")
    )
    for parser in PARSERS:
        if parser.recognises(head):
            return cast("tuple[Recording, ...]", _parse(parser, source, limits))
    raise RecordingError("unknown_format", "不是已知的试验机记录格式", "已知格式见 recordings/README.md")


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> Recording:
    """The one recording of a file; raises `RecordingError` when it holds several specimens."""
    recordings = read_all(path, limits)
    if len(recordings) != 1:
        reason = f"文件含 {len(recordings)} 个试件"
        raise RecordingError("several_specimens", reason, "请用 read_all 逐个读取")
    return recordings[0]


def discover(folder: Path, limits: Limits = DEFAULT_LIMITS) -> list[Recording | Unreadable]:
    """Everything in a folder and below, in order of path; a bad file is an entry, never an exception.

    A raw file and a parsed table of the same name are one test: the raw one is kept, the other becomes its
    companion, and a disagreement a warning. Links that lead out of the folder are not followed.
    """
    root = folder.resolve()
    found: list[tuple[Path, Recording | Unreadable]] = []
    for path in sorted(path for path in folder.rglob("*") if _is_candidate(path)):
        if not path.resolve().is_relative_to(root):
            found.append((path, Unreadable(path=path, code="link", reason="链接指向数据文件夹之外，未读取")))
            continue
        try:
            found.extend((path, recording) for recording in read_all(path, limits))
        except RecordingError as exc:
            found.append((path, Unreadable(path=path, code=exc.code, reason=str(exc))))
        except OSError as exc:
            reason = f"无法读取：{exc.strerror or exc.__class__.__name__}"
            found.append((path, Unreadable(path=path, code="unreadable", reason=reason)))
    return [_marked(path, item, root) for path, item in _paired(found)]


def cube_groups(recordings: Iterable[Recording | Unreadable]) -> dict[str, tuple[Recording, ...]]:
    """Cubes by group label, specimens in order of their numbers; what has no method stays out."""
    groups: dict[str, list[Recording]] = {}
    for item in recordings:
        if isinstance(item, Recording) and item.method == "concrete_cube" and item.group_label:
            groups.setdefault(item.group_label, []).append(item)
    return {
        label: tuple(sorted(members, key=lambda member: (member.specimen_number or 0, member.specimen_label)))
        for label, members in sorted(groups.items())
    }


def _parse(parser: ModuleType, source: SourceFile, limits: Limits) -> object:
    try:
        return parser.parse(source, limits)
    except (ValueError, IndexError, OverflowError) as exc:
        if isinstance(exc, RecordingError):
            raise
        # A breach that no rule of the format names; the file is still only data, so it must not stop a
        # folder.
        raise RecordingError("malformed", "文件结构与格式不符", "请由试验机软件重新导出") from exc


def _is_candidate(path: Path) -> bool:
    hidden = path.name.startswith(".")
    document = path.name.lower().startswith(_DOCUMENTS)
    return path.suffix.lower() in SUFFIXES and not hidden and not document and path.is_file()


def _marked(path: Path, item: Recording | Unreadable, root: Path) -> Recording | Unreadable:
    """Simulated data say so in a SOURCE.md, which a single file cannot; without it they would look real."""
    if isinstance(item, Unreadable):
        return item
    folder = path.resolve().parent
    while folder.is_relative_to(root):
        note = folder / "SOURCE.md"
        if note.is_file():
            with note.open("rb") as opened:
                first = opened.read(_HEAD_BYTES).decode("utf-8", errors="replace")
            if first.startswith(SIMULATED_MARK):
                mark = Note(code="recording.simulated", sentence="模拟试验机产生的数据，不是真实试验")
                return replace(item, warnings=(*item.warnings, mark))
        folder = folder.parent
    return item


def _paired(
    found: Sequence[tuple[Path, Recording | Unreadable]],
) -> list[tuple[Path, Recording | Unreadable]]:
    raws = {
        _pair_key(path): item
        for path, item in found
        if isinstance(item, Recording) and item.format == mts793.FORMAT
    }
    tables = {
        _pair_key(path): item
        for path, item in found
        if isinstance(item, Recording) and item.format == bam_csv.FORMAT
    }
    result: list[tuple[Path, Recording | Unreadable]] = []
    for path, item in found:
        key = _pair_key(path)
        if isinstance(item, Recording) and item.format == bam_csv.FORMAT and key in raws:
            continue
        if isinstance(item, Recording) and item.format == mts793.FORMAT and key in tables:
            result.append((path, _merged(item, tables[key])))
        else:
            result.append((path, item))
    return result


def _pair_key(path: Path) -> tuple[Path, str]:
    # raw/ and curves/ lie side by side, so the data set is the grandparent; the name may be NFC or NFD.
    return path.parent.parent, unicodedata.normalize("NFC", path.stem)


def _merged(raw: Recording, table: Recording) -> Recording:
    """The raw recording with its parsed table as companion; either one's reasons hold."""
    known = {note.code for note in raw.reasons}
    reasons = raw.reasons
    if raw.method is None:
        reasons = (*reasons, *(note for note in table.reasons if note.code not in known))
    return replace(
        raw,
        reasons=reasons,
        grade=raw.grade or table.grade,
        companions=(Companion(source_name=table.source_name, sha256=table.sha256),),
        warnings=(*raw.warnings, *_disagreement(raw, table)),
    )


def _disagreement(raw: Recording, table: Recording) -> tuple[Note, ...]:
    first, second = raw.channels[0], table.channels[0]
    if first.time_s is None or second.time_s is None:
        return ()
    shared = min(first.value.size, second.value.size)
    force_apart = float(np.abs(first.value[:shared] - second.value[:shared]).max())
    time_apart = float(np.abs(first.time_s[:shared] - second.time_s[:shared]).max())
    notes: list[Note] = []
    if force_apart > _FORCE_AGREES * float(first.value.max()) or time_apart > _TIME_AGREES * float(
        first.time_s[:shared].max()
    ):
        sentence = f"原始文件与解析表不一致：力最大相差 {force_apart:.4f} kN，时间 {time_apart:.4f} s"
        notes.append(Note(code="recording.table_conflict", sentence=sentence))
    if first.value.size != second.value.size:
        sentence = f"解析表有 {second.value.size} 点，原始文件有 {first.value.size} 点，以原始文件为准"
        notes.append(Note(code="recording.table_length", sentence=sentence))
    return tuple(notes)
