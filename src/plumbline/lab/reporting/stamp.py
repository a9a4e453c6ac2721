"""The institution's testing stamp as a drawing (检测专用章).

On the pages it is sliced over the right edges by the report template (骑缝章), before signing; whole it is
the appearance of the signature field. Both come from one template, so they are the same stamp.
"""

from __future__ import annotations

from datetime import UTC, datetime

from plumbline.lab.reporting.layout import STAMP_DIAMETER
from plumbline.lab.reporting.typesetting import typeset_pdf, typeset_png

STAMP_TEXT = "检测专用章"
#: the drawing itself is undated: a fixed instant keeps its bytes equal from run to run
_UNDATED = datetime(2020, 1, 1, tzinfo=UTC)


def stamp_pdf(institution: str, *, is_demo: bool, text: str = STAMP_TEXT) -> bytes:
    """Return a one-page PDF of the stamp's size (40 mm), transparent around it; a demo stamp says 演示.

    `MissingCharactersError` when the name holds a character that no font has.
    """
    inputs = _inputs(institution, text, is_demo=is_demo)
    return typeset_pdf("stamp_page.typ", inputs, texts=(institution, text), printed_at=_UNDATED)


def stamp_png(institution: str, *, is_demo: bool, text: str = STAMP_TEXT, ppi: float = 300) -> bytes:
    """Return the stamp as PNG with transparent ground, `ppi` pixels per inch; errors as `stamp_pdf`."""
    inputs = _inputs(institution, text, is_demo=is_demo)
    return typeset_png("stamp_page.typ", inputs, texts=(institution, text), ppi=ppi)


def _inputs(institution: str, text: str, *, is_demo: bool) -> dict[str, object]:
    return {"name": institution, "caption": text, "demo": is_demo, "diameter": STAMP_DIAMETER}
