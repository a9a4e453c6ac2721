"""Stress-strain tables with decimal comma: Strain mm/mm, Stress MPa (应力—应变表).

There is no time and no force, so this can feed the evaluation of curves but is no force-time record.
"""

from __future__ import annotations

from typing import Final

from plumbline.acquisition.recordings import tension
from plumbline.acquisition.recordings.model import DEFAULT_LIMITS, Limits, Notes, Recording, make_channel
from plumbline.acquisition.recordings.source import Dialect, SourceFile, simple_table

FORMAT: Final = "ufmg_tsv"
HEADER: Final = "Strain\tStress"


def recognises(head: str) -> bool:
    """Whether the first line is exactly this format's header."""
    return head.split("\n", 1)[0].strip() == HEADER


def parse(source: SourceFile, limits: Limits = DEFAULT_LIMITS) -> tuple[Recording, ...]:
    """The one recording of a file: stress in MPa, strain in mm/mm, neither with a time axis."""
    table = simple_table(source, HEADER, Dialect("\t", ","), limits)
    channels = (
        make_channel("stress", "MPa", None, table[:, 1], "Stress"),
        make_channel("strain", "1", None, table[:, 0], "Strain"),
    )
    return (tension.build(FORMAT, source, channels, Notes()),)
