"""The lists of work (业务名录): reports, samples, tests, findings."""

from __future__ import annotations

from plumbline.domain.basics.findings import Severity
from plumbline.exchange.messages import KINDS
from plumbline.supervision.pages.list_models import Cell, Column
from plumbline.supervision.pages.view_models import Chip, ProofChip
from plumbline.supervision.pages.wording import TONE_ICONS, Tone
from plumbline.supervision.reading import words
from plumbline.supervision.reading.database import Row
from plumbline.supervision.reading.lists import named, ways
from plumbline.supervision.reading.lists.declare import Drawing, Filter, ListKind, View
from plumbline.supervision.reading.proofs import proof_state, source_text
from plumbline.supervision.reading.verdicts import reported, result_chip, result_text

CATEGORIES = tuple(words.CATEGORIES.items())
_PROJECT = Filter(
    key="project", label="工程", kind="project", column="project", hint="名称或编号", narrows=True
)
_INSTITUTION = Filter(
    key="institution", label="机构", kind="party", column="institution", hint="名称", narrows=True
)
_DIVISION = Filter(key="division", label="辖区代码", kind="division", hint="如 610302")
_DAYS = (
    Filter(key="since", label="从", kind="since"),
    Filter(key="until", label="到", kind="until"),
)
_NAMES = "LEFT JOIN fact.project p ON p.id = t.project LEFT JOIN fact.party i ON i.id = t.institution "
UNKNOWN_PROJECT, UNKNOWN_PARTY = "工程没有登记", "没有登记的机构"


def tag(text: str, tone: Tone) -> Cell:
    """A status tag with the icon of its tone."""
    return Cell(chip=Chip(text=text, tone=tone, icon=TONE_ICONS[tone]))


def proof(row: Row, drawing: Drawing, sender: str, *, is_keyed: bool = False) -> Cell:
    """What proves the row's entry."""
    state = proof_state(row["attestation"], row["idx"], drawing.covered, is_keyed=is_keyed)
    source = source_text(row["attestation"], [sender])
    return Cell(proof=ProofChip(state=state, source=source, log_index=row["idx"]))


def place(row: Row) -> tuple[Cell, Cell]:
    """Project and institution by name."""
    return Cell(text=row["project"] or UNKNOWN_PROJECT), Cell(text=row["institution"] or UNKNOWN_PARTY)


def _report(row: Row, drawing: Drawing) -> tuple[Cell, ...]:
    said = reported(row["category"], row["body"], row)
    age = f"{row['required_age_d']} d" if row["required_age_d"] else ""
    shown = row | {
        "idx": row["registered_idx"] or row["idx"],
        "attestation": row["registered_by"] or row["attestation"],
    }
    return (
        Cell(text=row["number"], url=f"/reports/{row['id']}/"),
        proof(shown, drawing, "institution"),
        Cell(chip=result_chip(said, row["state"])),
        Cell(text=words.CATEGORIES.get(row["category"]) or str(row["category"])),
        Cell(text=" ".join(part for part in (row["grade"] or "", age) if part)),
        Cell(text=result_text(said)),
        *place(row),
        Cell(at=row["registered_at"], text="还没有"),
    )


