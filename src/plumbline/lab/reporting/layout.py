"""Measures of the printed report that the page, the stamp and the signature field share (版面尺寸)."""

from __future__ import annotations

#: A4, mm
PAGE_WIDTH = 210.0
PAGE_HEIGHT = 297.0
#: margins, mm
MARGIN_SIDE = 18.0
MARGIN_TOP = 17.0
MARGIN_BOTTOM = 15.0
#: 检测专用章, mm
STAMP_DIAMETER = 40.0
#: what closes the last page, upwards from the margin: notes, signatures, conclusion's cell (at least), mm
NOTES_HEIGHT = 17.0
SIGNATURES_HEIGHT = 9.0
CLOSING_HEIGHT = 42.0
#: distance of the stamp's right edge from the right edge of the page, mm
STAMP_RIGHT = 24.0
#: QR code as printed without its quiet zone: 28 mm, larger where a module would fall under 0.4 mm
QR_SIZE = 28.0
QR_SMALLEST_MODULE = 0.4

_POINTS_PER_MM = 72 / 25.4


def stamp_box() -> tuple[int, int, int, int]:
    """Return the signature field's rectangle on the last page: left, bottom, right, top in PDF points.

    The closing block stands on the bottom margin, so the place does not depend on the report's length.
    """
    bottom = MARGIN_BOTTOM + NOTES_HEIGHT + SIGNATURES_HEIGHT + (CLOSING_HEIGHT - STAMP_DIAMETER) / 2
    left = PAGE_WIDTH - STAMP_RIGHT - STAMP_DIAMETER
    corners = (left, bottom, left + STAMP_DIAMETER, bottom + STAMP_DIAMETER)
    x0, y0, x1, y1 = (round(value * _POINTS_PER_MM) for value in corners)
    return x0, y0, x1, y1


def as_inputs() -> dict[str, float]:
    """Return the measures (mm) under the names that the templates use."""
    return {
        "side": MARGIN_SIDE,
        "top": MARGIN_TOP,
        "bottom": MARGIN_BOTTOM,
        "stamp": STAMP_DIAMETER,
        "closing": CLOSING_HEIGHT,
        "notes": NOTES_HEIGHT,
        "signatures": SIGNATURES_HEIGHT,
        "stamp_right": STAMP_RIGHT,
    }
