"""The page of a project (工程详情): parties, contracts, plans, samples, tests, reports, findings."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.supervision.pages.record_models import (
    Cell,
    Fact,
    FactGroup,
    RecordHead,
    RecordPage,
    RelatedList,
)
from plumbline.supervision.pages.view_models import Chip
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading import words
from plumbline.supervision.reading.database import Row, row, rows
from plumbline.supervision.reading.field_words import PARTY_KINDS
from plumbline.supervision.reading.history import ids_named, versions_of
from plumbline.supervision.reading.records import lines
from plumbline.supervision.reading.records.desk import (
    Desk,
    counted,
    group,
    one,
    related,
    version_of,
)
from plumbline.web.formats import local_time

_PARTS = ("owner", "contractor", "resident_engineer_firm")
#: The project's own records that stand on its page, in words.
_RECORDS = {
    "schedule.submitted": "检测计划", "schedule.approved": "计划审批", "pour.recorded": "浇筑", "arrival.recorded": "进场",
    "insitu.registered": "实体检测项目", "duty.appointed": "到岗预约", "checkin.recorded": "签到",
}  # fmt: skip
_NEWEST_SAMPLES = lines.newest(lines.SAMPLE_COLUMNS, "fact.sample WHERE project = %s")
_NEWEST_RUNS = lines.newest(lines.RUN_COLUMNS, "fact.run WHERE project = %s")
_NEWEST_REPORTS = lines.newest(lines.REPORT_COLUMNS, "fact.application WHERE project = %s")
_NEWEST_FINDINGS = lines.newest("*", "fact.finding WHERE project = %s")
_CONTRACTS = (
    "SELECT id, number, client, client_role, institution, body, idx, attestation FROM fact.contract "
    "WHERE project = %s ORDER BY idx DESC LIMIT 20"
)
_KEPT = "SELECT * FROM fact.record WHERE project = %s AND kind = ANY(%s) ORDER BY idx DESC LIMIT 8"
_PEOPLE_SHOWN = 12
_PLANS = ["schedule.submitted", "schedule.approved"]


def page(desk: Desk, key: str) -> RecordPage | None:
    """The page, or None for what is not there or not in the reader's scope."""
    project = row("SELECT * FROM fact.project WHERE id = %s", [key])
    if project is None:
        return None
    contracts = rows(_CONTRACTS, [key])
    custodians = one("SELECT * FROM fact.custodians WHERE id = %s", key)
    plans = rows(_KEPT, [key, _PLANS])
    kept = rows(_KEPT, [key, [kind for kind in _RECORDS if kind not in _PLANS]])
    versions = versions_of([key])
    sees = desk.principal.sees_unconfirmed_findings
    found = rows(_NEWEST_FINDINGS, [key]) if sees else []
    people = (*custodians["samplers"], *custodians["witnesses"]) if custodians else ()
    named = ids_named(versions)
    desk.know(
        {project["sender"], *(project[part] for part in _PARTS), *named}
        | {each[name] for each in contracts for name in ("client", "institution")}
        | {each["sender"] for each in (*plans, *kept)},
        {*people, *named},
    )
    return RecordPage(
        head=_head(project),
        groups=(_facts(desk, project), *_people(desk, custodians)),
        related=tuple(_related(desk, key, contracts, (plans, kept), found)),
        history=desk.history(project, versions),
        evidence=desk.evidence(project),
        version=version_of(project),
    )


def _head(project: Row) -> RecordHead:
    return RecordHead(
        kind="工程",
        title=project["name"],
        codes=(("工程编号", project["code"]),),
        chips=(Chip(tone=Tone.TODO, text=f"行政区划 {project['division']}", icon="map-pin"),),
        list_label="工程",
        list_url="/projects/",
        volume=("工程案卷包", f"/exports/?project={project['id']}#volumes"),
    )


def _facts(desk: Desk, project: Row) -> FactGroup:
    body = project["body"]
    return group(
        "基本情况",
        *(desk.party_fact(PARTY_KINDS[part], project[part]) for part in _PARTS),
        Fact(label="施工许可证", value=body.get("permit_number") or "", is_code=True),
        Fact(label="单位工程", value="、".join(body.get("unit_works") or [])),
        Fact(label="登记时间", value=local_time(project["occurred_at"])),
        desk.party_fact("登记单位", project["sender"]),
    )