REPORTS = ListKind(
    key="reports",
    title="检测报告",
    measure="份",
    icon="file-certificate",
    table="application",
    rows="SELECT t.id, t.idx, t.number, t.category, t.state, t.body, t.attestation, t.logged_at, t.registered_at, t.registered_idx, "
    "p.name AS project, i.name AS institution, s.grade, s.required_age_d, r.attestation AS registered_by "
    # Fenced: under row security an index serves a plain column only (docs/decisions/0013).
    "FROM fact.application t CROSS JOIN LATERAL (SELECT t.body->'samples'->>0 AS sample OFFSET 0) first "
    f"{_NAMES}LEFT JOIN fact.sample s ON s.id = first.sample "
    "LEFT JOIN LATERAL (SELECT g.attestation FROM fact.registration g WHERE g.application = t.id AND g.state <> 'refused' "
    "ORDER BY g.idx DESC LIMIT 1) r ON true WHERE t.id = ANY(%s::text[])",
    columns=(
        Column(key="number", label="报告编号", css="number"),
        Column(key="proof", label="存证", css="chip"),
        Column(key="verdict", label="评定", css="chip"),
        Column(key="category", label="项目"),
        Column(key="specification", label="规格", css="extra"),
        Column(key="result", label="结果", css="result"),
        Column(key="project", label="工程", css="wide"),
        Column(key="institution", label="机构", css="wide extra"),
        Column(key="registered", label="登记时间", css="when"),
    ),
    cells=_report,
    url=lambda row: f"/reports/{row['id']}/",
    way=ways.of_work("application"),
    scope=ways.scope_of_work,
    views=(
        View(key="all", label="全部"),
        View(key="mine", label="我负责的工程", in_charge=True),
        View(key="failed", label="未达设计或不合格", condition="t.outcome = 'failed'"),
        View(key="reminded", label="有提醒", driver="reminder", unconfirmed=True),
        View(key="unproved", label="存证不全", condition="t.gap IS NOT NULL"),
        View(key="open", label="还没有登记", condition="t.state <> 'registered'"),
    ),
    filters=(
        Filter(key="category", label="项目", kind="choice", column="category", options=CATEGORIES),
        Filter(
            key="verdict",
            label="评定",
            kind="choice",
            column="outcome",
            options=(
                ("passed", "达到或合格"),
                ("failed", "未达或不合格"),
                ("void", "无效"),
                ("not_judged", "不作判定"),
            ),
        ),
        Filter(
            key="state",
            label="状态",
            kind="choice",
            column="state",
            options=(
                ("registered", "已登记"),
                ("reserved", "已发码未登记"),
                ("withheld", "暂不发码"),
                ("applied", "正在判定"),
                ("withdrawn", "已撤回"),
                ("superseded", "已替代"),
                ("expired", "码未使用"),
            ),
        ),
        _PROJECT,
        _INSTITUTION,
        _DIVISION,
        *_DAYS,
        Filter(key="commission", label="委托", kind="id", column="commission", narrows=True),
    ),
    found=named.ways_to_reports,
    search_hint="监管码、报告编号开头、委托号、标识、工程、机构",
    empty=("机构登记第一份报告后会出现在这里。", "看样品到了哪一步", "/samples/"),
)

_STAGES = {
    "taken": ("已取样", Tone.TODO),
    "witnessed": ("已见证", Tone.TODO),
    "commissioned": ("已委托", Tone.TODO),
    "received": ("已收样", Tone.TODO),
    "tested": ("已试验", Tone.OK),
}


def _sample(row: Row, drawing: Drawing) -> tuple[Cell, ...]:
    tags = row["tags"] or []
    stage, tone = _STAGES.get(row["stage"], ("不明", Tone.OFF))
    age = f"{row['required_age_d']} d" if row["required_age_d"] else ""
    more = f" 等 {len(tags)} 个" if len(tags) > 1 else ""
    return (
        Cell(text=(tags[0] if tags else "没有标识") + more, url=f"/samples/{row['id']}/"),
        proof(row, drawing, "contractor"),
        tag(stage, tone),
        tag("有见证", Tone.OK) if row["witnessing"] else tag("没有见证记录", Tone.WARN),
        Cell(
            text=words.CATEGORIES.get(row["sample_kind"])
            or _KINDS.get(row["sample_kind"], str(row["sample_kind"]))
        ),
        Cell(
            text=" ".join(
                part for part in (row["grade"] or "", age, words.CURING.get(row["curing"] or "", "")) if part
            )
        ),
        Cell(text=row["structural_part"] or ""),
        *place(row | {"institution": row["institution"] or "还没有委托"}),
        Cell(at=row["made_at"]),
    )


