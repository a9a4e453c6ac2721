"""The page of an organisation (单位详情): qualifications, people, instruments, reports by month, findings, keys; projects of the others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from plumbline.supervision.pages.record_models import (
    Cell,
    Fact,
    MonthBar,
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
from plumbline.supervision.reading.records.days import today
from plumbline.supervision.reading.records.desk import (
    Desk,
    counted,
    day,
    group,
    open_to,
    related,
    version_of,
)
from plumbline.web.formats import local_time

#: Why a party was suspended is no open record; since when is.
_PARTY = (
    "SELECT id, uscc, name, roles, division, suspended_at, entry, idx, sender, key_id, attestation, occurred_at, arrived_at, "
    "logged_at, version, body FROM fact.party WHERE id = %s"
)
_PEOPLE = "SELECT * FROM fact.person WHERE party = %s ORDER BY idx DESC LIMIT 8"
_INSTRUMENTS = "SELECT * FROM fact.instrument WHERE institution = %s ORDER BY calibrated_until LIMIT 8"
_CAPABILITIES = "SELECT * FROM fact.capability WHERE institution = %s ORDER BY category, site LIMIT 40"
_KEYS = (
    "SELECT id, algorithm, use, device, valid_from, valid_until, revoked_at, idx, attestation FROM fact.key "
    "WHERE party = %s ORDER BY idx DESC LIMIT 20"
)
_REPORTS = lines.newest(lines.REPORT_COLUMNS, "fact.application WHERE institution = %s")
_FINDINGS = lines.newest("*", "fact.finding WHERE institution = %s")
_MONTHS = (
    "SELECT to_char(logged_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month, count(*) AS number FROM fact.application "
    "WHERE institution = %s AND logged_at >= %s GROUP BY 1 ORDER BY 1"
)
_PROJECTS = (
    "SELECT id, name, code, owner, contractor, resident_engineer_firm, idx, attestation FROM fact.project "
    "WHERE owner = %s OR contractor = %s OR resident_engineer_firm = %s ORDER BY idx DESC LIMIT 20"
)
_ALGORITHMS = {
    "ed25519": "Ed25519",
    "p256": "P-256",
    "sm2": "SM2（国密）",
    "hmac-sha256": "HMAC（对称）",
    "hmac-sm3": "HMAC-SM3（国密，对称）",
}
_USES = {
    "transport": "传输", "origin": "源头", "device": "设备", "person": "个人", "pades": "电子签章", "web": "网页",
    "log": "日志", "code": "发码",
}  # fmt: skip


def page(desk: Desk, key: str) -> RecordPage | None:
    """The page, or None for what is not there or not in the reader's scope."""
    # The names of parties are for everybody who is signed in, their directory is not.
    party = row(_PARTY, [key]) if open_to(desk.principal, [key]) else None
    if party is None:
        return None
    people, versions = rows(_PEOPLE, [key]), versions_of([key])
    found = rows(_FINDINGS, [key]) if desk.principal.sees_unconfirmed_findings else []
    named = ids_named(versions)
    desk.know({key, party["sender"], *named}, {each["id"] for each in people} | named)
    is_institution = "institution" in party["roles"]
    return RecordPage(
        head=RecordHead(
            kind="检测机构" if is_institution else "单位",
            title=party["name"],
            codes=(("统一社会信用代码", party["uscc"]),),
            chips=(*_suspended(party), *(_role_chip(each) for each in party["roles"])),
            list_label="单位" if not is_institution else "检测机构",
            list_url="/institutions/",
        ),
        groups=(
            group(
                "登记信息",
                Fact(label="性质", value="、".join(PARTY_KINDS.get(each, each) for each in party["roles"])),
                Fact(label="行政区划", value=party["division"] or ""),
                Fact(label="地址", value=party["body"].get("address") or ""),
                Fact(label="简称", value=party["body"].get("short_name") or ""),
                desk.party_fact("登记单位", party["sender"]),
                Fact(label="登记时间", value=local_time(party["occurred_at"])),
            ),
        ),
        related=tuple(
            _of_institution(desk, key, people, found) if is_institution else _of_party(desk, key, people)
        ),
        months=_months(key) if is_institution else (),
        months_title="近六个月申请的报告",
        history=desk.history(party, versions),
        evidence=desk.evidence(party),
        version=version_of(party),
    )


def _suspended(party: Row) -> tuple[Chip, ...]:
    if party["suspended_at"] is None:
        return ()
    since = local_time(party["suspended_at"])
    return (Chip(tone=Tone.BAD, text=f"已停用，自 {since}", icon="circle-x"),)


def _role_chip(role: str) -> Chip:
    return Chip(tone=Tone.TODO, text=PARTY_KINDS.get(role, role), icon="building-bank")


