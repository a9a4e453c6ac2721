"""Continuous number series and their gaps (报告编号连续、缺号)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from plumbline.domain.basics.clauses import carries_out
from plumbline.domain.basics.findings import Finding, Severity

#: No institution writes ten million documents of one kind a year; a larger number is a slip, not a gap.
LARGEST: Final = 9_999_999
_FIELD: Final = re.compile(r"\{(kind|category|site|year|serial)(?::([1-9]))?\}")
_LITERAL: Final = re.compile(r"[0-9A-Za-z一-鿿()（）\u3014\u3015\[\]/_.\-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One continuous series of numbers: it begins at 1 each year, and a number is taken at acceptance.

    Taken at acceptance and not at issue, so that a report that is never issued leaves a visible number.
    """

    institution: str
    #: ``report``, ``commission``, ``contract``, ``raw_record``.
    document_kind: str
    category_prefix: str
    site: str
    year: int


@dataclass(frozen=True, slots=True)
class GapReport:
    """What became of every number from 1 to the highest; the first four together are all of them."""

    #: Taken and reported.
    issued: tuple[int, ...]
    #: 在检: taken, no report yet.
    in_testing: tuple[int, ...]
    #: 作废: given up, with the reason.
    voided: Mapping[int, str]
    #: 缺号: no record of any kind.
    missing: tuple[int, ...]
    #: Given up without a reason; also in `voided`.
    voided_without_reason: tuple[int, ...]
    #: Reported and given up at once; counted as issued, since a report exists.
    contradictory: tuple[int, ...]
    #: Reported though never taken at acceptance; counted as issued.
    issued_without_acceptance: tuple[int, ...]


@carries_out("BJ 9.1.2-a", "CECS-E 4.1.2", "CECS-E 3.0.3")
def gap_report(
    taken: Collection[int], issued: Collection[int], voided: Mapping[int, str], highest: int
) -> GapReport:
    """Sort the numbers 1 to ``highest`` of one series into issued, 在检, 作废 and 缺号.

    ``highest`` is the highest number the institution says it has given; a higher one on record counts too.
    ``voided`` maps a number to its reason. Raises ``ValueError`` for numbers below 1 or above `LARGEST`.
    """
    known_taken, known_issued = set(taken), set(issued)
    recorded = known_taken | known_issued | set(voided)
    if any(not 1 <= number <= LARGEST for number in recorded) or not 0 <= highest <= LARGEST:
        raise ValueError(f"numbers of a series go from 1 to {LARGEST}")
    everything = range(1, max(highest, *recorded, 0) + 1) if recorded else range(1, highest + 1)
    given_up = {number: voided[number] for number in sorted(voided) if number not in known_issued}
    return GapReport(
        issued=tuple(sorted(known_issued)),
        in_testing=tuple(sorted(known_taken - known_issued - set(voided))),
        voided=given_up,
        missing=tuple(number for number in everything if number not in recorded),
        voided_without_reason=tuple(number for number, reason in given_up.items() if not reason.strip()),
        contradictory=tuple(sorted(known_issued & set(voided))),
        issued_without_acceptance=tuple(sorted(known_issued - known_taken)),
    )


@carries_out("BJ 9.1.2-a", "CECS-E 4.1.2")
def gap_findings(series: Series, report: GapReport) -> tuple[Finding, ...]:
    """What the gap report gives an officer to ask about; numbers still 在检 are not a finding."""
    name = f"{series.year} 年{series.category_prefix}系列"
    cases = (
        (
            "numbering.missing_number",
            report.missing,
            "没有任何记录（缺号）",
            Severity.SEVERE,
            "请说明这些编号的去向",
        ),
        (
            "numbering.unexplained_void",
            report.voided_without_reason,
            "已作废但没有原因",
            Severity.WARNING,
            "请补录作废原因和经手人",
        ),
        (
            "numbering.contradictory_record",
            report.contradictory,
            "既出具了报告又登记为作废",
            Severity.WARNING,
            "请撤回报告或更正作废登记",
        ),
        (
            "numbering.unaccepted_report",
            report.issued_without_acceptance,
            "出具了报告却没有收样取号记录",
            Severity.SEVERE,
            "请补充收样记录并说明原因",
        ),
    )
    return tuple(
        Finding(
            code=code,
            clause="BJ 9.1.2-a",
            sentence=f"{name}有 {len(numbers)} 个编号{what}：{spans(numbers)}",
            severity=severity,
            facts={"count": str(len(numbers)), "numbers": spans(numbers), "year": str(series.year)},
            remedy=remedy,
        )
        for code, numbers, what, severity, remedy in cases
        if numbers
    )