_KINDS = {"rebar": "钢筋", "other": "其他"}
SAMPLES = ListKind(
    key="samples",
    title="样品与见证",
    measure="组",
    icon="package",
    table="sample",
    rows="SELECT t.id, t.idx, t.attestation, t.tags, t.stage, t.witnessing, t.sample_kind, t.grade, t.required_age_d, t.curing, "
    f"t.structural_part, t.made_at, p.name AS project, i.name AS institution FROM fact.sample t {_NAMES}WHERE t.id = ANY(%s::text[])",
    columns=(
        Column(key="tag", label="样品标识", css="number"),
        Column(key="proof", label="存证", css="chip"),
        Column(key="stage", label="进度", css="chip"),
        Column(key="witnessed", label="见证", css="chip"),
        Column(key="kind", label="种类"),
        Column(key="specification", label="规格"),
        Column(key="part", label="部位", css="wide extra"),
        Column(key="project", label="工程", css="wide"),
        Column(key="institution", label="机构", css="wide extra"),
        Column(key="made", label="取样时间", css="when"),
    ),
    cells=_sample,
    url=lambda row: f"/samples/{row['id']}/",
    way=ways.of_work("sample"),
    # An institution sees what it was given: the policy knows, the latest commission may name another.
    scope=lambda principal: (
        ways.left_to_the_policy(principal)
        if principal.role == "institution"
        else ways.scope_of_work(principal)
    ),
    views=(
        View(key="all", label="全部"),
        View(key="taken", label="还没有见证", condition="t.stage = 'taken'"),
        View(key="witnessed", label="还没有委托", condition="t.stage = 'witnessed'"),
        View(key="commissioned", label="等收样", condition="t.stage = 'commissioned'"),
        View(key="received", label="等试验", condition="t.stage = 'received'"),
        View(key="tested", label="已试验", condition="t.stage = 'tested'"),
    ),
    filters=(
        Filter(
            key="kind",
            label="种类",
            kind="choice",
            column="sample_kind",
            options=(*CATEGORIES[:2], ("rebar", "钢筋"), *CATEGORIES[3:]),
        ),
        _PROJECT,
        _INSTITUTION,
        _DIVISION,
        *_DAYS,
    ),
    found=named.ways_to_samples,
    search_hint="标识（封志）、委托号、工程、机构",
    empty=("施工单位登记取样后会出现在这里。", "看工程", "/projects/"),
)

_STANDINGS = {
    "acquired": ("自动采集", Tone.OK),
    "keyed": ("人工录入", Tone.WARN),
    "discarded": ("已作废", Tone.OFF),
}
_RECOMPUTED = {
    "PASS": ("复算合格", Tone.OK),
    "FAIL": ("复算不合格", Tone.BAD),
    "VOID": ("复算无效", Tone.WARN),
    # A group of cubes is judged with its inspection lot (GB/T 50107), not by itself.
    "NOT_JUDGED": ("已复算", Tone.OK),
}


def _test(row: Row, drawing: Drawing) -> tuple[Cell, ...]:
    tags = row["tags"] or []
    said, tone = _RECOMPUTED.get(row["verdict"] or "", ("没有复算", Tone.OFF))
    if row["outcome"] == "not_computable":
        said, tone = "无法复算", Tone.WARN
    standing, standing_tone = _STANDINGS.get(row["standing"], ("不明", Tone.OFF))
    sample = f" {tags[0]}" if tags else ""
    return (
        Cell(text=(row["commission_number"] or "没有登记的委托") + sample, url=f"/tests/{row['id']}/"),
        proof(row, drawing, "institution", is_keyed=row["standing"] == "keyed"),
        tag(standing, standing_tone),
        tag(said, tone),
        Cell(text=words.CATEGORIES.get(row["category"]) or str(row["category"])),
        Cell(text=row["edition"] or ""),
        Cell(text=row["instrument"] or ""),
        *place(row),
        Cell(at=row["started_at"]),
    )


TESTS = ListKind(
    key="tests",
    title="试验",
    measure="次",
    icon="gauge",
    table="run",
    rows="SELECT t.id, t.idx, t.attestation, t.standing, t.category, t.edition, t.instrument, t.started_at, "
    "m.number AS commission_number, s.tags, e.verdict, e.outcome, p.name AS project, i.name AS institution "
    f"FROM fact.run t {_NAMES}LEFT JOIN fact.commission m ON m.id = t.commission LEFT JOIN fact.sample s ON s.id = t.sample "
    "LEFT JOIN fact.evaluation e ON e.id = t.id WHERE t.id = ANY(%s::text[])",
    columns=(
        Column(key="test", label="委托号与标识", css="number"),
        Column(key="proof", label="存证", css="chip"),
        Column(key="standing", label="数据来源", css="chip"),
        Column(key="recomputed", label="平台复算", css="chip"),
        Column(key="category", label="项目"),
        Column(key="method", label="方法", css="extra"),
        Column(key="instrument", label="设备", css="extra"),
        Column(key="project", label="工程", css="wide"),
        Column(key="institution", label="机构", css="wide extra"),
        Column(key="started", label="开始时间", css="when"),
    ),
    cells=_test,
    url=lambda row: f"/tests/{row['id']}/",
    way=ways.of_work("run"),
    scope=ways.scope_of_work,
    views=(
        View(key="all", label="全部"),
        View(key="acquired", label="自动采集", condition="t.standing = 'acquired'"),
        View(key="keyed", label="人工录入", condition="t.standing = 'keyed'"),
        View(key="discarded", label="已作废", condition="t.standing = 'discarded'"),
    ),
    filters=(
        Filter(key="category", label="项目", kind="choice", column="category", options=CATEGORIES),
        Filter(key="instrument", label="设备编号", kind="exact", column="instrument"),
        _PROJECT,
        _INSTITUTION,
        _DIVISION,
        *_DAYS,
        Filter(key="sample", label="样品", kind="id", column="sample", narrows=True),
        Filter(key="commission", label="委托", kind="id", column="commission", narrows=True),
    ),
    found=named.ways_to_tests,
    search_hint="委托号、标识、工程、机构",
    empty=("压力机、拉力机做完第一组试验后会出现在这里。", "看样品到了哪一步", "/samples/"),
)

