"""A complete report document with invented parties, for previews and tests (样例报告)."""

from __future__ import annotations

from datetime import UTC, date, datetime

from plumbline.lab.reporting.document import (
    PrintedCurve,
    PrintedInstrument,
    PrintedSignature,
    PrintedTable,
    ReportDocument,
)

#: peak loads of the three specimens, kN
_PEAKS = (884.2, 901.7, 887.5)
_RAMP_SECONDS = 67.0


def sample_document() -> ReportDocument:
    """Return the report on one group of C35 cubes, marked as demonstration; every name is invented."""
    return ReportDocument(
        title="混凝土立方体抗压强度检测报告",
        institution="临川市准信建设工程检测有限公司",
        institution_address="临川市滨江区玉屏路 88 号 3 幢",
        qualification_number="（临）建检字第 2601018 号",
        report_number="HNT-2026-01-00128",
        supervision_code="2611 LCA 7QK4M 9TXW2 H8V P",
        qr_payload="HTTPS://JC.LINCHUAN.EXAMPLE/V/2611LCA7QK4M9TXW2H8VP#"
        + "MFRGGZDFMZTWQ2LK" * 16
        + "A2B3C4",
        client="临川市城建第三工程有限公司",
        owner="临川市滨江置业有限公司",
        contractor="临川市城建第三工程有限公司",
        resident_engineer_firm="临川正衡工程监理咨询有限公司",
        witness="周岚",
        witness_firm="临川正衡工程监理咨询有限公司",
        project="滨江花园二期 7# 楼",
        structural_part="三层 ③–⑦ 轴框架柱",
        purpose="见证取样检测",
        commission_number="WT-2026-004417",
        received_on=date(2026, 11, 18),
        tested_on="2026-11-19",
        environment="温度 20 ℃，相对湿度 56 %",
        samples=_samples(),
        methods=("GB/T 50081-2019 混凝土物理力学性能试验方法标准", "GB/T 50107-2010 混凝土强度检验评定标准"),
        instruments=(
            PrintedInstrument(
                name="微机控制压力试验机 2000 kN", number="SB-0107", calibrated_until=date(2027, 5, 8)
            ),
            PrintedInstrument(name="游标卡尺 0–200 mm", number="SB-0231", calibrated_until=date(2027, 3, 2)),
        ),
        results=_results(),
        conclusion="该组试件抗压强度代表值为 39.6 MPa，达到设计强度等级 C35 的 113 %。",
        remarks="混凝土强度的合格性按检验批评定，本报告不作批的判定。",
        technician=PrintedSignature(name="何静", day=date(2026, 11, 19)),
        reviewer=PrintedSignature(name="陆昕旸", day=date(2026, 11, 19)),
        approver=PrintedSignature(name="王浚涛", day=date(2026, 11, 20)),
        printed_at=datetime(2026, 11, 20, 2, 0, tzinfo=UTC),
        curves=tuple(_ramp(index, peak) for index, peak in enumerate(_PEAKS, start=1)),
        is_demo=True,
    )


def _samples() -> PrintedTable:
    columns = ("样品编号", "样品标识", "强度等级", "尺寸/mm", "成型日期", "龄期/d", "养护条件", "代表数量")
    row = ("YP-2026-11802-1", "LC 0418 2207", "C35", "150×150×150", "2026-10-22", "28", "标准养护", "98 m³")
    return PrintedTable(columns=columns, rows=(row,))


def _results() -> PrintedTable:
    columns = (
        "试件序号",
        "承压面积/mm²",
        "破坏荷载/kN",
        "加荷速度/(MPa/s)",
        "抗压强度/MPa",
        "代表值/MPa",
        "达到设计强度/%",
    )
    rows = (
        ("1", "22500", "884.2", "0.59", "39.3", "39.6", "113"),
        ("2", "22500", "901.7", "0.60", "40.1", "", ""),
        ("3", "22500", "887.5", "0.59", "39.4", "", ""),
    )
    return PrintedTable(columns=columns, rows=rows)


def _ramp(index: int, peak: float) -> PrintedCurve:
    """A straight rise to the peak and a short fall, 10 points a second: a picture, not a measurement."""
    rise = [(step / 10, peak * step / 10 / _RAMP_SECONDS) for step in range(int(_RAMP_SECONDS * 10))]
    fall = [(_RAMP_SECONDS + step / 10, peak * (1 - step / 40)) for step in range(25)]
    xs, ys = zip(*rise, *fall, strict=True)
    return PrintedCurve(label=f"试件 {index}", unit="kN", xs=xs, ys=ys)
