"""The page of a test (试验详情): readings and curves, instrument, operator, recomputation beside the institution's result, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from plumbline.domain.basics.calendar import local_date
from plumbline.supervision.pages.record_models import (
    Cell,
    Fact,
    FactGroup,
    RecordHead,
    RecordPage,
    RelatedList,
)
from plumbline.supervision.pages.view_models import Chip, History, KeyPicture
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading import verdicts, words
from plumbline.supervision.reading.curve_panels import panels
from plumbline.supervision.reading.database import Row, by_id, row, rows
from plumbline.supervision.reading.files import key_picture, stored_files
from plumbline.supervision.reading.history import correction_of, ids_named, versions_of
from plumbline.supervision.reading.records import lines
from plumbline.supervision.reading.records.answers import answers
from plumbline.supervision.reading.records.desk import (
    Desk,
    count_chip,
    day,
    group,
    one,
    related,
    version_of,
)
from plumbline.supervision.reading.report_facts import event_of
from plumbline.web.formats import local_time

_REPORTS = lines.newest(lines.REPORT_COLUMNS, "fact.application WHERE commission = %s", 50)
#: The first change of the instrument after the test: what stood before it is what held at the test.
_NEXT_VERSION = "SELECT before FROM fact.version WHERE object = %s AND idx > %s ORDER BY idx LIMIT 1"
_STEPS = {"review": "审核", "approval": "批准"}
_DECISIONS = {"accepted": "同意", "returned": "退回"}
_KEPT = {"nonconformity.notified": "不合格告知", "nonconformity.disposed": "不合格处置"}
_TOLD = {"client": "委托单位", "station": "监督站"}


@dataclass(slots=True, kw_only=True)
class Facts:
    """Everything on record about one test; drawn like the tests of a report (`curve_panels.Measured`)."""

    address: str
    run: Row
    instruments: dict[str, Row]
    evaluations: dict[str, Row]
    reports: list[Row]
    sample: Row | None = None
    project: Row | None = None
    commission: Row | None = None
    reviews: list[Row] = field(default_factory=list)
    corrections: list[Row] = field(default_factory=list)
    kept: list[Row] = field(default_factory=list)
    #: What was registered of the instrument when the test was logged, where it changed since.
    earlier: Row | None = None

    @property
    def calibrated_until(self) -> date | None:
        """Until when the instrument was calibrated as it stood on record at the test; a later calibration says nothing of it."""
        if self.earlier is not None:
            before = self.earlier["before"]
            is_known = datetime.fromisoformat(before["occurred_at"]) <= self.run["logged_at"]
            return date.fromisoformat(before["calibrated_until"]) if is_known else None
        machine = self.instrument
        # What was registered after the test says nothing of it; a reader who does not see the history cannot be told what held before.
        is_later = machine is None or machine["idx"] > self.run["idx"]
        return None if is_later or machine is None else machine["calibrated_until"]

    @property
    def runs(self) -> list[Row]:
        """The one run."""
        return [self.run]

    @property
    def specimens(self) -> list[tuple[Row, Row]]:
        """(run, specimen) in the order of the page."""
        return [(self.run, specimen) for specimen in self.run["body"]["specimens"]]

    @property
    def reported(self) -> list[Row]:
        """Parameters of the newest report that rests on this run."""
        return list(self.reports[0]["body"]["parameters"]) if self.reports else []

    @property
    def instrument(self) -> Row | None:
        """The instrument, where it is registered."""
        return next(iter(self.instruments.values()), None)

    def people(self) -> set[str | None]:
        """Person ids that stand on the page."""
        found = {self.run["technician"], *(each["person"] for each in self.reviews)}
        return found | {each["body"]["person"] for each in self.corrections}


def load(key: str) -> Facts | None:
    """The run with what curves and result need, as the reader's role sees it; None where it is not seen."""
    run = row("SELECT * FROM fact.run WHERE id = %s", [key])
    if run is None:
        return None
    reports = rows(_REPORTS, [run["commission"]])
    return Facts(
        address=f"/tests/{key}",
        run=run,
        instruments=by_id(
            "SELECT * FROM fact.instrument WHERE id = ANY(%s::text[])",
            [f"{run['institution']}/{run['instrument']}"],
        ),
        evaluations=by_id("SELECT * FROM fact.evaluation WHERE id = ANY(%s::text[])", [key]),
        reports=[each for each in reports if any(key in part["runs"] for part in each["body"]["parameters"])],
    )