SUBJECTS = {
    "sample": "样品",
    "run": "试验",
    "application": "报告",
    "registration": "报告终稿",
    "code": "监管码",
    "commission": "委托",
    "receipt": "收样",
    "witnessing": "见证",
    "contract": "合同",
    "person": "人员",
    "party": "单位",
    "key": "密钥",
    "tag": "标识",
    "instrument": "设备",
    "review.recorded": "审核",
    "value.corrected": "更正",
    "project": "工程",
    "number": "编号",
    "site": "场所",
    "capability": "检测能力",
    "filing": "备案",
    "custodians": "取样、见证人员",
    "role_grant": "角色",
    "charge": "分工",
}
_TONES = {Severity.BLOCK: Tone.BAD, Severity.SEVERE: Tone.BAD, Severity.WARNING: Tone.WARN}


def subject_word(kind: str) -> str:
    """What a finding is about, in a word: an object, or an entry by the name of its message."""
    return SUBJECTS.get(kind) or (KINDS[kind].title if kind in KINDS else "记录")


def _finding(row: Row, drawing: Drawing) -> tuple[Cell, ...]:
    severity = Severity(row["severity"])
    return (
        Cell(text=row["sentence"], url=f"/findings/{finding_key(row)}/"),
        tag(severity.label, _TONES.get(severity, Tone.OFF)),
        Cell(text=words.clause_text(row["clause"])),
        Cell(text=subject_word(row["subject_kind"])),
        Cell(text=row["code"]),
        Cell(text=row["institution"] or ""),
        Cell(at=row["logged_at"]),
    )


def finding_key(row: Row) -> str:
    """The id of a finding as it stands in addresses."""
    return str(row["id"]).replace("-", "")


FINDINGS = ListKind(
    key="findings",
    title="发现",
    measure="条",
    icon="alert-triangle",
    table="finding",
    rows="SELECT t.id::text AS id, t.idx, t.code, t.clause, t.severity, t.subject_kind, t.sentence, t.logged_at, i.name AS institution "
    "FROM fact.finding t LEFT JOIN fact.party i ON i.id = t.institution WHERE t.id = ANY(%s::uuid[])",
    columns=(
        Column(key="sentence", label="发现了什么（疑点，尚未认定）", css="sentence"),
        Column(key="severity", label="程度", css="chip"),
        Column(key="clause", label="依据", css="clause-cell"),
        Column(key="subject", label="对象"),
        Column(key="rule", label="规则", css="extra code"),
        Column(key="institution", label="机构", css="wide"),
        Column(key="logged", label="发现时间", css="when"),
    ),
    cells=_finding,
    url=lambda row: f"/findings/{finding_key(row)}/",
    way=ways.way_to_findings,
    scope=ways.scope_of_findings,
    views=(
        View(key="all", label="全部"),
        View(key="block", label="阻断", condition="t.severity = 'block'"),
        View(key="severe", label="严重预警", condition="t.severity = 'severe'"),
        View(key="warning", label="预警", condition="t.severity = 'warning'"),
        View(key="notice", label="提示", condition="t.severity = 'notice'"),
    ),
    filters=(
        Filter(key="code", label="规则", kind="exact", column="code", hint="如 custody.late_registration"),
        Filter(
            key="kind", label="对象", kind="choice", column="subject_kind", options=tuple(SUBJECTS.items())
        ),
        _PROJECT,
        Filter(key="institution", label="机构", kind="party", column="institution", hint="名称"),
        _DIVISION,
        *_DAYS,
        Filter(key="subject", label="对象编号", kind="exact", column="subject", narrows=True),
    ),
    found=named.ways_to_findings,
    search_hint="规则、标识、报告编号、机构",
    id_type="uuid",
    roles=("officer", "institution"),
    empty=("规则没有发现什么。新的入账会随到随查。", "看检测报告", "/reports/"),
)
