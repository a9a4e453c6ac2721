"""The report as an A4 PDF (检测报告排版), PDF/A-2b, before signing."""

from __future__ import annotations

import re
from dataclasses import fields

from plumbline.lab.reporting.curves import drawings
from plumbline.lab.reporting.document import (
    PrintedSignature,
    PrintedTable,
    ReportDocument,
    printed_texts,
)
from plumbline.lab.reporting.layout import as_inputs
from plumbline.lab.reporting.qr import symbol
from plumbline.lab.reporting.typesetting import typeset_pdf

#: modules of white around a QR code (ISO/IEC 18004)
_QUIET_MODULES = 4
#: How Typst begins a file of one page: the page tree is its first object, so that no text of a report can be taken for it.
_ONE_PAGE = re.compile(rb"%PDF-1\.\d\n%[^\n]*\n\n1 0 obj\n<</Type/Pages/Count 1/")
#: printed on every report under the signatures
NOTES = (
    "本报告无检测专用章和检测、审核、批准人签名无效；多页报告无骑缝章无效。",
    "未经本机构书面同意，不得部分复制本报告；涂改、增删无效，复印件未重新加盖检测专用章无效。",
    "检测结果仅对所检样品有效；对报告有异议的，请向本机构或监督机构提出。",
    "真伪以监管平台登记的电子报告为准：扫描右上角二维码，核对强度、部位、日期、委托单位。",
)


def render_report(doc: ReportDocument) -> bytes:
    """Return `doc` as PDF/A-2b bytes, with QR code and 骑缝章, without signature.

    The same document gives the same bytes. `MissingCharactersError` when a character cannot be printed,
    `TypesettingError` when the layout fails, `ValueError` when the QR payload cannot be encoded.
    """
    inputs, texts = _inputs(doc), printed_texts(doc)
    # Most reports have one page, and are set in less time when that need not be found out; whatever has more is set again.
    pdf = typeset_pdf("report.typ", inputs | {"one_page": True}, texts=texts, printed_at=doc.printed_at)
    if _ONE_PAGE.match(pdf):
        return pdf
    return typeset_pdf("report.typ", inputs | {"one_page": False}, texts=texts, printed_at=doc.printed_at)


def _inputs(doc: ReportDocument) -> dict[str, object]:
    code = symbol(doc.qr_payload)
    # Field by field: `asdict` would copy every point of every curve.
    values = {each.name: getattr(doc, each.name) for each in fields(doc)}
    plain = {key: value for key, value in values.items() if isinstance(value, str | bool)}
    return plain | {
        "layout": as_inputs(),
        "stamp_name": doc.institution,
        "qr": {
            "svg": code.svg,
            "size": code.size,
            "quiet": code.size / code.modules * _QUIET_MODULES,
        },
        "facts": doc.facts(),
        "samples": _table(doc.samples),
        "results": _table(doc.results),
        "methods": doc.methods,
        "instruments": [
            (each.name, each.number, each.calibrated_until.isoformat()) for each in doc.instruments
        ],
        "curves": drawings(doc.curves),
        "technician": _signature(doc.technician),
        "reviewer": _signature(doc.reviewer),
        "approver": _signature(doc.approver),
        "notes": NOTES,
    }


def _table(table: PrintedTable) -> dict[str, object]:
    """A table with relative column widths: as wide as the longest cell, within limits."""
    columns = zip(table.columns, *table.rows, strict=True)
    widths = [min(16.0, max(4.0, *(_breadth(cell) + 1.2 for cell in cells))) for cells in columns]
    return {"columns": table.columns, "rows": table.rows, "widths": widths}


def _breadth(text: str) -> float:
    """Breadth of a text in ems: a Chinese character one, a Latin one half."""
    return sum(1.0 if ord(each) > 0x2E7F else 0.55 for each in text)


def _signature(signature: PrintedSignature) -> dict[str, str]:
    return {"name": signature.name, "day": signature.day.isoformat()}
