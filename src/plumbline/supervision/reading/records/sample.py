"""The page of a sample (样品详情): its whole custody, specimens and tags, curing, commissions, tests, reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from plumbline.supervision.pages.record_models import (
    Cell,
    Fact,
    FactGroup,
    RecordHead,
    RecordPage,
    RelatedList,
)
from plumbline.supervision.pages.view_models import Chip, KeyPicture, TraceStep, VerdictBlock
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading import verdicts, words
from plumbline.supervision.reading.chain import Custody
from plumbline.supervision.reading.database import Row, by_id, row, rows
from plumbline.supervision.reading.field_words import SAMPLE_KINDS
from plumbline.supervision.reading.files import pictures_in, stored_files
from plumbline.supervision.reading.history import ids_named, versions_of
from plumbline.supervision.reading.records import lines
from plumbline.supervision.reading.records.answers import answers
from plumbline.supervision.reading.records.desk import Desk, count_chip, group, one, related, version_of
from plumbline.supervision.reading.report_facts import CustodyFacts, SampleRecord, event_of
from plumbline.web.formats import local_time

_KEPT = {
    "curing.recorded": "养护出入",
    "sample.transferred": "流转",
    "retained.disposed": "留样处置",
    "environment.recorded": "温湿度",
}
_REPORTS = lines.newest(lines.REPORT_COLUMNS, "fact.application WHERE commission = ANY(%s::text[])", 50)


@dataclass(slots=True, kw_only=True)
class Facts:
    """Everything on record about one sample."""

    sample: Row
    project: Row | None
    custody: CustodyFacts
    #: Every witnessing, those that do not count too.
    witnessings: list[Row]
    reports: list[Row]
    kept: list[Row]

    @property
    def record(self) -> SampleRecord:
        """The sample with what happened to it."""
        return self.custody.samples[0]

    def subjects(self) -> list[str]:
        """Ids of everything that a finding may be about."""
        record = self.record
        found = [self.sample["id"], *(each["id"] for each in self.witnessings)]
        return found + [each["id"] for each in (*record.receipts, *record.runs, *record.other_runs)]

    def people(self) -> set[str | None]:
        """Person ids that stand on the page."""
        record = self.record
        found = {self.sample["sampler"], *(each["witness"] for each in self.witnessings)}
        found |= {each["body"].get("receiver") for each in record.receipts}
        found |= {each["technician"] for each in (*record.runs, *record.other_runs)}
        found |= {each["body"].get(name) for each in self.kept for name in ("from_person", "to_person")}
        commission = self.custody.commission
        return found | {commission["body"].get("submitter") if commission else None}


def load(key: str) -> Facts | None:
    """Every row about a sample, as the reader's role sees them; None where the sample is not seen."""
    sample = row("SELECT * FROM fact.sample WHERE id = %s", [key])
    if sample is None:
        return None
    commission = one("SELECT * FROM fact.commission WHERE id = %s", sample["commission"])
    witnessings = rows("SELECT * FROM fact.witnessing WHERE sample = %s ORDER BY idx LIMIT 20", [key])
    receipts = rows("SELECT * FROM fact.receipt WHERE sample = %s ORDER BY idx LIMIT 20", [key])
    runs = rows("SELECT * FROM fact.run WHERE sample = %s ORDER BY started_at, idx LIMIT 50", [key])
    counted = [each for each in runs if each["id"] in (sample["runs"] or []) and not each["discarded"]]
    record = SampleRecord(
        id=key,
        row=sample,
        witnessing=next((each for each in witnessings if each["id"] == sample["witnessing"]), None),
        receipts=[each for each in receipts if each["id"] in (sample["receipts"] or [])] or receipts,
        runs=counted,
        other_runs=[each for each in runs if each not in counted],
    )
    commissions = sorted(
        {each for each in (sample["commission"], *(each["commission"] for each in runs)) if each}
    )
    custody = CustodyFacts(
        address=f"/samples/{key}",
        commission=commission,
        contract=one(
            "SELECT * FROM fact.contract WHERE id = %s", commission["contract"] if commission else None
        ),
        samples=[record],
        instruments=by_id(
            "SELECT * FROM fact.instrument WHERE id = ANY(%s::text[])",
            [f"{run['institution']}/{run['instrument']}" for run in runs],
        ),
    )
    objects = [sample, commission, custody.contract, record.witnessing, *receipts, *runs]
    custody.events = {each["entry"]: event_of(each) for each in objects if each}
    reports = [each for each in rows(_REPORTS, [commissions]) if key in each["body"]["samples"]]
    return Facts(
        sample=sample,
        project=one("SELECT id, name FROM fact.project WHERE id = %s", sample["project"]),
        custody=custody,
        witnessings=witnessings,
        reports=reports,
        kept=rows("SELECT * FROM fact.record WHERE subject = %s ORDER BY idx LIMIT 50", [key]),
    )


