"""Consecutive numbers of a year (编号连续性): what became of each number of each series, from the numbers on record.

KNOWN: a page reads every number of its year and institution; beyond `MOST_NUMBERS` it asks for one institution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from urllib.parse import urlencode

from plumbline.domain.reporting.numbering import LARGEST, GapReport, Series, gap_findings, gap_report, spans
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.access.scopes import Scope, institution_scope
from plumbline.supervision.pages.number_models import Choice, NumberLine, NumberSeries, NumbersPage
from plumbline.supervision.reading.database import Row, rows

MOST_NUMBERS = 20_000
#: Lines of one kind that a series shows one by one; more are counted.
MOST_LINES = 200
NEWEST = 60
#: A jump larger than this is one remark: listing a million absent numbers tells nobody anything.
LARGEST_JUMP = 100_000
KINDS = {
    "report": "报告编号",
    "commission": "委托编号",
    "raw_record": "原始记录编号",
    "contract": "合同编号",
}
_STATES = {
    "registered": "已登记",
    "reserved": "已发码，终稿还没有登记",
    "withheld": "暂不发码",
    "withdrawn": "已撤回",
    "superseded": "已有新版",
    "expired": "监管码过期没有使用",
}
_FROM = "FROM fact.number n LEFT JOIN fact.party i ON i.id = n.institution WHERE ({scope})"
_YEARS = "SELECT DISTINCT n.year " + _FROM + " ORDER BY n.year DESC LIMIT 12"
_INSTITUTIONS = (
    "SELECT n.institution AS id, min(i.name) AS name, count(*) AS numbers "
    + _FROM
    + " AND n.year = %s GROUP BY n.institution ORDER BY min(i.name), n.institution LIMIT 500"
)
# A report number is used when a report was applied for with it, any other when the record it belongs to is there.
_NUMBERS = (
    "SELECT n.institution, i.name, n.document_kind, n.prefix, n.site, n.year, n.serial, n.number, n.voided, "
    "COALESCE(n.report, (SELECT x.id FROM fact.application x WHERE n.document_kind <> 'report' AND "
    "x.commission = n.commission ORDER BY x.idx LIMIT 1)) AS report, "
    "CASE n.document_kind WHEN 'report' THEN n.report IS NOT NULL WHEN 'contract' THEN EXISTS (SELECT 1 FROM "
    "fact.contract k WHERE k.number = n.number AND k.institution = n.institution) ELSE n.commission IS NOT NULL END AS used, "
    "a.state FROM fact.number n LEFT JOIN fact.party i ON i.id = n.institution LEFT JOIN fact.application a ON a.id = n.report "
    "WHERE ({scope}) AND n.year = %s AND (%s::text IS NULL OR n.institution = %s) ORDER BY i.name, n.institution, "
    "array_position(ARRAY['report', 'commission', 'raw_record', 'contract'], n.document_kind), n.prefix, n.site, n.serial "
    "LIMIT %s"
)


def numbers_page(principal: Principal, year: str, institution: str) -> NumbersPage:
    """The page for what the address asks; a year or an institution out of reach falls back to what is there."""
    scope = institution_scope(principal)
    years = [each["year"] for each in _read(_YEARS, scope)]
    if not years:
        return NumbersPage(series=())
    chosen = int(year) if year.isdecimal() and len(year) <= 4 and int(year) in years else years[0]
    offered = _read(_INSTITUTIONS, scope, chosen)
    whose = next((each["id"] for each in offered if each["id"] == institution), None)
    page = NumbersPage(
        series=(),
        years=tuple(
            Choice(label=f"{each} 年", url=_address(each, whose), is_active=each == chosen) for each in years
        ),
        institutions=_choices(offered, chosen, whose) if len(offered) > 1 else (),
    )
    wanted = sum(each["numbers"] for each in offered if whose is None or each["id"] == whose)
    found = _read(_NUMBERS, scope, chosen, whose, whose, MOST_NUMBERS + 1) if wanted <= MOST_NUMBERS else None
    if found is None:
        said = (
            "请选一家机构。" if whose is None and len(offered) > 1 else "这一年的号太多，页面只能看到这里。"
        )
        return replace(page, too_many=f"共有 {wanted} 个号，一页放不下。{said}")
    return replace(page, series=tuple(_all_series(found)))


def _read(statement: str, scope: Scope, *values: object) -> list[Row]:
    return rows(statement.replace("{scope}", scope.condition), [*scope.parameters, *values])


def _choices(offered: list[Row], year: int, whose: str | None) -> tuple[Choice, ...]:
    everyone = Choice(label="全部机构", url=_address(year, None), is_active=whose is None)
    return (
        everyone,
        *(
            Choice(
                label=each["name"] or "没有登记的机构",
                url=_address(year, each["id"]),
                is_active=each["id"] == whose,
            )
            for each in offered
        ),
    )


def _address(year: int, institution: str | None) -> str:
    return "?" + urlencode({"year": str(year)} | ({"institution": institution} if institution else {}))


def _key(number: Row) -> tuple[str, ...]:
    return tuple(str(number[name]) for name in ("institution", "document_kind", "prefix", "site", "year"))


def _all_series(found: list[Row]) -> Iterator[NumberSeries]:
    for _, group in groupby(found, _key):
        yield series_of(list(group))


def series_of(numbers: list[Row]) -> NumberSeries:
    """One series from its rows, in the order of their serial."""
    first = numbers[0]
    by_serial = {each["serial"]: each for each in numbers if 1 <= each["serial"] <= LARGEST}
    report, jump = _gaps(by_serial)
    series = Series(
        institution=first["institution"],
        document_kind=first["document_kind"],
        category_prefix=first["prefix"],
        site=first["site"],
        year=first["year"],
    )
    is_report = first["document_kind"] == "report"
    remarks = [f"{each.sentence}。{each.remedy}。" for each in gap_findings(series, report)]
    remarks += [jump] if jump else []
    strange = len(numbers) - len(by_serial)
    remarks += [f"{strange} 个号的顺序号重复，或不在 1 到 {LARGEST} 之间。"] if strange else []
    newest = [*report.issued[-NEWEST:]][::-1]
    return NumberSeries(
        title=KINDS.get(first["document_kind"]) or str(first["document_kind"]),
        institution=first["name"] or "没有登记的机构",
        prefix=first["prefix"],
        site=first["site"],
        year=first["year"],
        highest=max(by_serial, default=0),
        issued_word="已出报告" if is_report else "已使用",
        issued=len(report.issued),
        open_word="在检" if is_report else "已取号",
        in_testing=_lines(by_serial, report.in_testing, "还没有报告" if is_report else "还没有记录"),
        in_testing_count=len(report.in_testing),
        voided_count=len(report.voided),
        voided=tuple(
            NumberLine(
                number=by_serial[serial]["number"],
                url=_report(by_serial[serial]),
                note=reason or "没有写原因",
            )
            for serial, reason in [*report.voided.items()][:MOST_LINES]
        ),
        missing=spans(report.missing[:LARGEST_JUMP]),
        missing_count=len(report.missing),
        newest=tuple(
            NumberLine(
                number=by_serial[serial]["number"],
                url=_report(by_serial[serial]),
                note=_STATES.get(by_serial[serial]["state"] or "", ""),
            )
            for serial in newest
        ),
        remarks=tuple(remarks),
    )


def _gaps(by_serial: dict[int, Row]) -> tuple[GapReport, str]:
    """The gap report, and a remark on a jump too wide to be listed; beyond it nothing is called missing."""
    ordered, highest, jump = sorted(by_serial), 0, ""
    for serial in ordered:
        if serial - highest > LARGEST_JUMP:
            jump = f"编号从 {highest} 跳到 {serial}，中间的号没有逐个列出。请说明这一跳的原因。"
            break
        highest = serial
    near = {serial: row for serial, row in by_serial.items() if serial <= highest}
    report = gap_report(
        near.keys(),
        {serial for serial, row in near.items() if row["used"]},
        {serial: row["voided"] for serial, row in near.items() if row["voided"] is not None},
        highest,
    )
    return report, jump


def _lines(by_serial: dict[int, Row], serials: tuple[int, ...], note: str) -> tuple[NumberLine, ...]:
    return tuple(
        NumberLine(number=by_serial[serial]["number"], url=_report(by_serial[serial]), note=note)
        for serial in serials[:MOST_LINES]
    )


def _report(number: Row) -> str | None:
    return f"/reports/{number['report']}/" if number["report"] else None