def _of_institution(desk: Desk, key: str, people: list[Row], found: list[Row]) -> Iterator[RelatedList]:
    number = counted(
        reports=("fact.application WHERE institution = %s", (key,)),
        people=("fact.person WHERE party = %s", (key,)),
        instruments=("fact.instrument WHERE institution = %s", (key,)),
        findings=("fact.finding WHERE institution = %s", (key,))
        if desk.principal.sees_unconfirmed_findings
        else ("fact.project WHERE false", ()),
    )
    yield related(
        "reports", "报告", "file-certificate", lines.REPORTS,
        lines.report_lines(desk, rows(_REPORTS, [key])),
        count=number["reports"], more_url=f"/reports/?institution={key}", empty="还没有报告。",
    )  # fmt: skip
    yield from lines.findings_list(
        desk, found, count=number["findings"], more_url=f"/findings/?institution={key}"
    )
    yield related(
        "capabilities", "检测能力与备案", "certificate", ("项目", "参数", "场所", "有效期", "状态", "存证"),
        _qualifications(desk, key), limit=40, empty="没有登记检测能力。",
    )  # fmt: skip
    yield related(
        "instruments", "仪器设备", "gauge", ("名称", "编号", "校准", "有效期至", "存证"),
        (lines.instrument_line(desk, each, today()) for each in rows(_INSTRUMENTS, [key])),
        count=number["instruments"], more_url=f"/instruments/?institution={key}", empty="没有登记仪器设备。",
    )  # fmt: skip
    yield _people(desk, key, people, number["people"])
    yield _keys(desk, key)


def _of_party(desk: Desk, key: str, people: list[Row]) -> Iterator[RelatedList]:
    number = counted(people=("fact.person WHERE party = %s", (key,)))
    yield related(
        "projects", "参与的工程", "building", ("工程", "编号", "身份", "存证"),
        (_project_line(desk, key, each) for each in rows(_PROJECTS, [key, key, key])),
        limit=20, more_url=f"/projects/?party={key}", empty="没有参与的工程。",
    )  # fmt: skip
    yield _people(desk, key, people, number["people"])
    yield _keys(desk, key)


def _people(desk: Desk, key: str, people: list[Row], count: int) -> RelatedList:
    return related(
        "people", "人员", "users", ("姓名", "角色", "证书", "有效期", "存证"),
        (lines.person_line(desk, each) for each in people),
        count=count, more_url=f"/people/?party={key}", empty="没有登记人员。",
    )  # fmt: skip


def _keys(desk: Desk, key: str) -> RelatedList:
    """Keys are for the organisation itself and its officers; others see none."""
    return related(
        "keys", "密钥", "fingerprint", ("密钥编号", "用途", "算法", "有效期", "状态", "存证"),
        (_key_line(desk, each) for each in rows(_KEYS, [key])), limit=20, empty="没有登记密钥，或不给您看。",
    )  # fmt: skip


def _qualifications(desk: Desk, key: str) -> Iterator[tuple[Cell, ...]]:
    now = today()
    for each in rows("SELECT * FROM fact.filing WHERE institution = %s ORDER BY idx LIMIT 10", [key]):
        yield (
            Cell(text="跨省备案"),
            Cell(text=f"行政区划 {each['division']}"),
            Cell(),
            *_term(desk, each, now),
        )
    for each in rows(_CAPABILITIES, [key]):
        category = lines.word_of(words.CATEGORIES, each["category"])
        number = each["body"].get("certificate_number")
        yield (
            Cell(text=f"{category}，证书 {number}" if number else category),
            Cell(text=f"{len(each['parameters'])} 项参数"),
            Cell(text=each["site"]),
            *_term(desk, each, now),
        )


def _term(desk: Desk, found: Row, now: date) -> tuple[Cell, ...]:
    return (
        Cell(text=f"{day(found['valid_from'])} 至 {day(found['valid_until'])}"),
        Cell(chip=lines.term_chip(found["valid_from"], found["valid_until"], now)),
        desk.flat(found),
    )


def _key_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    state = Chip(tone=Tone.BAD, text=f"{local_time(found['revoked_at'], 'day')} 停用", icon="lock") if found["revoked_at"] else (
        lines.term_chip(found["valid_from"].date(), found["valid_until"].date(), today())
    )  # fmt: skip
    use = lines.word_of(_USES, found["use"])
    return (
        Cell(text=found["id"], is_code=True),
        Cell(text=f"{use} {found['device']}" if found["device"] else use),
        Cell(text=lines.word_of(_ALGORITHMS, found["algorithm"])),
        Cell(text=f"{local_time(found['valid_from'], 'day')} 至 {local_time(found['valid_until'], 'day')}"),
        Cell(chip=state),
        desk.flat(found),
    )


def _project_line(desk: Desk, key: str, found: Row) -> tuple[Cell, ...]:
    parts = [
        PARTY_KINDS[name] for name in ("owner", "contractor", "resident_engineer_firm") if found[name] == key
    ]
    return (
        Cell(text=found["name"], url=f"/projects/{found['id']}/"),
        Cell(text=found["code"], is_code=True),
        Cell(text="、".join(parts)),
        desk.flat(found),
    )


def _months(key: str) -> tuple[MonthBar, ...]:
    """Reports applied for in each of the last six months, as far as the reader sees them."""
    first = today().replace(day=1)
    names = [f"{first:%Y-%m}"]
    for _ in range(5):
        first = (first - timedelta(days=1)).replace(day=1)
        names.append(f"{first:%Y-%m}")
    found = {
        each["month"]: int(each["number"])
        for each in rows(_MONTHS, [key, f"{first.isoformat()}T00:00:00+08:00"])
    }
    most = max(found.values(), default=0) or 1
    return tuple(
        MonthBar(label=name, count=found.get(name, 0), tenths=-(-10 * found.get(name, 0) // most))
        for name in reversed(names)
    )
