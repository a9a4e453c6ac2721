"""The page of a person (人员详情): employer, roles, certificate, projects where the person was confirmed, appointments, work."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.supervision.pages.record_models import Cell, Fact, RecordHead, RecordPage, RelatedList
from plumbline.supervision.reading import words
from plumbline.supervision.reading.database import Row, row, rows
from plumbline.supervision.reading.history import ids_named, versions_of
from plumbline.supervision.reading.records import lines
from plumbline.supervision.reading.records.days import today
from plumbline.supervision.reading.records.desk import (
    Desk,
    counted,
    day,
    group,
    related,
    version_of,
)
from plumbline.web.formats import local_time

_CONFIRMED = (
    "SELECT c.id, p.name, c.samplers, c.occurred_at, c.idx, c.attestation FROM fact.custodians c JOIN fact.project p ON p.id = c.id "
    "WHERE %s = ANY(c.samplers) OR %s = ANY(c.witnesses) ORDER BY c.idx DESC LIMIT 20"
)
_RUNS = lines.newest(lines.RUN_COLUMNS, "fact.run WHERE technician = %s")
_SAMPLES = lines.newest(lines.SAMPLE_COLUMNS, "fact.sample WHERE project = ANY(%s::text[]) AND sampler = %s")
_DUTIES = (
    "SELECT * FROM fact.record WHERE project = ANY(%s::text[]) AND kind = 'duty.appointed' AND body->>'person' = %s "
    "ORDER BY idx DESC LIMIT 8"
)
_DUTY = {"sampling": "取样", "witnessing": "见证", "on_site_testing": "现场检测"}


def page(desk: Desk, key: str) -> RecordPage | None:
    """The page, or None for what is not there or not in the reader's scope."""
    person = row("SELECT * FROM fact.person WHERE id = %s", [key])
    if person is None:
        return None
    confirmed = rows(_CONFIRMED, [key, key])
    found, versions = desk.findings([key]), versions_of([key])
    named = ids_named(versions)
    desk.know({person["party"], person["sender"], *named}, {key, *named})
    term = lines.term_chip(person["valid_from"], person["valid_until"], today())
    return RecordPage(
        head=RecordHead(
            kind="人员",
            title=desk.names.name(key),
            codes=(("证书", person["certificate_number"]),) if person["certificate_number"] else (),
            places=((desk.party(person["party"]), desk.party_url(person["party"])),),
            chips=(term,),
            list_label="人员",
            list_url="/people/",
        ),
        groups=(
            group(
                "角色与证书",
                desk.party_fact("单位", person["party"]),
                Fact(label="角色", value=lines.roles_text(person["roles"])),
                Fact(label="证书编号", value=person["certificate_number"] or "没有写", is_code=True),
                Fact(
                    label="有效期",
                    value=f"{day(person['valid_from'])} 至 {day(person['valid_until']) or '长期'}",
                    chip=term,
                ),
                Fact(
                    label="可做的项目",
                    value="、".join(words.CATEGORIES.get(each, each) for each in person["scope"] or []),
                ),
                Fact(label="检测场所", value="、".join(person["sites"] or [])),
                desk.party_fact("登记单位", person["sender"]),
                Fact(label="登记时间", value=local_time(person["occurred_at"])),
            ),
        ),
        related=tuple(_related(desk, key, confirmed)),
        history=desk.history(person, versions),
        evidence=desk.evidence(person),
        version=version_of(person),
        findings=desk.panel(found),
    )


def _related(desk: Desk, key: str, confirmed: list[Row]) -> Iterator[RelatedList]:
    projects = [each["id"] for each in confirmed]
    number = counted(
        runs=("fact.run WHERE technician = %s", (key,)),
        samples=("fact.sample WHERE project = ANY(%s::text[]) AND sampler = %s", (projects, key)),
    )
    yield related(
        "projects", "核验过的工程", "building", ("工程", "身份", "核验时间", "存证"),
        (_confirmed_line(desk, key, each) for each in confirmed), limit=20, empty="没有在哪个工程核验为取样、见证人员。",
    )  # fmt: skip
    yield related(
        "duties", "到岗预约", "clock", ("从", "到", "事项", "存证"),
        (_duty_line(desk, each) for each in rows(_DUTIES, [projects, key])), limit=8, empty="没有预约。",
    )  # fmt: skip
    yield related(
        "samples", "取过的样品", "package", lines.SAMPLES,
        (lines.sample_line(desk, each) for each in rows(_SAMPLES, [projects, key])),
        count=number["samples"], empty="没有取样记录。",
    )  # fmt: skip
    yield related(
        "tests", "做过的试验", "gauge", lines.RUNS,
        (lines.run_line(desk, each) for each in rows(_RUNS, [key])),
        count=number["runs"], empty="没有试验记录。",
    )  # fmt: skip


def _confirmed_line(desk: Desk, key: str, found: Row) -> tuple[Cell, ...]:
    return (
        Cell(text=found["name"], url=f"/projects/{found['id']}/"),
        Cell(text="取样员" if key in found["samplers"] else "见证员"),
        lines.when(found["occurred_at"]),
        desk.flat(found),
    )


def _duty_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    body = found["body"]
    return (
        Cell(text=body["from_at"][:16].replace("T", " ")),
        Cell(text=body["until_at"][:16].replace("T", " ")),
        Cell(text=_DUTY.get(body["duty"], body["duty"])),
        desk.flat(found),
    )
