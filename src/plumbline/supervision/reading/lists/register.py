"""The lists of who and what there is (登记名录): institutions, projects, people, instruments."""

from __future__ import annotations

from datetime import date, timedelta

from plumbline.supervision.pages.list_models import Cell, Column
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.database import Row
from plumbline.supervision.reading.lists import named, ways
from plumbline.supervision.reading.lists.declare import NEWEST, OLDEST, Drawing, Filter, ListKind, Sort, View
from plumbline.supervision.reading.lists.work import tag

_NAME = Sort(key="name", label="名称", expression="COALESCE(t.name, '')", kind="text", descending=False)
_INSTITUTION = Filter(
    key="institution", label="机构", kind="party", column="institution", hint="名称", narrows=True
)
PERSON_ROLES = {
    "sampler": "取样员",
    "witness": "见证员",
    "receiver": "收样员",
    "technician": "检测员",
    "reviewer": "审核人",
    "approver": "批准人",
    "officer": "监督员",
    "submitter": "送检人",
    "legal_representative": "法定代表人",
    "technical_manager": "技术负责人",
    "quality_manager": "质量负责人",
}
#: The day in China, whatever zone the server keeps.
TODAY = "(now() AT TIME ZONE 'Asia/Shanghai')::date"
#: A certificate that ends within so many days is said to end soon.
SOON = timedelta(days=30)


def until(day: date | None, today: date, none: str) -> Cell:
    """A last day of validity: over, soon over, or far."""
    if day is None:
        return tag(none, Tone.OFF)
    if day < today:
        return tag(f"{day} 已过期", Tone.BAD)
    return tag(
        f"{day} 将到期" if day <= today + SOON else f"到 {day}", Tone.WARN if day <= today + SOON else Tone.OK
    )


def _today(drawing: Drawing) -> date:
    assert isinstance(drawing.today, date)
    return drawing.today


def _institution(row: Row, drawing: Drawing) -> tuple[Cell, ...]:
    held, lapsed = row["instruments"], row["lapsed"]
    return (
        Cell(text=row["name"] or "没有名称", url=f"/institutions/{row['id']}/"),
        Cell(text=row["uscc"] or ""),
        Cell(text=row["division"] or ""),
        Cell(text=f"{row['people']} 人"),
        Cell(text=f"{held} 台"),
        tag(f"{lapsed} 台校准过期", Tone.BAD)
        if lapsed
        else tag("校准都在有效期" if held else "没有登记设备", Tone.OK if held else Tone.OFF),
    )


INSTITUTIONS = ListKind(
    key="institutions",
    title="检测机构",
    measure="家",
    icon="building-bank",
    table="party",
    rows="SELECT t.id, t.idx, t.name, t.uscc, t.division, "
    "(SELECT count(*) FROM fact.person h WHERE h.party = t.id) AS people, "
    "(SELECT count(*) FROM fact.instrument n WHERE n.institution = t.id) AS instruments, "
    f"(SELECT count(*) FROM fact.instrument n WHERE n.institution = t.id AND n.calibrated_until < {TODAY}) AS lapsed "
    "FROM fact.party t WHERE t.id = ANY(%s::text[])",
    columns=(
        Column(key="name", label="机构", css="name"),
        Column(key="uscc", label="统一社会信用代码", css="code"),
        Column(key="division", label="辖区代码", css="code"),
        Column(key="people", label="人员", css="extra"),
        Column(key="instruments", label="设备", css="extra"),
        Column(key="calibration", label="设备校准", css="chip"),
    ),
    cells=_institution,
    url=lambda row: f"/institutions/{row['id']}/",
    way=ways.way_to_parties("id"),
    scope=ways.scope_of_parties("id"),
    always="'institution' = ANY(t.roles)",
    views=(View(key="all", label="全部"),),
    filters=(Filter(key="division", label="辖区代码", kind="within", column="division", hint="如 610302"),),
    sorts=(_NAME, NEWEST, OLDEST),
    found=named.ways_to_parties,
    search_hint="名称、统一社会信用代码",
    empty=("有机构在您的范围内做事后会出现在这里。", "回到首页", "/"),
)


def _project(row: Row, drawing: Drawing) -> tuple[Cell, ...]:
    return (
        Cell(text=row["name"] or "没有名称", url=f"/projects/{row['id']}/"),
        Cell(text=row["code"] or ""),
        Cell(text=row["division"] or ""),
        *(Cell(text=row[role] or "没有登记") for role in ("owner_name", "contractor_name", "engineer_name")),
        Cell(at=row["logged_at"]),
    )


PROJECTS = ListKind(
    key="projects",
    title="工程项目",
    measure="个",
    icon="building",
    table="project",
    rows="SELECT t.id, t.idx, t.name, t.code, t.division, t.logged_at, o.name AS owner_name, c.name AS contractor_name, "
    "e.name AS engineer_name FROM fact.project t LEFT JOIN fact.party o ON o.id = t.owner LEFT JOIN fact.party c ON c.id = t.contractor "
    "LEFT JOIN fact.party e ON e.id = t.resident_engineer_firm WHERE t.id = ANY(%s::text[])",
    columns=(
        Column(key="name", label="工程", css="name"),
        Column(key="code", label="项目代码", css="code"),
        Column(key="division", label="辖区代码", css="code extra"),
        Column(key="owner", label="建设单位", css="wide"),
        Column(key="contractor", label="施工单位", css="wide extra"),
        Column(key="engineer", label="监理单位", css="wide extra"),
        Column(key="logged", label="登记时间", css="when"),
    ),
    cells=_project,
    url=lambda row: f"/projects/{row['id']}/",
    way=ways.way_to_projects,
    scope=ways.left_to_the_policy,
    views=(View(key="all", label="全部"),),
    filters=(
        Filter(key="division", label="辖区代码", kind="within", column="division", hint="如 610302"),
        Filter(key="party", label="参建单位", kind="builder", hint="名称"),
    ),
    sorts=(NEWEST, OLDEST, _NAME),
    found=named.ways_to_projects,
    search_hint="工程名称、项目代码、参建单位",
    empty=("登记工程后会出现在这里。", "回到首页", "/"),
)


