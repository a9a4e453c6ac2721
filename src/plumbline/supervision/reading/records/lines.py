"""Lines of related lists (相关记录的行): one way to write a sample, a test, a report, a finding wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from plumbline.supervision.pages.record_models import Cell, RelatedList
from plumbline.supervision.pages.view_models import Chip
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading import judged, words
from plumbline.supervision.reading.database import Row, by_id
from plumbline.supervision.reading.field_words import PERSON_ROLES, SAMPLE_KINDS
from plumbline.supervision.reading.records.desk import SHOWN, Desk, day, related
from plumbline.supervision.reading.verdicts import reported, result_chip, result_text
from plumbline.web.formats import local_time

#: What `sample_line`, `run_line` and `report_lines` need; the names of the tables are fixed.
SAMPLE_COLUMNS = "id, sample_kind, grade, structural_part, made_at, tags, idx, attestation"
RUN_COLUMNS = "id, category, institution, instrument, technician, sample, data_origin, started_at, discarded, idx, attestation"
REPORT_COLUMNS = "id, number, title, category, state, body, institution, logged_at, idx, attestation"
_SAMPLES_OF_REPORTS = "SELECT id, grade, required_age_d FROM fact.sample WHERE id = ANY(%s::text[])"
SAMPLES = ("部位", "种类", "成型时间", "件数", "存证")
RUNS = ("开始时间", "项目", "仪器", "数据", "存证")
REPORTS = ("报告编号", "结果", "数值", "入账时间", "存证")
FINDINGS = ("发现", "等级", "一句话", "条文", "入账时间")


def newest(columns: str, of: str, most: int = SHOWN) -> str:
    """The statement of a related list: ``of`` is a table with its condition, both fixed texts."""
    return " ".join(("SELECT", columns, "FROM", of, "ORDER BY idx DESC LIMIT", str(most)))


def when(instant: datetime | None) -> Cell:
    """An instant as a cell that does not break."""
    return Cell(text=local_time(instant), is_whole=True)


def word_of(words_: dict[str, str], value: object) -> str:
    """The word for a value of a message; the value itself where there is none."""
    return words_.get(str(value)) or str(value)


def sample_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    """A sample."""
    kind = word_of(SAMPLE_KINDS, found["sample_kind"])
    return (
        Cell(text=found["structural_part"], url=f"/samples/{found['id']}/"),
        Cell(text=f"{kind} {found['grade'] or ''}".strip()),
        when(found["made_at"]),
        Cell(text=str(len(found["tags"])), is_number=True),
        desk.flat(found),
    )


def run_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    """A test."""
    origin = "人工录入" if found["data_origin"] == "keyed" else "自动采集"
    return (
        Cell(text=local_time(found["started_at"]), url=f"/tests/{found['id']}/"),
        Cell(text=word_of(words.CATEGORIES, found["category"])),
        Cell(text=found["instrument"], is_code=True),
        Cell(text=f"{origin}，已作废" if found["discarded"] else origin),
        desk.flat(found),
    )


def report_lines(desk: Desk, found: list[Row]) -> Iterator[tuple[Cell, ...]]:
    """Reports with the way to their whole course. What a strength means depends on grade and age of the sample."""
    first = {each["id"]: next(iter(each["body"]["samples"]), None) for each in found}
    samples = by_id(_SAMPLES_OF_REPORTS, first.values())
    for each in found:
        said = reported(each["category"], each["body"], samples.get(first[each["id"]] or ""))
        yield (
            Cell(text=each["number"], url=f"/reports/{each['id']}/", is_code=True),
            Cell(chip=result_chip(said, each["state"])),
            Cell(text=result_text(said)),
            when(each["logged_at"]),
            desk.flat(each),
        )


def finding_line(found: Row) -> tuple[Cell, ...]:
    """A finding."""
    card = judged.card(found)
    return (
        Cell(text=card.title, url=card.url),
        Cell(
            chip=Chip(
                tone=card.tone, text=card.level, icon="alert-triangle" if card.tone is Tone.WARN else "flag-3"
            )
        ),
        Cell(text=found["sentence"]),
        Cell(text=card.clause),
        when(found["logged_at"]),
    )


def findings_list(desk: Desk, found: list[Row], *, count: int, more_url: str) -> tuple[RelatedList, ...]:
    """The findings, for those whom unconfirmed ones are for; for the others not even that there are none."""
    if not desk.principal.sees_unconfirmed_findings:
        return ()
    lines = [finding_line(each) for each in found]
    empty = "没有发现。"
    return (
        related("findings", "发现", "flag-3", FINDINGS, lines, count=count, more_url=more_url, empty=empty),
    )


def person_line(desk: Desk, found: Row) -> tuple[Cell, ...]:
    """A person with roles and certificate."""
    until = day(found["valid_until"])
    return (
        Cell(text=desk.names.name(found["id"]), url=f"/people/{found['id']}/"),
        Cell(text=roles_text(found["roles"])),
        Cell(text=found["certificate_number"] or "没有写", is_code=bool(found["certificate_number"])),
        Cell(text=f"{day(found['valid_from'])} 至 {until or '长期'}", is_whole=True),
        desk.flat(found),
    )


def instrument_line(desk: Desk, found: Row, today: date) -> tuple[Cell, ...]:
    """An instrument with the state of its calibration."""
    return (
        Cell(text=found["name"], url=f"/instruments/{found['ref']}/"),
        Cell(text=found["instrument"], is_code=True),
        Cell(chip=calibration_chip(found["calibrated_until"], today)),
        Cell(text=day(found["calibrated_until"])),
        desk.flat(found),
    )


def roles_text(roles: list[str] | None) -> str:
    """Roles of a person in words."""
    return "、".join(PERSON_ROLES.get(each, each) for each in roles or []) or "没有角色"


def calibration_chip(until: date | None, today: date) -> Chip:
    """Whether the calibration is in force today."""
    if until is None:
        return Chip(tone=Tone.WARN, text="没有校准", icon="alert-triangle")
    left = (until - today).days
    if left < 0:
        return Chip(tone=Tone.BAD, text=f"校准过期 {-left} 天", icon="circle-x")
    if left <= 30:
        return Chip(tone=Tone.WARN, text=f"校准还剩 {left} 天", icon="hourglass")
    return Chip(tone=Tone.OK, text="校准有效", icon="circle-check")


def term_chip(start: date | None, until: date | None, today: date) -> Chip:
    """Whether a qualification is in force today."""
    if start is not None and today < start:
        return Chip(tone=Tone.OFF, text="还没有生效", icon="clock")
    if until is not None and until < today:
        return Chip(tone=Tone.BAD, text="已过期", icon="circle-x")
    return Chip(tone=Tone.OK, text="有效", icon="circle-check")
