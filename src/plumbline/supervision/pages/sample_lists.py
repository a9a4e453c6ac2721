"""A list, an empty list and a search as they look (示例名录): for the preview and the tests of templates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from plumbline.supervision.pages.list_models import (
    Cell,
    Column,
    FilterField,
    Hit,
    HitGroup,
    ListPage,
    RecordRow,
    SearchPage,
    ViewTab,
)
from plumbline.supervision.pages.trace_models import Chip, ProofChip
from plumbline.supervision.pages.wording import ProofState, Tone

COLUMNS = (
    Column(key="number", label="报告编号", css="number"),
    Column(key="proof", label="存证", css="chip"),
    Column(key="verdict", label="评定", css="chip"),
    Column(key="category", label="项目"),
    Column(key="specification", label="规格", css="extra"),
    Column(key="result", label="结果", css="result"),
    Column(key="project", label="工程", css="wide"),
    Column(key="institution", label="机构", css="wide extra"),
    Column(key="registered", label="登记时间", css="when"),
)
_FIRST = datetime(2026, 11, 20, 2, 16, tzinfo=UTC)


def sample_rows() -> tuple[RecordRow, ...]:
    """Return list rows in every proof and verdict state."""
    states = list(ProofState)
    verdicts = (
        Chip(tone=Tone.OK, text="达到设计", icon="circle-check"),
        Chip(tone=Tone.BAD, text="未达设计", icon="circle-x"),
        Chip(tone=Tone.OFF, text="已替代", icon="circle-dashed"),
    )
    return tuple(
        RecordRow(
            url=f"/reports/HC-TYJ-2026-{4187 - place:06}/",
            cells=tuple(
                zip(
                    COLUMNS,
                    (
                        Cell(
                            text=f"HC-TYJ-2026-{4187 - place:06}",
                            url=f"/reports/HC-TYJ-2026-{4187 - place:06}/",
                        ),
                        Cell(
                            proof=ProofChip(
                                state=ProofState.LOGGED if place % 3 else states[place % len(states)]
                            )
                        ),
                        Cell(chip=verdicts[0 if place % 4 else place % 3]),
                        Cell(text="混凝土抗压" if place % 3 else "钢筋拉伸"),
                        Cell(text="C35 28 d" if place % 3 else "HRB400E φ20"),
                        Cell(text="39.3 MPa  112 %" if place % 3 else "ReL 447  Rm 611 MPa"),
                        Cell(text="锦绣花园二期 5#楼"),
                        Cell(text="衡川诚测检测有限公司"),
                        Cell(at=_FIRST - timedelta(minutes=7 * place)),
                    ),
                    strict=True,
                )
            ),
        )
        for place in range(15)
    )


def sample_list(rows: tuple[RecordRow, ...] | None = None) -> ListPage:
    """Return a list page; with an empty tuple, the empty state."""
    shown = sample_rows() if rows is None else rows
    counts = (1001, 37, 58, 3) if shown else (0, 0, 0, 0)
    labels = ("全部", "未达设计或不合格", "有提醒", "存证不全")
    return ListPage(
        key="reports",
        title="检测报告",
        measure="份",
        columns=COLUMNS,
        rows=shown,
        summary="本辖区",
        tabs=tuple(
            ViewTab(key=str(place), label=label, url=f"?view={place}", count=count, is_active=place == 0)
            for place, (label, count) in enumerate(zip(labels, counts, strict=True))
        ),
        fields=(
            FilterField(
                key="category",
                label="项目",
                kind="choice",
                value="concrete_cube" if shown else "",
                options=(("concrete_cube", "混凝土抗压"),),
                remove_url="?",
            ),
            FilterField(key="project", label="工程", hint="名称或编号"),
            FilterField(key="since", label="从", kind="day"),
        ),
        sorts=(("new", "最新在前"), ("old", "最早在前")),
        sort="new",
        next_url="?after=abc" if shown else None,
        export_url="/reports/export.csv?",
        search_hint="监管码、报告编号、工程",
        empty=("机构登记第一份报告后会出现在这里。", "看样品", "/samples/"),
    )


def sample_search(text: str = "锦绣") -> SearchPage:
    """Return what a search found; nothing for a text that nobody has."""
    if text != "锦绣":
        return SearchPage(text=text)
    hit = Hit(label="锦绣花园二期 5#楼", detail="P-2026-018 · 610302", url="/projects/" + "a" * 32 + "/")
    report = Hit(label="HC-TYJ-2026-004187", detail="混凝土抗压", url="/reports/HC-TYJ-2026-004187/")
    return SearchPage(
        text=text,
        groups=(
            HitGroup(title="检测报告", icon="file-certificate", hits=(report,), more_url="/reports/?q=x"),
            HitGroup(title="工程项目", icon="building", hits=(hit,)),
        ),
    )