def _person(row: Row, drawing: Drawing) -> tuple[Cell, ...]:
    roles = "、".join(PERSON_ROLES.get(role, role) for role in row["roles"] or [])
    return (
        Cell(text=drawing.names.name(row["id"]), url=f"/people/{row['id']}/"),
        Cell(text=roles or "没有角色"),
        Cell(text=row["certificate_number"] or "没有证书号"),
        Cell(text=row["party_name"] or "没有登记的单位"),
        until(row["valid_until"], _today(drawing), "长期有效"),
        Cell(at=row["logged_at"]),
    )


_LAST_DAY = "COALESCE(t.{column}, DATE '9999-12-31')"
PEOPLE = ListKind(
    key="people",
    title="人员",
    measure="人",
    icon="users",
    table="person",
    rows="SELECT t.id, t.idx, t.roles, t.certificate_number, t.valid_until, t.logged_at, i.name AS party_name "
    "FROM fact.person t LEFT JOIN fact.party i ON i.id = t.party WHERE t.id = ANY(%s::text[])",
    columns=(
        Column(key="name", label="姓名", css="name"),
        Column(key="roles", label="角色"),
        Column(key="certificate", label="证书号", css="code"),
        Column(key="party", label="单位", css="wide"),
        Column(key="until", label="证书有效期", css="chip"),
        Column(key="logged", label="登记时间", css="when extra"),
    ),
    cells=_person,
    url=lambda row: f"/people/{row['id']}/",
    way=ways.way_to_parties("party"),
    scope=ways.scope_of_parties("party"),
    views=(
        View(key="all", label="全部"),
        View(key="lapsed", label="证书过期", condition=f"t.valid_until < {TODAY}"),
        View(key="soon", label="30 天内到期", condition=f"t.valid_until BETWEEN {TODAY} AND {TODAY} + 30"),
    ),
    filters=(
        Filter(
            key="role",
            label="角色",
            kind="choice",
            options=tuple(PERSON_ROLES.items()),
            conditions={role: f"'{role}' = ANY(t.roles)" for role in PERSON_ROLES},
        ),
        Filter(key="party", label="单位", kind="party", column="party", hint="名称", narrows=True),
    ),
    sorts=(
        NEWEST,
        OLDEST,
        Sort(
            key="until",
            label="证书先到期",
            expression=_LAST_DAY.format(column="valid_until"),
            kind="date",
            descending=False,
        ),
    ),
    found=named.ways_to_people,
    search_hint="姓名、证书号、单位",
    person="id",
    empty=("单位登记人员后会出现在这里。", "看检测机构", "/institutions/"),
)


def _instrument(row: Row, drawing: Drawing) -> tuple[Cell, ...]:
    body = row["body"]
    return (
        Cell(text=row["instrument"], url=f"/instruments/{row['ref']}/"),
        Cell(text=row["name"] or ""),
        Cell(text=str(body.get("model") or "")),
        Cell(text=str(body.get("calibration_certificate") or "")),
        Cell(text=row["institution_name"] or "没有登记的机构"),
        until(row["calibrated_until"], _today(drawing), "没有校准日期"),
        Cell(at=row["logged_at"]),
    )


INSTRUMENTS = ListKind(
    key="instruments",
    title="仪器设备",
    measure="台",
    icon="certificate",
    table="instrument",
    rows="SELECT t.id, t.ref, t.idx, t.instrument, t.name, t.body, t.calibrated_until, t.logged_at, i.name AS institution_name "
    "FROM fact.instrument t LEFT JOIN fact.party i ON i.id = t.institution WHERE t.id = ANY(%s::text[])",
    columns=(
        Column(key="number", label="设备编号", css="number"),
        Column(key="name", label="名称"),
        Column(key="model", label="型号", css="extra"),
        Column(key="certificate", label="校准证书", css="code extra"),
        Column(key="institution", label="机构", css="wide"),
        Column(key="until", label="校准有效期", css="chip"),
        Column(key="logged", label="登记时间", css="when extra"),
    ),
    cells=_instrument,
    url=lambda row: f"/instruments/{row['ref']}/",
    way=ways.way_to_parties("institution"),
    scope=ways.scope_of_parties("institution"),
    views=(
        View(key="all", label="全部"),
        View(key="lapsed", label="校准过期", condition=f"t.calibrated_until < {TODAY}"),
        View(
            key="soon", label="30 天内到期", condition=f"t.calibrated_until BETWEEN {TODAY} AND {TODAY} + 30"
        ),
    ),
    filters=(_INSTITUTION,),
    sorts=(
        NEWEST,
        OLDEST,
        Sort(
            key="until",
            label="校准先到期",
            expression=_LAST_DAY.format(column="calibrated_until"),
            kind="date",
            descending=False,
        ),
    ),
    found=named.ways_to_instruments,
    search_hint="设备编号、名称、机构",
    empty=("机构登记设备后会出现在这里。", "看检测机构", "/institutions/"),
)