def spans(numbers: Collection[int]) -> str:
    """Numbers as people write them: ``3、7–9、12``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return "、".join("–".join(map(str, part)) for part in parts)


@dataclass(frozen=True, slots=True)
class ParsedNumber:
    """The fields of a document number that a pattern names; absent fields are empty."""

    serial: int
    year: int | None
    kind: str = ""
    category: str = ""
    site: str = ""


class NumberPattern:
    """How one institution writes its numbers: ``HC-{category}-{year}-{serial:6}`` → ``HC-TYJ-2026-004187``.

    Fields: ``{kind}``, ``{category}``, ``{site}``, ``{year}`` (four digits; ``{year:2}`` two), ``{serial:n}``
    with at least n digits. Raises ``ValueError`` for a pattern without serial or with an unknown field.
    """

    def __init__(self, pattern: str) -> None:
        names = [match.group(1) for match in _FIELD.finditer(pattern)]
        if names.count("serial") != 1 or len(set(names)) != len(names):
            raise ValueError(f"a number pattern needs one serial and each field once: {pattern!r}")
        if not _LITERAL.match(_FIELD.sub("", pattern)):
            raise ValueError(f"unknown field or character in number pattern: {pattern!r}")
        self.pattern = pattern
        self._reader = re.compile(_regex(pattern))

    def format(self, series: Series, serial: int) -> str:
        """The text of a number of ``series``."""
        if serial < 1:
            raise ValueError(f"numbers of a series begin at 1: {serial}")
        written = {
            "kind": series.document_kind,
            "category": series.category_prefix,
            "site": series.site,
            "serial": str(serial),
        }

        def field(match: re.Match[str]) -> str:
            name, width = match.group(1), int(match.group(2) or 0)
            if name == "year":
                return f"{series.year:04}"[-2:] if width == 2 else f"{series.year:04}"
            return written[name].zfill(width) if name == "serial" else written[name]

        return _FIELD.sub(field, self.pattern)

    def parse(self, text: str) -> ParsedNumber | None:
        """The fields of ``text``, or None when it is not written by this pattern."""
        match = self._reader.fullmatch(text)
        if match is None:
            return None
        fields = match.groupdict()
        year = fields.get("year")
        return ParsedNumber(
            serial=int(fields["serial"]),
            year=None if year is None else int(year) + (2000 if len(year) == 2 else 0),
            kind=fields.get("kind") or "",
            category=fields.get("category") or "",
            site=fields.get("site") or "",
        )


def _regex(pattern: str) -> str:
    parts, end = [], 0
    for match in _FIELD.finditer(pattern):
        name, width = match.group(1), match.group(2)
        form = "[0-9A-Za-z一-鿿]+"
        if name == "year":
            form = f"[0-9]{{{2 if width == '2' else 4}}}"
        elif name == "serial":
            # No padding means no leading zero, so that one number has one spelling.
            form = rf"(?:[0-9]{{{width}}}|[1-9][0-9]{{{width},9}})" if width else "[1-9][0-9]{0,9}"
        parts += [re.escape(pattern[end : match.start()]), f"(?P<{name}>{form})"]
        end = match.end()
    return "".join(parts) + re.escape(pattern[end:])