def page(desk: Desk, key: str) -> RecordPage | None:
    """The page, or None for what is not there or not in the reader's scope."""
    facts = load(key)
    if facts is None:
        return None
    found, versions = desk.findings(facts.subjects()), versions_of(facts.subjects())
    named, custody = ids_named(versions), facts.custody
    desk.know(_parties(facts) | named, facts.people() | named)
    custody.parties = desk.parties
    stored = stored_files(each["sha256"] for each in pictures_in(custody.samples))
    steps = Custody(custody, desk.names, desk.checkpoint, stored, found).sample_chain()
    return RecordPage(
        head=_head(facts, found),
        groups=tuple(_groups(desk, facts)),
        related=tuple(_related(desk, facts)),
        history=desk.history(facts.sample, versions),
        evidence=desk.evidence(facts.sample),
        version=version_of(facts.sample),
        verdict=_verdict(desk, facts, found),
        findings=desk.panel(found),
        steps=steps,
        pictures=tuple(_pictures(steps)),
        traces=tuple((each["number"], f"/reports/{each['id']}/") for each in facts.reports[:3]),
    )


def _parties(facts: Facts) -> set[str | None]:
    custody = facts.custody
    found: set[str | None] = {each["sender"] for each in custody.events.values()}
    found |= {each["sender"] for each in (*facts.kept, *facts.witnessings)}
    found |= {custody.contract["client"], custody.contract["institution"]} if custody.contract else set()
    return found | ({custody.commission["institution"]} if custody.commission else set())


def _head(facts: Facts, found: list[Row]) -> RecordHead:
    sample, record = facts.sample, facts.record
    kind = SAMPLE_KINDS.get(sample["sample_kind"], sample["sample_kind"])
    state = ("已试验", Tone.OK, "gauge") if record.runs else ("已收样", Tone.TODO, "package-import")
    if not record.receipts:
        state = ("没有收样", Tone.OFF, "circle-dashed")
    places = [(facts.project["name"], f"/projects/{facts.project['id']}/")] if facts.project else []
    return RecordHead(
        kind="样品",
        title=f"{sample['structural_part']} {kind}{' ' + sample['grade'] if sample['grade'] else ''}",
        codes=(("标识", _span(sample["tags"])),),
        places=tuple(places),
        chips=(Chip(text=state[0], tone=state[1], icon=state[2]), *count_chip(found)),
        list_label="样品",
        list_url="/samples/",
    )


def _span(tags: list[str]) -> str:
    return tags[0] if len(tags) == 1 else f"{tags[0]} 等 {len(tags)} 件" if tags else "没有"


def _verdict(desk: Desk, facts: Facts, found: list[Row]) -> VerdictBlock:
    newest = next((each for each in facts.reports if each["state"] == "registered"), None)
    said = verdicts.reported(newest["category"], newest["body"], facts.sample) if newest else None
    return answers(desk, facts.sample, found, said, why=f"见报告 {newest['number']}。" if newest else "")


def _groups(desk: Desk, facts: Facts) -> Iterator[FactGroup]:
    sample, body = facts.sample, facts.sample["body"]
    age = str(sample["required_age_d"]) if sample["required_age_d"] else ""
    yield group(
        "取样",
        Fact(label="工程部位", value=sample["structural_part"]),
        Fact(label="单位工程", value=body.get("unit_work") or ""),
        Fact(label="设计等级", value=sample["grade"] or ""),
        Fact(label="代表数量", value=body.get("represented_quantity") or ""),
        Fact(label="成型时间", value=local_time(sample["made_at"])),
        Fact(label="登记时间", value=local_time(sample["occurred_at"])),
        desk.person_fact("取样人", sample["sampler"]),
        desk.party_fact("取样单位", sample["sender"]),
    )
    yield group(
        "养护与要求",
        Fact(label="养护", value=words.CURING.get(sample["curing"], "不养护")),
        Fact(label="要求龄期", value=age, unit="d"),
        *(Fact(label=_KEPT.get(each["kind"], "记录"), value=_said(desk, each)) for each in facts.kept[:6]),
    )
    commission = facts.custody.commission
    if commission:
        yield group(
            "委托",
            Fact(label="委托编号", value=commission["number"], is_code=True),
            Fact(label="委托类别", value=words.TEST_CATEGORIES.get(commission["test_category"], "")),
            desk.party_fact("检测机构", commission["institution"]),
            Fact(label="要求完成日期", value=commission["body"].get("required_on") or ""),
        )


