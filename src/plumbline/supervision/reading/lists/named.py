"""What a word typed into a search may name (查询词所指): codes and numbers exactly or by their beginning, names by a part.

Everything is looked up in the reader's own role: what is a stranger's is as good as unknown. Each look stops at a number of
hits and says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from plumbline.domain.reporting.code import ParsedCode, parse_code
from plumbline.supervision.reading.database import rows
from plumbline.supervision.reading.lists.declare import Branch
from plumbline.supervision.reading.lists.ways import any_of
from plumbline.supervision.reading.people import Names

#: Most projects or parties whose name holds the word, most numbers that begin with it, most people whose name is read.
MOST_NAMED, MOST_NUMBERS, MOST_PEOPLE = 200, 500, 1000
_ENTRY = re.compile(r"[0-9a-f]{32}\Z")
_PEOPLE = "SELECT id FROM fact.person ORDER BY idx DESC LIMIT %s"
_PARTY = "SELECT id FROM fact.party WHERE name ILIKE %s OR uscc = %s ORDER BY idx DESC LIMIT %s"
_PROJECT = "SELECT id FROM fact.project WHERE name ILIKE %s OR code ILIKE %s ORDER BY idx DESC LIMIT %s"
_BEGINS = "SELECT id FROM fact.application WHERE number >= %s AND number < %s ORDER BY number DESC LIMIT %s"
Ways = tuple[tuple[Branch, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Ids, and whether there were more than were taken."""

    ids: tuple[str, ...]
    cut: str = ""


def like(text: str) -> str:
    """A pattern for texts that hold this one, with nothing of it read as a wildcard."""
    literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{literal}%"


def _ids(statement: str, parameters: list[object], most: int, what: str) -> Named:
    found = [str(each["id"]) for each in rows(statement, [*parameters, most + 1])]
    cut = (
        f"符合“{what}”的超过 {most} 个，只查了最新的 {most} 个；请写得再具体些。" if len(found) > most else ""
    )
    return Named(ids=tuple(found[:most]), cut=cut)


def parties(text: str) -> Named:
    """Parties whose name holds the text, or whose code it is."""
    if _ENTRY.match(text):
        return Named(ids=(text,))
    return _ids(_PARTY, [like(text), text.upper()], MOST_NAMED, "单位名称")


def projects(text: str) -> Named:
    """Projects whose name or number holds the text."""
    if _ENTRY.match(text):
        return Named(ids=(text,))
    return _ids(_PROJECT, [like(text), like(text)], MOST_NAMED, "工程名称")


def people(text: str) -> Named:
    """People whose name holds the text: names lie sealed, so those of the newest people in reach are opened one by one."""
    found = _ids(_PEOPLE, [], MOST_PEOPLE, "范围内的人员")
    names = Names(
        "officer"
    )  # only compared with what is looked for; what is found is shown by the reader's own table
    names.load(found.ids)
    return Named(ids=tuple(each for each in found.ids if text in names.name(each)), cut=found.cut)


def tagged(text: str) -> list[str]:
    """The sample that carries a tag."""
    found = rows("SELECT sample AS id FROM fact.tag WHERE id = %s AND sample IS NOT NULL", [text])
    return [each["id"] for each in found]


def commissions(text: str) -> list[str]:
    """Commissions of this number."""
    return [each["id"] for each in rows("SELECT id FROM fact.commission WHERE number = %s LIMIT 20", [text])]


def numbered(text: str) -> Named:
    """Reports whose number begins with the text; the code names one, too."""
    code = parse_code(text)
    if isinstance(code, ParsedCode):
        found = rows("SELECT application AS id FROM fact.code WHERE id = %s", [code.text])
        return Named(ids=tuple(each["id"] for each in found))
    if len(text) < 3 or not text.isascii():
        found = rows("SELECT id FROM fact.application WHERE number = %s ORDER BY idx DESC LIMIT 20", [text])
        return Named(ids=tuple(each["id"] for each in found))
    after = text[:-1] + chr(ord(text[-1]) + 1)
    return _ids(_BEGINS, [text, after], MOST_NUMBERS, "报告编号")


