"""An invented record page with every part that a page may have (示例详情页，人名机构均为虚构)."""

from __future__ import annotations

from dataclasses import replace

from plumbline.supervision.pages.record_models import (
    Cell,
    Fact,
    FactGroup,
    MonthBar,
    RecordHead,
    RecordPage,
    RelatedList,
)
from plumbline.supervision.pages.samples import sample_trace, sample_trace_with_gaps
from plumbline.supervision.pages.view_models import Chip, History, ProofChip
from plumbline.supervision.pages.wording import ProofState, Tone

#: Id of the sample test.
TEST = "0123456789abcdef" * 2


def _related() -> tuple[RelatedList, ...]:
    valid = Chip(tone=Tone.OK, text="校准有效", icon="circle-check")
    return (
        RelatedList(
            key="reports",
            title="报告",
            icon="file-certificate",
            columns=("报告编号", "结果", "数值", "存证"),
            rows=(
                (
                    Cell(text="BG-2026-000123", url="/reports/x/", is_code=True),
                    Cell(chip=valid),
                    Cell(text="39.3 MPa", is_number=True),
                    Cell(proof=ProofChip(state=ProofState.LOGGED)),
                ),
            ),
            total="共 37 条",
            more_url="/reports/?project=x",
        ),
        RelatedList(
            key="reviews",
            title="审核",
            icon="user-check",
            columns=("时间",),
            rows=(),
            empty="还没有审核。",
        ),
    )


def sample_record() -> RecordPage:
    """Return a test with curves, chain, findings, history and related lists."""
    trace, gaps = sample_trace(), sample_trace_with_gaps()
    valid = Chip(tone=Tone.OK, text="校准有效", icon="circle-check")
    return RecordPage(
        head=RecordHead(
            kind="试验",
            title="混凝土抗压 2026-11-19 14:02",
            codes=(("委托编号", "WT-2026-000123"),),
            places=(("滨河家园", "/projects/x/"), ("3 层柱", "/samples/x/")),
            chips=(Chip(tone=Tone.OK, text="自动采集", icon="activity"),),
            list_label="试验",
            list_url="/tests/",
        ),
        lead="这一页是示例。",
        groups=(
            FactGroup(
                title="设备与数据",
                facts=(
                    Fact(label="仪器", value="压力机 YE-2000", url="/instruments/x/"),
                    Fact(label="温度", value="20.5", unit="°C"),
                    Fact(label="校准有效期至", value="2027-03-01", chip=valid),
                    Fact(label="出厂编号", value="N-1001", is_code=True),
                ),
            ),
        ),
        related=_related(),
        history=replace(gaps.history, first="第 1 版由示例检测公司报送。"),
        evidence=trace.evidence,
        version=trace.version,
        verdict=trace.verdict,
        findings=trace.findings,
        steps=trace.steps,
        panels=trace.panels,
        pictures=tuple((step.title_zh, picture) for step, picture in trace.pictures),
        traces=(("BG-2026-000123", "/reports/x/"),),
        months=tuple(MonthBar(label=f"2026-{n:02d}", count=n * 3, tenths=min(n, 10)) for n in range(6, 12)),
        months_title="近六个月申请的报告",
    )


def sample_plain_record() -> RecordPage:
    """Return a record of one version with nothing around it."""
    head = RecordHead(kind="人员", title="王海涛", list_label="人员", list_url="/people/")
    return RecordPage(head=head, groups=(), history=History(first="只有一版，没有改过。"))
