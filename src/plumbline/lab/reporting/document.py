"""All that is printed on a report, as plain values (检测报告的内容).

The values are strings as measured and rounded by the method: nothing is computed or reformatted on paper.
There is no field for an identity number or a telephone: they are never printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedTable:
    """A table of strings: every row has as many cells as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Refuse ragged rows: a shifted cell would print a value under another's heading."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row has {len(row)} cells under {len(self.columns)} columns")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedCurve:
    """One recorded curve, to be drawn as a polyline (曲线)."""

    #: which specimen, e.g. 试件 1
    label: str
    #: unit of the ordinate, e.g. kN
    unit: str
    #: seconds since contact, in order; values in `unit`, one for each of them; drawn after min–max decimation
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    #: unit of the abscissa
    x_unit: str = "s"

    def __post_init__(self) -> None:
        """Refuse a value without its time."""
        if len(self.xs) != len(self.ys):
            raise ValueError(f"a curve has {len(self.xs)} times and {len(self.ys)} values")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedInstrument:
    """An instrument that was used and until when its calibration holds (仪器设备)."""

    name: str
    number: str
    calibrated_until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedSignature:
    """Who took a step on the report, and on which day (检测 审核 批准)."""

    name: str
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDocument:
    """One version of one report as it goes to the printer (检测报告).

    Page count and page numbers are absent on purpose: they follow from the layout.
    """

    #: e.g. 混凝土立方体抗压强度检测报告
    title: str
    institution: str
    institution_address: str
    #: number of the qualification certificate 资质证书编号
    qualification_number: str
    report_number: str
    #: grouped as shown to people, e.g. 2611 ABC …
    supervision_code: str
    #: what the QR code holds: URL and claims, see `qr.symbol`
    qr_payload: str
    client: str
    owner: str
    contractor: str
    #: 监理单位
    resident_engineer_firm: str
    witness: str
    witness_firm: str
    project: str
    structural_part: str
    #: 检测类别, e.g. 见证取样检测
    purpose: str
    commission_number: str
    received_on: date
    #: one day or the first and the last: 2026-11-19 / 2026-11-19 至 2026-11-20
    tested_on: str
    environment: str
    samples: PrintedTable
    #: methods and criteria with edition, e.g. GB/T 50081-2019
    methods: tuple[str, ...]
    instruments: tuple[PrintedInstrument, ...]
    results: PrintedTable
    conclusion: str
    technician: PrintedSignature
    reviewer: PrintedSignature
    approver: PrintedSignature
    #: aware instant of printing; it dates the document, so equal documents give equal bytes
    printed_at: datetime
    curves: tuple[PrintedCurve, ...] = ()
    remarks: str = ""
    #: where the test was run; empty: at the institution's address
    site: str = ""
    #: on the lower line of the stamp
    stamp_text: str = "检测专用章"
    #: prints 演示数据 across every page
    is_demo: bool = False

    def __post_init__(self) -> None:
        """Refuse a naive printing time: it would print another day in another time zone."""
        if self.printed_at.tzinfo is None:
            raise ValueError("printed_at carries a time zone")

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Return label and value of the heading grid, in printing order."""
        return (
            ("委托单位", self.client),
            ("委托编号", self.commission_number),
            ("工程名称", self.project),
            ("结构部位", self.structural_part),
            ("建设单位", self.owner),
            ("施工单位", self.contractor),
            ("监理单位", self.resident_engineer_firm),
            ("检测类别", self.purpose),
            ("见证单位", self.witness_firm),
            ("见证人员", self.witness),
            ("收样日期", self.received_on.isoformat()),
            ("检测日期", self.tested_on),
            ("环境条件", self.environment),
            ("检测场所", self.site or self.institution_address),
        )


def printed_texts(value: object) -> Iterator[str]:
    """Yield every string that a document holds, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from printed_texts(item)
    elif is_dataclass(value):
        for each in fields(value):
            # A curve's points are thousands of numbers: nothing of them is set as text.
            if not (isinstance(value, PrintedCurve) and each.name in {"xs", "ys"}):
                yield from printed_texts(getattr(value, each.name))
