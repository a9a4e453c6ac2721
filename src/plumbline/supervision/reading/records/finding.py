"""The page of a finding (发现详情): rule, clause, facts, one sentence, what it is about, who may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from plumbline.supervision.pages.record_models import Cell, Fact, RecordHead, RecordPage, RelatedList
from plumbline.supervision.pages.view_models import Chip, EvidenceBlock, History, ProofChip
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading import judged, words
from plumbline.supervision.reading.database import Row, row, rows
from plumbline.supervision.reading.field_words import field_word, value_word
from plumbline.supervision.reading.proofs import proof_state
from plumbline.supervision.reading.records import lines
from plumbline.supervision.reading.records.desk import Desk, group, related
from plumbline.web.formats import local_time

_HEX = re.compile(r"[0-9a-f]{32}\Z")
#: Kind of subject → its name, the table, how its own page is called, and the column that leads there.
_SUBJECTS = {
    "sample": ("样品", "sample", "/samples/", "id"),
    "run": ("试验", "run", "/tests/", "id"),
    "application": ("报告", "application", "/reports/", "id"),
    "witnessing": ("见证", "witnessing", "/samples/", "sample"),
    "receipt": ("收样", "receipt", "/samples/", "sample"),
    "registration": ("登记的终稿", "registration", "/reports/", "application"),
    "code": ("监管码", "code", "/reports/", "application"),
    "commission": ("委托单", "commission", "/projects/", "project"),
    "contract": ("合同", "contract", "/projects/", "project"),
    "project": ("工程", "project", "/projects/", "id"),
    "person": ("人员", "person", "/people/", "id"),
    "instrument": ("仪器", "instrument", "/instruments/", "ref"),
    "party": ("单位", "party", "/institutions/", "id"),
}
#: What may be read of a table that is open by columns only.
_COLUMNS = {
    "party": "id, name, entry, idx, sender, key_id, attestation, occurred_at, arrived_at, logged_at, version, body"
}
#: Names of facts that are not fields of a message.
_FACTS = {
    "taken_s": "用时 s", "limit_s": "限 s", "start": "起", "end": "止", "tolerance": "允许偏差", "age_d": "龄期 d", "reference": "引用",
    "until": "到期", "reported": "机构值", "computed": "复算值", "what": "事项", "ordinals": "件号", "standing": "资格状态",
    "parameter": "参数", "bar": "试件", "test": "试验", "numbers": "编号", "points": "点数", "curve_points": "曲线点数",
    "capacity_kN": "量程 kN", "load_kN": "荷载 kN", "percent": "百分比", "limit": "限值", "limit_pct": "限值 %", "deviation_pct": "偏差 %",
    "measured": "实测", "missing": "缺少", "need_MPa": "规定值 MPa", "value_MPa": "实测值 MPa", "strengths_MPa": "各件强度 MPa",
    "size_mm": "尺寸 mm", "diameter_mm": "直径 mm", "tested_on": "试验日期", "in_force": "有效期", "known": "已登记", "used": "已用于",
    "key": "密钥", "key_id": "密钥编号", "year": "年度", "issued_to": "领用人", "differs": "不一致处", "count": "数量",
}  # fmt: skip
_REPORTS_OF_SAMPLE = lines.newest(lines.REPORT_COLUMNS, "fact.application WHERE commission = %s", 20)


def page(desk: Desk, key: str) -> RecordPage | None:
    """The page; None for what is not there, not in scope, or not for readers of this kind."""
    if not desk.principal.sees_unconfirmed_findings:
        return None
    found = row("SELECT * FROM fact.finding WHERE id = %s::uuid", [key])
    if found is None:
        return None
    subject = _subject(found)
    others = rows(
        "SELECT * FROM fact.finding WHERE subject = %s AND id <> %s::uuid ORDER BY idx DESC LIMIT 8",
        [found["subject"], key],
    )
    reports = rows(_REPORTS_OF_SAMPLE, [(subject or {}).get("commission") or ""])
    ids = {str(each) for each in (found["facts"] or {}).values() if _HEX.match(str(each))}
    desk.know({found["institution"], (subject or {}).get("sender"), found["subject"], *ids}, ids)
    card = judged.card(found)
    return RecordPage(
        head=RecordHead(
            kind="发现",
            title=card.title,
            codes=(("规则", found["code"]),),
            chips=(
                Chip(
                    tone=card.tone,
                    text=card.level,
                    icon="alert-triangle" if card.tone is Tone.WARN else "flag-3",
                ),
                *(
                    (Chip(tone=Tone.OFF, text="疑点，尚未认定", icon="circle-dashed"),)
                    if card.standing
                    else ()
                ),
            ),
            list_label="发现",
            list_url="/findings/",
        ),
        lead=found["sentence"] if found["sentence"].endswith("。") else f"{found['sentence']}。",
        groups=(
            group(
                "依据与处理",
                Fact(label="条文", value=card.clause or "没有对应的条文"),
                Fact(label="怎么办", value=found["remedy"] or ""),
                _subject_fact(desk, found, subject),
                desk.party_fact("涉及机构", found["institution"]) if found["institution"] else None,
                Fact(
                    label="谁能看到", value="本辖区的监督员和涉及的检测机构。认定以前，工程各方和公众看不到。"
                ),
            ),
            group("判断时的事实", *_facts(desk, found)),
        ),
        related=tuple(_related(desk, found, subject, others, reports)),
        history=History(first="发现由规则判出，不能修改；认定和说明另有记录。"),
        evidence=_evidence(desk, found, subject),
        traces=tuple(
            (each["number"], f"/reports/{each['id']}/") for each in _traces(found, subject, reports)
        ),
    )


def _subject(found: Row) -> Row | None:
    """The record that the finding is about, where it has a table of its own and the reader sees it."""
    known = _SUBJECTS.get(found["subject_kind"])
    if known is None:
        return None
    columns = _COLUMNS.get(known[1], "*")
    return row(f"SELECT {columns} FROM fact.{known[1]} WHERE id = %s", [found["subject"]])  # noqa: S608 - names from our own declaration, values are parameters


def _subject_fact(desk: Desk, found: Row, subject: Row | None) -> Fact:
    known = _SUBJECTS.get(found["subject_kind"])
    if known is None or subject is None:
        return Fact(label="对象", value=f"日志里的一条记录 {found['subject'][:8]}…", is_code=True)
    word, _, path, column = known
    target = subject.get(column)
    url = f"{path}{target}/" if target else ""
    if found["subject_kind"] == "party":  # the name is known to all, the page is not
        url = desk.party_url(target)
    return Fact(label="对象", value=f"{word} {_called(subject)}".strip(), url=url)


def _called(subject: Row) -> str:
    if subject.get("started_at"):
        return f"{lines.word_of(words.CATEGORIES, subject['category'])} {local_time(subject['started_at'])}"
    for name in ("structural_part", "number", "name"):
        if isinstance(subject.get(name), str):
            return str(subject[name])
    return f"{subject['id'][:8]}…"


def _facts(desk: Desk, found: Row) -> Iterator[Fact]:
    known = desk.known()
    for name, value in (found["facts"] or {}).items():
        text = value_word(name, value, known) or "空"
        yield Fact(label=_FACTS.get(name) or field_word((name,)), value=text)


def _related(
    desk: Desk, found: Row, subject: Row | None, others: list[Row], reports: list[Row]
) -> Iterator[RelatedList]:
    traced = _traces(found, subject, reports)
    yield related(
        "reports", "涉及的报告", "file-certificate", lines.REPORTS,
        lines.report_lines(desk, traced), empty="还没有报告用到它。",
    )  # fmt: skip
    yield related(
        "findings", "同一对象的其他发现", "flag-3", lines.FINDINGS, (lines.finding_line(each) for each in others),
        limit=8, more_url=f"/findings/?subject={quote(found['subject'])}", empty="没有其他发现。",
    )  # fmt: skip
    if subject:
        yield related(
            "source", "所依据的记录", "link", ("记录", "发生时间", "入账时间", "存证"),
            [_source_line(desk, found, subject)],
        )  # fmt: skip


def _source_line(desk: Desk, found: Row, subject: Row) -> tuple[Cell, ...]:
    fact = _subject_fact(desk, found, subject)
    return (
        Cell(text=fact.value, url=fact.url),
        lines.when(subject["occurred_at"]),
        lines.when(subject["logged_at"]),
        desk.flat(subject),
    )


def _traces(found: Row, subject: Row | None, reports: list[Row]) -> list[Row]:
    """The reports that rest on what was found about."""
    key = found["subject"]
    if found["subject_kind"] == "application":
        return [subject] if subject else []
    if subject is None:
        return []
    wanted = {key, subject.get("sample")} - {None}
    return [
        each
        for each in reports
        if wanted
        & {*each["body"]["samples"], *(run for part in each["body"]["parameters"] for run in part["runs"])}
    ]


def _evidence(desk: Desk, found: Row, subject: Row | None) -> EvidenceBlock:
    """The entry on which the rule judged: that of the subject itself where it is the same one."""
    if subject and subject.get("entry") == found["entry"]:
        return desk.evidence(subject)
    proof = ProofChip(
        state=proof_state("internal", found["idx"], desk.covered),
        source="平台规则，据日志里的这一条判出",
        logged_at=found["logged_at"],
        log_index=found["idx"],
    )
    return desk.logged(proof, found["idx"])
