"""Drawn stand-ins for the key pictures of a demonstration (关键影像, 演示)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from plumbline.lab.reporting.typesetting import typeset_png

PictureKind = Literal["placard", "sealed_sample", "sampler", "witness", "press_start", "break"]

TITLES: dict[PictureKind, str] = {
    "placard": "取样举牌",
    "sealed_sample": "样品加封",
    "sampler": "取样人员",
    "witness": "见证人员",
    "press_start": "试验开始",
    "break": "试件破型",
}
#: more would run over the caption
MAXIMUM_LINES = 3
MAXIMUM_PLACARD_LINES = 6
#: 160 mm × 120 mm give 630 × 472 pixels
_PPI = 100


def demo_picture(kind: PictureKind, lines: Sequence[str]) -> bytes:
    """Return a small PNG (630 × 472, at most 60 KB) with the words 演示影像 across it.

    `lines` are what a real picture would show or carry: part, sample, time. At most 6 on a placard and 3
    below the others, else `ValueError`; `MissingCharactersError` when no font has a character.
    """
    most = MAXIMUM_PLACARD_LINES if kind == "placard" else MAXIMUM_LINES
    if len(lines) > most:
        raise ValueError(f"a picture of kind {kind} has room for {most} lines")
    inputs = {"kind": kind, "title": TITLES[kind], "lines": list(lines)}
    return typeset_png("picture.typ", inputs, texts=lines, ppi=_PPI)