def _surround(facts: Facts) -> None:
    run, key = facts.run, facts.run["id"]
    facts.sample = one("SELECT * FROM fact.sample WHERE id = %s", run["sample"])
    facts.project = one("SELECT id, name FROM fact.project WHERE id = %s", run["project"])
    facts.commission = one("SELECT * FROM fact.commission WHERE id = %s", run["commission"])
    facts.reviews = rows("SELECT * FROM fact.review WHERE run = %s ORDER BY idx LIMIT 50", [key])
    facts.corrections = rows("SELECT * FROM fact.correction WHERE run = %s ORDER BY idx LIMIT 50", [key])
    facts.earlier = row(_NEXT_VERSION, [f"{run['institution']}/{run['instrument']}", run["idx"]])
    facts.kept = rows("SELECT * FROM fact.record WHERE subject = %s ORDER BY idx LIMIT 20", [key])


def page(desk: Desk, key: str) -> RecordPage | None:
    """The page, or None for what is not there or not in the reader's scope."""
    facts = load(key)
    if facts is None:
        return None
    _surround(facts)
    run = facts.run
    found, versions = desk.findings([key]), versions_of([key])
    named, machine = ids_named(versions), facts.instrument
    senders = {each["sender"] for each in (*facts.reviews, *facts.corrections, *facts.kept)}
    desk.know({run["sender"], run["institution"], *senders, *named}, facts.people() | named)
    newest = next((each for each in facts.reports if each["state"] == "registered"), None)
    said = verdicts.reported(newest["category"], newest["body"], facts.sample) if newest else None
    taken = run["body"].get("pictures") or []
    stored = stored_files(each["sha256"] for each in taken)
    return RecordPage(
        head=_head(facts, found),
        groups=tuple(_groups(desk, facts, machine)),
        related=tuple(_related(desk, facts)),
        history=_history(desk, facts, versions),
        evidence=desk.evidence(run, is_machine=True),
        version=version_of(run),
        verdict=answers(desk, run, found, said, why=_recomputed(facts)),
        findings=desk.panel(found),
        panels=panels(facts),
        pictures=tuple(_pictures(facts.address, taken, stored)),
        traces=tuple((each["number"], f"/reports/{each['id']}/") for each in facts.reports[:3]),
    )


def _pictures(address: str, taken: list[Row], stored: Mapping[str, str]) -> Iterator[tuple[str, KeyPicture]]:
    for each in taken:
        yield "试验", key_picture(each, address, stored)


def _head(facts: Facts, found: list[Row]) -> RecordHead:
    run = facts.run
    chips = [
        Chip(text="人工录入", tone=Tone.WARN, icon="pencil")
        if run["data_origin"] == "keyed"
        else Chip(text="自动采集", tone=Tone.OK, icon="activity")
    ]
    if run["discarded"]:
        chips.append(Chip(text="已作废", tone=Tone.OFF, icon="circle-x"))
    places = [(facts.project["name"], f"/projects/{facts.project['id']}/")] if facts.project else []
    if facts.sample:
        places.append((facts.sample["structural_part"], f"/samples/{facts.sample['id']}/"))
    return RecordHead(
        kind="试验",
        title=f"{words.CATEGORIES.get(run['category'], run['category'])} {local_time(run['started_at'])}",
        codes=(("委托编号", facts.commission["number"]),) if facts.commission else (),
        places=tuple(places),
        chips=(*chips, *count_chip(found)),
        list_label="试验",
        list_url="/tests/",
    )


