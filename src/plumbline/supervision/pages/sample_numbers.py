"""Invented series of numbers for previews and template tests: one whole, one with gaps (示例编号系列)."""

from __future__ import annotations

from plumbline.supervision.pages.number_models import Choice, NumberLine, NumberSeries, NumbersPage


def sample_numbers() -> NumbersPage:
    """Return two institutions' series of one year."""
    return NumbersPage(
        series=(_with_gaps(), _whole()),
        years=(
            Choice(label="2026 年", url="?year=2026", is_active=True),
            Choice(label="2025 年", url="?year=2025"),
        ),
        institutions=(
            Choice(label="全部机构", url="?year=2026", is_active=True),
            Choice(label="衡川诚测检测有限公司", url="?year=2026&institution=a"),
        ),
    )


def _with_gaps() -> NumberSeries:
    return NumberSeries(
        title="报告编号",
        institution="衡川诚测检测有限公司",
        prefix="HNT",
        site="S1",
        year=2026,
        highest=46,
        issued_word="已出报告",
        issued=40,
        open_word="在检",
        in_testing=(NumberLine(number="HC-HNT-2026-000045", note="还没有报告"),),
        in_testing_count=1,
        voided_count=1,
        voided=(NumberLine(number="HC-HNT-2026-000031", note="委托方撤销委托，样品退回"),),
        missing="7–9、12",
        missing_count=4,
        newest=(
            NumberLine(number="HC-HNT-2026-000046", url="/reports/a/", note="已登记"),
            NumberLine(number="HC-HNT-2026-000044", url="/reports/b/", note="暂不发码"),
        ),
        remarks=("2026 年HNT系列有 4 个编号没有任何记录（缺号）：7–9、12。请说明这些编号的去向。",),
    )


def _whole() -> NumberSeries:
    return NumberSeries(
        title="委托编号",
        institution="衡川诚测检测有限公司",
        prefix="WT",
        site="S1",
        year=2026,
        highest=46,
        issued_word="已使用",
        issued=46,
        open_word="已取号",
        newest=(NumberLine(number="HC-WT-2026-000046", url="/reports/a/"),),
    )