def _said(desk: Desk, found: Row) -> str:
    """One record of curing, transfer or disposal in a line."""
    body = found["body"]
    if found["kind"] == "curing.recorded":
        times = [body[name] for name in ("entered_at", "left_at") if body.get(name)]
        spans = " 至 ".join(map(_local, times))
        room = body.get("environment") or {}
        climate = "，".join(
            f"{room[name]} {unit}"
            for name, unit in (("temperature_C", "°C"), ("humidity_pct", "%"))
            if room.get(name)
        )
        return "，".join(part for part in (body["room"], spans, climate) if part)
    if found["kind"] == "sample.transferred":
        return f"{desk.names.name(body['from_person'])} 交 {desk.names.name(body['to_person'])}，{local_time(found['occurred_at'])}"
    if found["kind"] == "retained.disposed":
        return f"{body['method']}，留到 {body['kept_until']}"
    return local_time(found["occurred_at"])


def _local(text: str) -> str:
    return local_time(datetime.fromisoformat(text))


def _related(desk: Desk, facts: Facts) -> Iterator[RelatedList]:
    body, record = facts.sample["body"], facts.record
    yield related(
        "specimens", "试件与标识", "qrcode", ("件号", "标识", "名义尺寸", "收样时"),
        (_specimen_line(each, record.receipts) for each in body["specimens"]), empty="没有列出试件。",
    )  # fmt: skip
    yield related(
        "tests", "试验", "gauge", lines.RUNS,
        (lines.run_line(desk, each) for each in (*record.runs, *record.other_runs)), empty="还没有试验。",
    )  # fmt: skip
    yield related(
        "reports", "报告", "file-certificate", lines.REPORTS,
        lines.report_lines(desk, facts.reports), empty="还没有报告。",
    )  # fmt: skip
    if len(facts.witnessings) > 1 or (facts.witnessings and record.witnessing is None):
        yield related(
            "witnessings", "全部见证记录", "eye-check", ("见证时间", "见证人", "封志", "采用", "存证"),
            (_witnessing_line(desk, each, facts.sample) for each in facts.witnessings),
        )  # fmt: skip


def _specimen_line(specimen: Row, receipts: list[Row]) -> tuple[Cell, ...]:
    scans = [scan for each in receipts for scan in each["body"]["scanned"] if scan["tag"] == specimen["tag"]]
    seen = scans[-1] if scans else None
    state = "没有扫到" if receipts else "还没有收样"
    if seen:
        state = f"{'封志完好' if seen['seal_intact'] else '封志破损'}，{seen['condition']}"
    sizes = "×".join(f"{each['value']}" for each in specimen.get("nominal") or [])
    unit = specimen["nominal"][0]["unit"] if specimen.get("nominal") else ""
    return (
        Cell(text=str(specimen["ordinal"])),
        Cell(text=specimen["tag"], is_code=True),
        Cell(text=f"{sizes} {unit}".strip() or "没有写"),
        Cell(text=state),
    )


def _witnessing_line(desk: Desk, found: Row, sample: Row) -> tuple[Cell, ...]:
    return (
        lines.when(found["witnessed_at"]),
        Cell(text=desk.names.name(found["witness"])),
        Cell(text=found["seal"] or "没有"),
        Cell(text="采用" if found["id"] == sample["witnessing"] else "没有采用"),
        desk.flat(found),
    )


def _pictures(steps: tuple[TraceStep, ...]) -> Iterator[tuple[str, KeyPicture]]:
    for step in steps:
        for picture in step.pictures:
            yield step.title_zh, picture