def _below(table: str, samples: list[str], commission: list[str]) -> list[str]:
    """Reports of these commissions, and of those that these samples were given with."""
    statement = (
        f"SELECT t.id FROM fact.{table} t WHERE t.commission = ANY(%s::text[] || "
        "ARRAY(SELECT s.commission FROM fact.sample s WHERE s.id = ANY(%s::text[]) AND s.commission IS NOT NULL)) LIMIT 500"
    )
    return [each["id"] for each in rows(statement, [commission, samples])]


def ways_to_reports(text: str) -> Ways:
    """Reports: by code, number, commission number, tag, project, institution."""
    exact = numbered(text)
    below = _below("application", tagged(text), commissions(text))
    return _with_names(text, [*exact.ids, *below], exact.cut)


def ways_to_tests(text: str) -> Ways:
    """Tests: by commission number, tag, project, institution."""
    samples = tagged(text)
    found = rows("SELECT id FROM fact.run WHERE sample = ANY(%s::text[]) LIMIT 500", [samples])
    by_commission = rows(
        "SELECT id FROM fact.run WHERE commission = ANY(%s::text[]) LIMIT 500", [commissions(text)]
    )
    return _with_names(text, [each["id"] for each in (*found, *by_commission)], "")


def ways_to_samples(text: str) -> Ways:
    """Samples: by tag, commission number, project, institution."""
    given = rows(
        "SELECT DISTINCT unnest(samples) AS id FROM fact.commission WHERE id = ANY(%s::text[])",
        [commissions(text)],
    )
    return _with_names(text, [*tagged(text), *(each["id"] for each in given)], "")


def _with_names(text: str, ids: list[str], cut: str) -> Ways:
    built, institutions = projects(text), parties(text)
    ways = (any_of("id", ids), any_of("project", built.ids), any_of("institution", institutions.ids))
    return ways, tuple(each for each in (cut, built.cut, institutions.cut) if each)


def ways_to_findings(text: str) -> Ways:
    """Findings: by rule, by the sample of a tag, by institution."""
    institutions = parties(text)
    rules = rows("SELECT DISTINCT code FROM fact.finding WHERE code = %s LIMIT 1", [text])
    ways = (
        any_of("about", [*tagged(text), *institutions.ids]),
        any_of("subject", [*tagged(text), *numbered(text).ids]),
        any_of("code", [each["code"] for each in rules]),
    )
    return ways, tuple(each for each in (institutions.cut,) if each)


def ways_to_parties(text: str) -> Ways:
    """Parties by name or code."""
    found = parties(text)
    return (any_of("id", found.ids),), tuple(each for each in (found.cut,) if each)


def ways_to_projects(text: str) -> Ways:
    """Projects by name or number, or by whoever builds them."""
    found, builders = projects(text), parties(text)
    built = rows(
        "SELECT id FROM fact.project WHERE owner = ANY(%s) OR contractor = ANY(%s) OR resident_engineer_firm = ANY(%s) "
        "ORDER BY idx DESC LIMIT 500",
        [list(builders.ids)] * 3,
    )
    return (any_of("id", [*found.ids, *(each["id"] for each in built)]),), tuple(
        each for each in (found.cut, builders.cut) if each
    )


def ways_to_people(text: str) -> Ways:
    """People by certificate number, name, or party."""
    found, employers = people(text), parties(text)
    certified = rows("SELECT id FROM fact.person WHERE certificate_number = %s LIMIT 50", [text])
    ways = (any_of("id", [*found.ids, *(each["id"] for each in certified)]), any_of("party", employers.ids))
    return ways, tuple(each for each in (found.cut, employers.cut) if each)


def ways_to_instruments(text: str) -> Ways:
    """Instruments by number, part of the name, or institution."""
    holders = parties(text)
    found = _ids(
        "SELECT id FROM fact.instrument WHERE instrument ILIKE %s OR name ILIKE %s ORDER BY idx DESC LIMIT %s",
        [like(text), like(text)],
        MOST_NAMED,
        "设备编号或名称",
    )
    ways = (any_of("id", found.ids), any_of("institution", holders.ids))
    return ways, tuple(each for each in (found.cut, holders.cut) if each)