def _groups(desk: Desk, facts: Facts, machine: Row | None) -> Iterator[FactGroup]:
    run, body = facts.run, facts.run["body"]
    room, until = body.get("environment") or {}, facts.calibrated_until
    yield group(
        "试验",
        Fact(label="标准", value=run["edition"]),
        Fact(label="设计等级", value=body.get("grade") or ""),
        Fact(label="开始", value=local_time(run["started_at"], "second")),
        Fact(label="结束", value=local_time(run["finished_at"], "second")),
        desk.person_fact("检测员", run["technician"]),
        desk.party_fact("检测机构", run["institution"]),
        Fact(label="检测场所", value=run["site"]),
        Fact(label="温度", value=room.get("temperature_C") or "", unit="°C"),
        Fact(label="湿度", value=room.get("humidity_pct") or "", unit="%"),
    )
    yield group(
        "设备与数据",
        Fact(
            label="仪器",
            value=f"{machine['name']} {run['instrument']}" if machine else f"{run['instrument']}，没有登记",
            url=f"/instruments/{machine['ref']}/" if machine else "",
        ),
        Fact(
            label="试验时的校准有效期", value=day(until), chip=lines.calibration_chip(until, local_date(run["started_at"]))
        ) if until else None,
        Fact(label="数据来源", value="人工录入" if run["data_origin"] == "keyed" else "自动采集"),
        Fact(label="人工录入原因", value=body.get("keyed_because") or ""),
        Fact(label="作废原因", value=body.get("discarded_because") or ""),
        Fact(label="加荷控制", value={"automatic": "自动", "manual": "手动"}.get(body.get("load_control", ""), "")),
        Fact(label="采集软件", value=body.get("software") or ""),
        Fact(label="曲线", value=f"{run['curves']} 条，每条不少于 {run['points']} 点" if run["curves"] else "没有"),
    )  # fmt: skip


def _related(desk: Desk, facts: Facts) -> Iterator[RelatedList]:
    yield related(
        "results", "机构结果与平台复算", "list-check", ("量", "试件", "机构", "平台复算", "比较"),
        _results(facts), empty=_recomputed(facts) or "报告里没有这次试验的数值。",
    )  # fmt: skip
    yield related(
        "readings", "原始读数", "wave-sine", ("试件", "标识", "尺寸", "读数", "破坏情况"),
        (_specimen_line(place, each) for place, (_, each) in enumerate(facts.specimens, start=1)),
    )  # fmt: skip
    yield related(
        "reviews", "审核与批准", "user-check", ("时间", "步骤", "人员", "意见", "存证"),
        (_review_line(desk, each) for each in facts.reviews), empty="还没有审核。",
    )  # fmt: skip
    yield related(
        "reports", "报告", "file-certificate", lines.REPORTS,
        lines.report_lines(desk, facts.reports),
        empty="没有报告引用这次试验。",
    )  # fmt: skip
    if facts.kept:
        yield related(
            "records", "不合格处置", "flag-3", ("时间", "内容", "说明", "报送单位", "存证"),
            (_kept_line(desk, each) for each in facts.kept),
        )  # fmt: skip


def _results(facts: Facts) -> Iterator[tuple[Cell, ...]]:
    """Every value that institution or platform has of this run: theirs, ours, and whether they are the same number."""
    key, found = facts.run["id"], facts.evaluations.get(facts.run["id"])
    theirs = [
        v
        for part in facts.reported
        if key in part["runs"]
        for v in part["values"]
        if v.get("value") is not None
    ]
    computed = found["body"]["values"] if found and found["outcome"] == "computed" else []
    ours = {each["symbol"]: each["value"] for each in computed}
    for value in theirs:
        ordinal = value.get("ordinal")
        own = ours.get(f"{value['symbol']}_{ordinal}" if ordinal else value["symbol"])
        unit = verdicts.unit_text(value.get("unit"))
        yield (
            Cell(text=value["name"]),
            Cell(text=str(ordinal) if ordinal else "全组"),
            Cell(text=f"{value['value']} {unit}".strip(), is_number=True),
            Cell(text=f"{own} {unit}".strip() if own is not None else "没有算", is_number=True),
            Cell(chip=_compared(value["value"], own)),
        )


