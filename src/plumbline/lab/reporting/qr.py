"""The QR code of the report as SVG (报告二维码; ISO/IEC 18004, level M)."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import segno
from segno import consts

from plumbline.lab.reporting.layout import QR_SIZE, QR_SMALLEST_MODULE

#: the 45 characters of QR alphanumeric mode
_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+\-./:]+")
#: '#' before the claims is no alphanumeric character of ISO/IEC 18004: it takes a byte segment of its own
_SEGMENTS = re.compile(r"[0-9A-Z $%*+\-./:]+|#")
#: beyond version 20 (97 modules, 39 mm) the code no longer fits the report's corner
_LARGEST_VERSION = 20


@dataclass(frozen=True, slots=True)
class QrSymbol:
    """A QR code ready to print."""

    #: drawing without quiet zone, one unit a module
    svg: str
    #: modules on a side
    modules: int
    #: printed side without quiet zone, mm
    size: float


def symbol(payload: str) -> QrSymbol:
    """Encode `payload` (upper-case alphanumeric, with `#` between URL and claims) at level M.

    The printed side is 28 mm, or more where a module would be smaller than 0.4 mm. `ValueError` for any other
    character (a lower-case letter would cost 45 % more bits unnoticed) and for a payload that is too long.
    """
    segments = _SEGMENTS.findall(payload)
    if not payload or "".join(segments) != payload:
        raise ValueError("the QR payload holds only 0-9 A-Z space $%*+-./: and '#'")
    parts: Any = [
        (part, consts.MODE_ALPHANUMERIC if _ALPHANUMERIC.fullmatch(part) else consts.MODE_BYTE)
        for part in segments
    ]
    try:
        code = segno.make(parts, error="m", micro=False, boost_error=False)
    except segno.DataOverflowError as error:
        raise ValueError("the QR payload is too long") from error
    if int(code.version) > _LARGEST_VERSION:
        raise ValueError(f"the QR payload needs version {code.version}; the report has room for 20")
    modules = int(code.symbol_size(border=0)[0])
    drawing = io.BytesIO()
    code.save(drawing, kind="svg", border=0, xmldecl=False, omitsize=True)
    return QrSymbol(drawing.getvalue().decode(), modules, max(QR_SIZE, modules * QR_SMALLEST_MODULE))