def _people(desk: Desk, custodians: Row | None) -> tuple[FactGroup, ...]:
    if custodians is None:
        return (group("取样、见证人员", Fact(label="核验", value="还没有核验过取样、见证人员。")),)
    named = [("取样员", each) for each in custodians["samplers"]]
    named += [("见证员", each) for each in custodians["witnesses"]]
    at = Fact(label="核验时间", value=local_time(custodians["occurred_at"]))
    others = len(named) - _PEOPLE_SHOWN
    more = Fact(label="另有", value=f"{others} 人没有列出") if others > 0 else None
    shown = (desk.person_fact(word, each) for word, each in named[:_PEOPLE_SHOWN])
    return (group("取样、见证人员", *shown, more, at),)


def _related(
    desk: Desk, key: str, contracts: list[Row], kept: tuple[list[Row], list[Row]], found: list[Row]
) -> Iterator[RelatedList]:
    number = counted(
        samples=("fact.sample WHERE project = %s", (key,)),
        runs=("fact.run WHERE project = %s", (key,)),
        reports=("fact.application WHERE project = %s", (key,)),
        findings=("fact.finding WHERE project = %s", (key,))
        if desk.principal.sees_unconfirmed_findings
        else ("fact.project WHERE false", ()),
    )
    yield related(
        "reports", "报告", "file-certificate", lines.REPORTS,
        lines.report_lines(desk, rows(_NEWEST_REPORTS, [key])),
        count=number["reports"], more_url=f"/reports/?project={key}", empty="还没有报告。",
    )  # fmt: skip
    yield related(
        "samples", "样品", "package", lines.SAMPLES,
        (lines.sample_line(desk, each) for each in rows(_NEWEST_SAMPLES, [key])),
        count=number["samples"], more_url=f"/samples/?project={key}", empty="还没有取样。",
    )  # fmt: skip
    yield related(
        "tests", "试验", "gauge", lines.RUNS,
        (lines.run_line(desk, each) for each in rows(_NEWEST_RUNS, [key])),
        count=number["runs"], more_url=f"/tests/?project={key}", empty="还没有试验。",
    )  # fmt: skip
    yield from lines.findings_list(
        desk, found, count=number["findings"], more_url=f"/findings/?project={key}"
    )
    yield related(
        "contracts", "合同", "file-text", ("合同编号", "委托单位", "检测机构", "签订日期", "存证"),
        (_contract_line(desk, each) for each in contracts), limit=20, empty="还没有报送合同。",
    )  # fmt: skip
    yield related(
        "plans", "检测计划", "clipboard-text", ("时间", "内容", "说明", "报送单位", "存证"),
        (_record_line(desk, each) for each in kept[0]), limit=8, empty="还没有报送检测计划。",
    )  # fmt: skip
    yield related(
        "records", "现场记录", "map-pin", ("时间", "内容", "说明", "报送单位", "存证"),
        (_record_line(desk, each) for each in kept[1]), limit=8, empty="还没有浇筑或进场记录。",
    )  # fmt: skip


def _contract_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    return (
        Cell(text=found["number"], is_code=True),
        desk.party_cell(found["client"]),
        desk.party_cell(found["institution"]),
        Cell(text=found["body"]["signed_on"]),
        desk.flat(found),
    )


def _record_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    return (
        lines.when(found["occurred_at"]),
        Cell(text=_RECORDS[found["kind"]]),
        Cell(text=_said(desk, found["kind"], found["body"])),
        Cell(text=desk.party(found["sender"])),
        desk.flat(found),
    )


def _said(desk: Desk, kind: str, body: Row) -> str:
    """What a record of the site says, in one line."""
    if kind == "schedule.submitted":
        return f"{len(body['lines'])} 项，{sum(each['groups'] for each in body['lines'])} 组"
    if kind == "schedule.approved":
        return "同意" if body["approved"] else f"不同意：{body.get('note') or '没有写原因'}"
    if kind == "pour.recorded":
        return f"{body['structural_part']}，{body['grade']}，{body['volume_m3']} m³"
    if kind == "arrival.recorded":
        heat = f"，炉批号 {body['heat_number']}" if body.get("heat_number") else ""
        return f"{body['material']} {body['grade']}，{body['quantity']} {body['unit']}{heat}"
    if kind == "insitu.registered":
        return f"{body['structural_part']}，{words.CATEGORIES.get(body['category'], body['category'])}"
    return desk.names.name(body.get("person"))
