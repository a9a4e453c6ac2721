"""Tension curves in inch and pound-force with strain and stress beside (英制拉伸曲线).

Columns: time s, displacement in, load lbf, engineering strain, engineering stress ksi. The area is not
written; it is the constant ratio of load to stress, and the diameter follows from it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from plumbline.acquisition.curve_scale import Floats
from plumbline.acquisition.recordings import tension
from plumbline.acquisition.recordings.model import (
    DEFAULT_LIMITS,
    Dimension,
    Limits,
    Notes,
    Recording,
    RecordingError,
    dimension,
    make_channel,
)
from plumbline.acquisition.recordings.source import Dialect, SourceFile, simple_table

FORMAT: Final = "matcal_dat"
HEADER: Final = "time,displacement,load,engineering_strain,engineering_stress"
#: Exact by definition of inch and pound-force.
KN_PER_LBF: Final = 0.0044482216152605
MM_PER_INCH: Final = 25.4
MPA_PER_KSI: Final = KN_PER_LBF * 1e6 / MM_PER_INCH**2
#: Load over stress must be one area to this share.
_AREA_TOLERANCE: Final = 1e-3


def recognises(head: str) -> bool:
    """Whether the first line is exactly this format's header."""
    return head.split("\n", 1)[0].strip() == HEADER


def parse(source: SourceFile, limits: Limits = DEFAULT_LIMITS) -> tuple[Recording, ...]:
    """The one recording of a file in kN, mm, MPa; raises `RecordingError` when load and stress disagree."""
    table = simple_table(source, HEADER, Dialect(","), limits)
    time_s = table[:, 0]
    channels = (
        make_channel("force", "kN", time_s, table[:, 2] * KN_PER_LBF, "load [lbf]"),
        make_channel("displacement", "mm", time_s, table[:, 1] * MM_PER_INCH, "displacement [in]"),
        make_channel("strain", "1", time_s, table[:, 3], "engineering_strain"),
        make_channel("stress", "MPa", time_s, table[:, 4] * MPA_PER_KSI, "engineering_stress [ksi]"),
    )
    notes = Notes()
    size = _diameter(table, notes)
    return (tension.build(FORMAT, source, channels, notes, (size,)),)


def _diameter(table: Floats, notes: Notes) -> Dimension:
    loaded = table[table[:, 4] > 0]
    if not len(loaded):
        raise RecordingError("no_load", "应力始终不大于零，没有加载过程", "请确认导出的是测量值")
    # lbf / ksi = 10⁻³ in².
    areas = loaded[:, 2] / loaded[:, 4] * 1e-3 * MM_PER_INCH**2
    area = float(np.median(areas))
    if float(np.abs(areas / area - 1).max()) > _AREA_TOLERANCE:
        raise RecordingError("inconsistent", "力与应力之比不是常数，面积无法确定", "请导出原始力值与直径")
    diameter = math.sqrt(4 * area / math.pi)
    notes.warn("derived_diameter", f"直径 {diameter:.3f} mm 由力与应力之比推得，文件未写")
    size = dimension("diameter", f"{diameter:.3f}", "derived")
    assert size is not None  # a text was given
    return size
