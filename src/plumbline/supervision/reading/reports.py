"""The list of reports (报告列表): scope, saved views, search, keyset paging, export. The address is the whole state.

KNOWN: the search reads the scope's reports one by one (no text index yet) and the counts of the views are exact counts;
both grow with the reports of a scope.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.reporting.code import ParsedCode, parse_code
from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.access.scopes import report_scope
from plumbline.supervision.pages.ports import ReportQuery
from plumbline.supervision.pages.view_models import Chip, ListTab, ProofChip, ReportListPage, ReportRow
from plumbline.supervision.reading import words
from plumbline.supervision.reading.database import Row, count, rows
from plumbline.supervision.reading.proofs import newest_checkpoint, proof_state, source_text
from plumbline.supervision.reading.verdicts import reported, result_chip, result_text
from plumbline.web.formats import grouped_number

PAGE = 25
PORTION = 500
_COLUMNS = (
    "SELECT a.id, a.idx, a.number, a.category, a.state, a.body, a.attestation, a.logged_at, p.name AS project, i.name AS institution, "
    "s.grade, s.required_age_d, r.logged_at AS registered_at, r.idx AS registered_idx, r.attestation AS registered_by "
)
#: What is taken out of a message stands behind a fence (OFFSET 0): under row security an index serves a plain column only, since
#: PostgreSQL does not ask a function that might tell of a row before the policy has let the row through.
_FROM = (
    "FROM fact.application a CROSS JOIN LATERAL (SELECT a.body->'samples'->>0 AS sample OFFSET 0) first "
    "LEFT JOIN fact.project p ON p.id = a.project LEFT JOIN fact.party i ON i.id = a.institution "
    "LEFT JOIN fact.sample s ON s.id = first.sample LEFT JOIN fact.code c ON c.id = a.code "
    "LEFT JOIN fact.registration r ON r.id = c.registration "
)
#: Not reached: FAIL, or a cube of 28 days or more below its grade.
_FAILED = (
    "(a.conclusion = 'FAIL' OR (COALESCE(s.required_age_d, 28) >= 28 AND EXISTS (SELECT 1 FROM "
    "jsonb_path_query(a.body, '$.parameters[*].values[*]') v "
    "WHERE v->>'symbol' = 'percent_of_grade' AND (v->>'value')::numeric < 100)))"
)
_REMINDED = (
    "EXISTS (SELECT 1 FROM (SELECT ARRAY[a.id, a.commission, a.code, c.registration] || "
    "ARRAY(SELECT jsonb_array_elements_text(a.body->'samples')) || ARRAY(SELECT jsonb_array_elements_text(q->'runs') FROM "
    "jsonb_array_elements(a.body->'parameters') q) AS subjects OFFSET 0) k "
    "JOIN fact.finding f ON f.subject = ANY(k.subjects) WHERE f.severity IN ('warning', 'severe', 'block'))"
)
_UNPROVED = (
    "(a.attestation = 'hmac' OR COALESCE(r.idx, a.idx) >= %s OR (r.id IS NOT NULL AND r.accepted IS NOT TRUE) OR EXISTS ("
    "SELECT 1 FROM (SELECT ARRAY(SELECT jsonb_array_elements_text(q->'runs') FROM jsonb_array_elements(a.body->'parameters') q) "
    "AS runs OFFSET 0) k JOIN fact.run u ON u.id = ANY(k.runs) WHERE u.data_origin = 'keyed'))"
)
_TEXT = (
    "(a.number ILIKE %s OR p.name ILIKE %s OR i.name ILIKE %s OR a.title ILIKE %s OR EXISTS (SELECT 1 FROM "
    "(SELECT ARRAY(SELECT jsonb_array_elements_text(a.body->'samples')) AS samples OFFSET 0) k "
    "JOIN fact.sample t ON t.id = ANY(k.samples) WHERE t.structural_part ILIKE %s OR %s = ANY(t.tags)) "
    "OR EXISTS (SELECT 1 FROM fact.commission m WHERE m.id = a.commission AND m.number ILIKE %s))"
)
_REGISTERED = "SELECT count(*) FROM fact.application a WHERE a.state = 'registered' AND "
#: The projects that an officer looks after today, as the one in charge or as a deputy.
_MINE = (
    "a.project = ANY (ARRAY(SELECT g.project FROM fact.charge g WHERE g.officer = %s AND g.ended_idx IS NULL "
    "AND g.valid_from <= %s AND (g.valid_until IS NULL OR g.valid_until >= %s)))"
)
_LABELS = {
    "all": "全部",
    "mine": "我负责的工程",
    "failed": "未达设计或不合格",
    "reminded": "有提醒",
    "unproved": "未完成存证",
}


@dataclass(frozen=True, slots=True)
class _Filter:
    """A condition over the list's tables, with its parameters in order."""

    condition: str
    parameters: tuple[object, ...]

    def and_(self, other: _Filter) -> _Filter:
        return _Filter(f"{self.condition} AND {other.condition}", (*self.parameters, *other.parameters))


