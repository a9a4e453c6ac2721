"""Tension curves as CSV in SI base units: time s, displacement m, force N (拉伸曲线 CSV).

The file holds nothing else; diameter and gauge length stand in SOURCE.md beside it ("d 10 mm, L0 75 mm").
"""

from __future__ import annotations

from typing import Final

from plumbline.acquisition.recordings import tension
from plumbline.acquisition.recordings.model import DEFAULT_LIMITS, Limits, Notes, Recording, make_channel
from plumbline.acquisition.recordings.source import Dialect, SourceFile, simple_table

FORMAT: Final = "lucas_csv"
HEADER: Final = "time,displacement,force"


def recognises(head: str) -> bool:
    """Whether the first line is exactly this format's header."""
    return head.split("\n", 1)[0].strip() == HEADER


def parse(source: SourceFile, limits: Limits = DEFAULT_LIMITS) -> tuple[Recording, ...]:
    """The one recording of a file: force in kN, displacement in mm."""
    table = simple_table(source, HEADER, Dialect(","), limits)
    time_s = table[:, 0]
    note = tension.folder_note(source.path)
    channels = (
        make_channel("force", "kN", time_s, table[:, 2] / 1e3, "force [N]"),
        make_channel("displacement", "mm", time_s, table[:, 1] * 1e3, "displacement [m]"),
    )
    sizes = tension.note_dimensions(note)
    return (tension.build(FORMAT, source, channels, Notes(), sizes, grade=note.grade),)
