"""The matrix clause → rule → test → page, and what of it is still open (条文对照表)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from plumbline.standards.marks import Kind, Mark, SourceTree, find_marks
from plumbline.standards.register import Clause, OpenClauses, load_open, load_register


class State(StrEnum):
    """Where a clause stands (条文的状态)."""

    #: A test proves it, or a document does where the clause asks for no more.
    ANSWERED = "已答"
    #: Not yet, and the register says why.
    OPEN = "未答"
    #: Its work has not begun.
    LATER = "后续"
    #: Not answered and nobody says why.
    MISSING = "缺"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseRow:
    """One clause with everything that names it (对照表的一行)."""

    clause: Clause
    rules: tuple[str, ...]
    tests: tuple[str, ...]
    pages: tuple[str, ...]
    state: State
    #: Why it is open, "" otherwise.
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseReport:
    """The matrix of one work, or of all (一份对照表)."""

    work: str | None
    rows: tuple[ClauseRow, ...]
    #: Marks that name a clause which the register does not hold: "place: id".
    unknown: tuple[str, ...]
    #: Clauses of this report that are answered and still listed as open.
    stale: tuple[str, ...]
    #: What the reader must know about how it was made, "" when nothing.
    note: str = ""

    @property
    def missing(self) -> tuple[ClauseRow, ...]:
        """Rows neither answered nor open with a reason."""
        return tuple(row for row in self.rows if row.state is State.MISSING)

    @property
    def exit_code(self) -> int:
        """1 when a row is missing, a mark names an unknown clause, or the work has no row at all."""
        return 1 if self.missing or self.unknown or not self.rows else 0

    def text(self, *, full: bool = False) -> str:
        """The table for a terminal; `full` names every place instead of the first and a count."""
        return _render(self, full=full)


def report(work: str | None = None, *, tree: SourceTree | None = None) -> ClauseReport:
    """Scans the source tree and says for each clause of `work` (all when None) what answers it.

    Reads files only; imports nothing of what it scans. Raises RegisterError for a damaged register.
    """
    tree = tree or SourceTree.of_this_package()
    found = matrix(load_register(), find_marks(tree), load_open(), work=work)
    if (tree.root / "tests").is_dir():
        return found
    return replace(found, note="只扫描了安装好的软件包，测试不全在其中；请在源码目录里运行。")


def matrix(
    clauses: Iterable[Clause], marks: Iterable[Mark], open_clauses: OpenClauses, *, work: str | None = None
) -> ClauseReport:
    """The matrix from its parts; pure. A work that is asked for by name counts as begun."""
    clauses = tuple(clauses)
    places = _places(marks)
    begun = open_clauses.begun | ({work} if work else set())
    rows = tuple(
        _row(clause, places.get(clause.id, {}), open_clauses, begun=begun)
        for clause in clauses
        if work is None or clause.work == work
    )
    known = {clause.id for clause in clauses}
    unknown = [
        f"{place}: {clause_id}{_nearest(clause_id, known)}"
        for clause_id, kinds in sorted(places.items())
        if clause_id not in known
        for place in sorted(place for group in kinds.values() for place in group)
    ]
    unknown += [
        f"open.toml: {clause_id}" for clause_id in sorted(open_clauses.reasons) if clause_id not in known
    ]
    stale = tuple(
        row.clause.id for row in rows if row.state is State.ANSWERED and row.clause.id in open_clauses.reasons
    )
    return ClauseReport(work=work, rows=rows, unknown=tuple(unknown), stale=stale)


def _places(marks: Iterable[Mark]) -> dict[str, dict[Kind, list[str]]]:
    places: dict[str, dict[Kind, list[str]]] = {}
    for mark in marks:
        places.setdefault(mark.clause, {}).setdefault(mark.kind, []).append(mark.place)
    return places


def _row(
    clause: Clause,
    kinds: dict[Kind, list[str]],
    open_clauses: OpenClauses,
    *,
    begun: frozenset[str] | set[str],
) -> ClauseRow:
    tests = tuple(kinds.get(Kind.TEST, ()))
    documents = tuple(kinds.get(Kind.DOCUMENT, ()))
    pages = tuple(kinds.get(Kind.PAGE, ())) + documents
    reason = ""
    if tests or (clause.proved_by_document and documents):
        state = State.ANSWERED
    elif clause.id in open_clauses.reasons:
        state, reason = State.OPEN, open_clauses.reasons[clause.id]
    else:
        state = State.MISSING if clause.work in begun else State.LATER
    return ClauseRow(
        clause=clause,
        rules=tuple(kinds.get(Kind.RULE, ())),
        tests=tests,
        pages=pages,
        state=state,
        reason=reason,
    )


def _nearest(clause_id: str, known: set[str]) -> str:
    """A mark often names the whole clause where the register holds its sentences: name those."""
    parts = sorted(name for name in known if name.startswith(clause_id) and clause_id)
    return f" （登记的是 {'、'.join(parts[:6])}）" if parts else ""


def _render(report: ClauseReport, *, full: bool) -> str:
    header = ("条文", "力度", "内容", "规则", "测试", "页面", "状态")
    table = [header, *(_cells(row, full=full) for row in report.rows)]
    widths = [max(_width(line[column]) for line in table) for column in range(len(header) - 1)]
    lines = [
        "  ".join([*(_pad(cell, width) for cell, width in zip(line, widths, strict=False)), line[-1]])
        for line in table
    ]
    counts = Counter(row.state for row in report.rows)
    lines.append("")
    lines.append(
        f"{report.work or '全部'}：{len(report.rows)} 条，"
        + "，".join(f"{state.value} {counts[state]}" for state in State if counts[state])
    )
    if report.work and not report.rows:
        lines.append(f"没有名为 {report.work} 的工作段。")
    if report.note:
        lines.append(report.note)
    lines += [f"标记的条文没有登记：{line}" for line in report.unknown]
    if report.stale:
        lines.append(f"已答而仍列在 open.toml：{'、'.join(report.stale)}")
    return "\n".join(line.rstrip() for line in lines)


def _cells(row: ClauseRow, *, full: bool) -> tuple[str, ...]:
    state = f"{row.state.value}：{row.reason}" if row.reason else row.state.value
    if row.state is State.LATER:
        state = f"{state}（{row.clause.work}）"
    text = row.clause.text if full else _cut(row.clause.text, 44)
    places = (_places_cell(group, full=full) for group in (row.rules, row.tests, row.pages))
    return (row.clause.id, row.clause.force.value, text, *places, state)


def _places_cell(places: tuple[str, ...], *, full: bool) -> str:
    if not places:
        return "–"
    if full:
        return " ".join(places)
    name = places[0].rpartition("::")[2].rpartition("/")[2]
    return _cut(name, 40) + (f" +{len(places) - 1}" if len(places) > 1 else "")


def _width(text: str) -> int:
    """Columns of a terminal: Chinese characters and full-width punctuation take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept = ""
    for character in text:
        if _width(kept + character) > width - 1:
            break
        kept += character
    return kept + "…"
