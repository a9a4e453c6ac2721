"""The page of an instrument (仪器详情): calibration and its term, checks, the tests that were made on it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from plumbline.supervision.pages.record_models import Cell, Fact, RecordHead, RecordPage, RelatedList
from plumbline.supervision.reading.database import Row, rows
from plumbline.supervision.reading.history import ids_named, versions_of
from plumbline.supervision.reading.records import lines
from plumbline.supervision.reading.records.days import today
from plumbline.supervision.reading.records.desk import (
    Desk,
    counted,
    group,
    one,
    related,
    version_of,
)
from plumbline.web.formats import local_time

_BY_REF = "SELECT * FROM fact.instrument WHERE ref = %s"
_BY_ENTRY = "SELECT * FROM fact.instrument WHERE entry = %s"
_RUNS = lines.newest(lines.RUN_COLUMNS, "fact.run WHERE institution = %s AND instrument = %s")


def page(desk: Desk, key: str) -> RecordPage | None:
    """The page, or None for what is not there or not in the reader's scope.

    ``key`` is the entry that registered the instrument first; the entry of its newest version leads there too.
    """
    machine = one(_BY_REF, key) or one(_BY_ENTRY, key)
    if machine is None:
        return None
    body, versions = machine["body"], versions_of([machine["id"]])
    found = desk.findings([machine["id"], machine["entry"]])
    kept = rows("SELECT * FROM fact.record WHERE subject = %s ORDER BY idx DESC LIMIT 20", [machine["id"]])
    named = ids_named(versions)
    desk.know({machine["institution"], machine["sender"], *named, *(each["sender"] for each in kept)}, named)
    calibration = lines.calibration_chip(machine["calibrated_until"], today())
    return RecordPage(
        head=RecordHead(
            kind="仪器",
            title=machine["name"],
            codes=(("机构内编号", machine["instrument"]),),
            places=((desk.party(machine["institution"]), desk.party_url(machine["institution"])),),
            chips=(calibration,),
            list_label="仪器设备",
            list_url="/instruments/",
        ),
        groups=(
            group(
                "设备",
                desk.party_fact("检测机构", machine["institution"]),
                Fact(label="检测场所", value=body.get("site") or ""),
                Fact(label="型号", value=body.get("model") or ""),
                Fact(label="出厂编号", value=body.get("serial_number") or "", is_code=True),
                Fact(label="量程", value=body.get("range_kN") or "", unit="kN"),
                Fact(label="准确度等级", value=body.get("accuracy_class") or ""),
            ),
            group(
                "检定校准",
                Fact(label="证书", value=body.get("calibration_certificate") or "", is_code=True),
                Fact(label="有效期至", value=machine["calibrated_until"].isoformat(), chip=calibration),
                desk.party_fact("登记单位", machine["sender"]),
                Fact(label="登记时间", value=local_time(machine["occurred_at"])),
            ),
        ),
        related=tuple(_related(desk, machine, kept)),
        history=desk.history(machine, versions),
        evidence=desk.evidence(machine),
        version=version_of(machine),
        findings=desk.panel(found),
    )


def _related(desk: Desk, machine: Row, kept: list[Row]) -> Iterator[RelatedList]:
    which = (machine["institution"], machine["instrument"])
    number = counted(runs=("fact.run WHERE institution = %s AND instrument = %s", which))
    yield related(
        "tests", "做过的试验", "gauge", lines.RUNS,
        (lines.run_line(desk, each) for each in rows(_RUNS, which)),
        count=number["runs"], more_url=f"/tests/?institution={which[0]}&instrument={quote(which[1])}", empty="没有试验记录。",
    )  # fmt: skip
    yield related(
        "checks", "期间核查", "list-check", ("日期", "结果", "报送单位", "存证"),
        (_check_line(desk, each) for each in kept), limit=20, empty="没有报送过期间核查。",
    )  # fmt: skip


def _check_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    body = found["body"]
    return (
        Cell(text=body.get("checked_on", "")),
        Cell(text="通过" if body.get("passed") else "没有通过"),
        Cell(text=desk.party(found["sender"])),
        desk.flat(found),
    )