def _text_filter(text: str) -> _Filter:
    code = parse_code(text)
    if isinstance(code, ParsedCode):
        return _Filter("a.code = %s", (code.text,))
    literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    like = f"%{literal}%"
    return _Filter(_TEXT, (like, like, like, like, like, text, like))


def _view_filter(view: str, covered: int, person: str) -> _Filter:
    today = local_date(datetime.now(UTC))
    conditions = {
        "mine": _Filter(_MINE, (person, today, today)),
        "failed": _Filter(_FAILED, ()),
        "reminded": _Filter(_REMINDED, ()),
        "unproved": _Filter(_UNPROVED, (covered,)),
    }
    return conditions.get(view, _Filter("true", ()))


@dataclass(frozen=True, slots=True)
class ReportList:
    """The list for one principal and one address."""

    principal: Principal
    query: ReportQuery
    covered: int

    @classmethod
    def of(cls, principal: Principal, query: ReportQuery) -> ReportList:
        """The list as of now: the newest checkpoint decides what is proved."""
        checkpoint = newest_checkpoint()
        return cls(principal, query, checkpoint.covered if checkpoint else 0)

    @property
    def view(self) -> str:
        """The chosen saved view; an unknown one, or one that the role may not have, is 全部."""
        return self.query.view if self.query.view in self._views() else "all"

    def _views(self) -> tuple[str, ...]:
        """Reminders are unconfirmed findings: only the officer and the institution have that view."""
        hidden = () if self.principal.sees_unconfirmed_findings else ("reminded",)
        if self.principal.role is not Role.OFFICER or not self.principal.account:
            hidden = (*hidden, "mine")
        return tuple(view for view in _LABELS if view not in hidden)

    def _scope(self) -> _Filter:
        scope = report_scope(self.principal)
        return _Filter(f"({scope.condition})", scope.parameters)

    def _matching(self, view: str) -> _Filter:
        found = self._scope().and_(_view_filter(view, self.covered, self.principal.person))
        return found.and_(_text_filter(self.query.text)) if self.query.text else found

    def _count(self, condition: _Filter) -> int:
        return count("SELECT count(*) " + _FROM + "WHERE " + condition.condition, condition.parameters)

    def page(self) -> ReportListPage:
        """One page, newest first."""
        matching = self._matching(self.view)
        found, has_newer, has_older = self._portion(matching)
        newer = (
            self._count(matching.and_(_Filter("a.idx > %s", (found[0]["idx"],))))
            if found and has_newer
            else 0
        )
        tabs = tuple(self._tab(view) for view in self._views())
        total = next(tab.count for tab in tabs if tab.is_active) or 0
        return ReportListPage(
            rows=tuple(self._row(each) for each in found),
            total=total,
            summary=self._summary(),
            tabs=tabs,
            query=self.query.text,
            kept=(("view", self.view),) if self.view != "all" else (),
            next_url=self._address(after=found[-1]["idx"]) if found and has_older else None,
            previous_url=self._address(before=found[0]["idx"]) if found and has_newer else None,
            export_url="/reports/export.csv" + self._address(),
            first=newer + 1,
            clear_url="?",
        )

    def _portion(self, matching: _Filter) -> tuple[list[Row], bool, bool]:
        """(rows newest first, are there newer ones, are there older ones)."""
        after, before = _position(self.query.after), _position(self.query.before)
        if before is not None:
            found = self._select(matching.and_(_Filter("a.idx > %s", (before,))), "ASC", PAGE + 1)
            return found[:PAGE][::-1], len(found) > PAGE, True
        older = matching.and_(_Filter("a.idx < %s", (after,))) if after is not None else matching
        found = self._select(older, "DESC", PAGE + 1)
        return found[:PAGE], after is not None, len(found) > PAGE

    def _select(self, condition: _Filter, direction: str, limit: int) -> list[Row]:
        order = "ORDER BY a.idx ASC LIMIT %s" if direction == "ASC" else "ORDER BY a.idx DESC LIMIT %s"
        return rows(
            _COLUMNS + _FROM + "WHERE " + condition.condition + " " + order, [*condition.parameters, limit]
        )

    def rows(self, *, most: int | None = None) -> Iterator[ReportRow]:
        """Every report of the filter, newest first, in portions."""
        matching, last, given = self._matching(self.view), None, 0
        while most is None or given < most:
            older = matching.and_(_Filter("a.idx < %s", (last,))) if last is not None else matching
            # An export is written after its view has ended: each portion is read in a transaction of its own.
            with reading_as(self.principal):
                found = self._select(older, "DESC", PORTION if most is None else min(PORTION, most - given))
            yield from (self._row(each) for each in found)
            if not found:
                return
            given, last = given + len(found), found[-1]["idx"]

    def _tab(self, view: str) -> ListTab:
        parameters = {"view": view} if view != "all" else {}
        if self.query.text:
            parameters["q"] = self.query.text
        total = self._count(self._matching(view))
        return ListTab(
            label=_LABELS[view], url=f"?{urlencode(parameters)}", count=total, is_active=view == self.view
        )

    def _address(self, **position: int) -> str:
        parameters = {"view": self.view} if self.view != "all" else {}
        if self.query.text:
            parameters["q"] = self.query.text
        parameters |= {name: _written(value) for name, value in position.items()}
        return f"?{urlencode(parameters)}" if parameters else "?"

    def _summary(self) -> str:
        whose = {Role.OFFICER: "本辖区", Role.INSTITUTION: "本机构", Role.PARTY: "本单位的工程"}.get(
            self.principal.role, ""
        )
        registered = count(_REGISTERED + self._scope().condition, self._scope().parameters)
        return f"{whose}已登记 {grouped_number(registered)} 份"

    def _row(self, found: Row) -> ReportRow:
        said = reported(found["category"], found["body"], found)
        idx = found["registered_idx"] if found["registered_idx"] is not None else found["idx"]
        attestation = found["registered_by"] or found["attestation"]
        age = f"{found['required_age_d']} d" if found["required_age_d"] else ""
        verdict: Chip = result_chip(said, found["state"])
        return ReportRow(
            number=found["number"],
            url=f"/reports/{found['id']}/",
            proof=ProofChip(
                state=proof_state(attestation, idx, self.covered),
                source=source_text(attestation, ["institution"]),
                log_index=idx,
            ),
            verdict=verdict,
            category=words.CATEGORIES.get(found["category"]) or str(found["category"]),
            specification=" ".join(part for part in (found["grade"] or "", age) if part),
            result=result_text(said),
            project=found["project"] or "工程没有登记",
            institution=found["institution"] or "没有登记的机构",
            registered_at=found["registered_at"],
        )


def _written(idx: int) -> str:
    """A position in the address: opaque, so that nobody counts on its being a number."""
    return f"k{idx:x}"


def _position(text: str) -> int | None:
    try:
        return int(text[1:], 16) if text.startswith("k") and len(text) <= 17 else None
    except ValueError:
        return None