def _compared(theirs: str, ours: str | None) -> Chip:
    if ours is None:
        return Chip(tone=Tone.OFF, text="没有比", icon="circle-dashed")
    try:
        same = Decimal(theirs) == Decimal(ours)
    except InvalidOperation:
        same = theirs == ours
    if same:
        return Chip(tone=Tone.OK, text="一致", icon="circle-check")
    return Chip(tone=Tone.BAD, text="不一致", icon="circle-x")


def _recomputed(facts: Facts) -> str:
    """One sentence on the recomputation, where it gave no value."""
    found = facts.evaluations.get(facts.run["id"])
    if found is None:
        return "作废的试验不复算。" if facts.run["discarded"] else "平台还没有复算。"
    if found["outcome"] != "computed":
        return f"平台没有复算：{(found['body'].get('because') or '没有说明').rstrip('。')}。"
    return "" if facts.reports else "平台已复算，还没有报告可比。"


def _specimen_line(place: int, specimen: Row) -> tuple[Cell, ...]:
    return (
        Cell(text=f"试件 {place}"),
        Cell(text=specimen["tag"], is_code=True),
        Cell(text=_worded(specimen.get("dimensions", []))),
        Cell(text=_worded(specimen["readings"])),
        Cell(text=specimen.get("break_note") or "没有写"),
    )


#: Names of dimensions and readings on the wire → what they are called.
_NAMES = {
    "width": "宽", "height": "高", "length": "长", "edge": "边长", "diameter": "直径", "load": "荷载", "mass": "质量", "Fm": "最大力",
    "FeH": "上屈服力", "FeL": "下屈服力", "L0": "原始标距", "Lu": "断后标距", "gauge_length": "标距",
    "final_gauge_length": "断后标距", "final_gauge": "断后标距", "lower_yield": "下屈服力", "area": "面积",
}  # fmt: skip


def _worded(measured: list[Row]) -> str:
    """宽 150 mm，高 150 mm: measured values as written, with their names in Chinese."""
    parts = []
    for each in measured:
        name = each["name"].removesuffix(f"_{each['unit']}")
        parts.append(f"{_NAMES.get(name, name)} {each['value']} {verdicts.unit_text(each['unit'])}".strip())
    return "，".join(parts) or "没有写"


def _review_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    note = found["body"].get("note")
    said = lines.word_of(_DECISIONS, found["decision"])
    url = f"/people/{found['person']}/" if desk.names.row(found["person"]) else ""
    return (
        lines.when(found["occurred_at"]),
        Cell(text=lines.word_of(_STEPS, found["step"])),
        Cell(text=desk.names.name(found["person"]), url=url),
        Cell(text=f"{said}，{note}" if note else said),
        desk.flat(found),
    )


def _kept_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    body = found["body"]
    if found["kind"] == "nonconformity.notified":
        said = "已告知" + "、".join(_TOLD.get(each, each) for each in body["told"])
    else:
        said = f"{body.get('disposition', '')}{'，已办结' if body.get('closed') else '，还没有办结'}"
    return (
        lines.when(found["occurred_at"]),
        Cell(text=_KEPT.get(found["kind"], "记录")),
        Cell(text=said),
        Cell(text=desk.party(found["sender"])),
        desk.flat(found),
    )


def _history(desk: Desk, facts: Facts, versions: list[Row]) -> History:
    """Versions of the run, and values that a person read anew on its curve."""
    found = desk.history(facts.run, versions)
    events = {each["entry"]: event_of(each) for each in facts.corrections}
    entries = [correction_of(each, desk.names, events, desk.covered) for each in facts.corrections]
    both = sorted((*found.entries, *entries), key=lambda each: each.at, reverse=True)
    # A value that was read anew changes no version of the run, and is a change all the same.
    first = found.first.replace("只有一版，没有改过", "试验记录只有一版") if entries else found.first
    return History(entries=tuple(both), first=first, is_withheld=found.is_withheld)
