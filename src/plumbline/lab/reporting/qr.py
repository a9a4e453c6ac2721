"""The QR code of the report as SVG (报告二维码; ISO/IEC 18004, level M)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import zxingcpp

from plumbline.lab.reporting.layout import QR_SIZE, QR_SMALLEST_MODULE

#: the 45 characters of QR alphanumeric mode, and '#', which takes a byte segment of its own between URL and claims
_PAYLOAD = re.compile(r"[0-9A-Z $%*+\-./:#]+")
#: beyond version 20 (97 modules, 39 mm) the code no longer fits the report's corner
_LARGEST_VERSION = 20
_LARGEST_SIDE = 17 + 4 * _LARGEST_VERSION


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
    if not _PAYLOAD.fullmatch(payload):
        raise ValueError("the QR payload holds only 0-9 A-Z space $%*+-./: and '#'")
    try:
        code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    except ValueError as error:
        raise ValueError("the QR payload is too long") from error
    dark = np.asarray(zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False)) == 0
    modules = len(dark)
    if modules > _LARGEST_SIDE:
        raise ValueError(
            f"the QR payload needs {modules} modules a side; the report has room for {_LARGEST_SIDE}"
        )
    return QrSymbol(_drawing(dark), modules, max(QR_SIZE, modules * QR_SMALLEST_MODULE))


def _drawing(dark: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> str:
    """One stroke a run of dark modules, row by row."""
    edges = np.diff(dark.astype(np.int8), axis=1, prepend=0, append=0)
    begins, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    runs = zip(begins.tolist(), ends[:, 1].tolist(), strict=True)
    path = "".join(f"M{left} {row}.5H{right}" for (row, left), right in runs)
    side = len(dark)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">'
    return f'{head}<path stroke="#000" d="{path}"/></svg>'
