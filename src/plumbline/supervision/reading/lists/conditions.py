"""From what the address asks for to conditions and ways (查询条件): what cannot be read is a plain sentence, and then no row is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from plumbline.domain.basics.calendar import SHANGHAI
from plumbline.supervision.access.principals import Principal, Role, division_range
from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.reading.lists import named
from plumbline.supervision.reading.lists.declare import Branch, Condition, Filter, ListKind
from plumbline.supervision.reading.lists.ways import any_of, joined

_ENTRY = re.compile(r"[0-9a-f]{32}\Z")
#: Log time grows with the place in the log: a day becomes a bound of the order that the index has.
_BOUND = "t.idx {sign} (SELECT z.idx FROM fact.{table} z WHERE z.logged_at {sign} %s ORDER BY z.logged_at {way}, z.idx {way} LIMIT 1)"


@dataclass(slots=True)
class Asked:
    """What a query comes to."""

    kind: ListKind
    principal: Principal
    conditions: list[Condition] = field(default_factory=list)
    narrow: list[Branch] = field(default_factory=list)
    #: The principal as its way is found: within the division that the filter names.
    within: Principal | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, kind: ListKind, principal: Principal, query: ListQuery) -> Asked:
        """Read every filter that has a value."""
        asked = cls(kind, principal)
        for each in kind.filters:
            value = query.filters.get(each.key, "")
            if value:
                _READERS[each.kind](asked, each, value)
        return asked

    def ways(self, text: str) -> tuple[Branch, ...]:
        """The ways to the rows: those of the words, or of the narrowest filter, or the reader's own."""
        if text:
            self.conditions.append(self.kind.scope(self.principal))
            found, notes = self.kind.found(text)
            self.notes += notes
            return found
        if self.narrow:
            self.conditions.append(self.kind.scope(self.principal))
            return (self.narrow[0],)
        return joined([self.kind.way(self.within or self.principal)])

    def _where(self, sql: str, *parameters: object) -> None:
        self.conditions.append(Condition(sql=sql, parameters=parameters))

    def _one_of(self, each: Filter, values: tuple[str, ...]) -> None:
        self._where(f"t.{each.column} = ANY(%s::text[])", list(values))
        if each.narrows:
            self.narrow.append(any_of(each.column, values))

    def choice(self, each: Filter, value: str) -> None:
        """One of the values that the list knows."""
        if value not in dict(each.options):
            self.problems.append(f"{each.label}没有“{value[:40]}”这一项，请从下拉框里选。")
        elif value in each.conditions:
            self._where(each.conditions[value])
        else:
            self._where(f"t.{each.column} = %s", value)

    def day(self, each: Filter, value: str) -> None:
        """From or to a day in China, by the time of the log."""
        try:
            day = date.fromisoformat(value)
            start = datetime.combine(day, time(), SHANGHAI)
            start = start + timedelta(days=1) if each.kind == "until" else start
        except (ValueError, OverflowError):
            self.problems.append(f"日期“{each.label}”要写成 2026-11-20 这样，现在是“{value[:40]}”。")
            return
        sign, way = (">=", "ASC") if each.kind == "since" else ("<", "DESC")
        if self.principal.role is Role.OFFICER:
            bound = _BOUND.format(sign=">=" if sign == ">=" else "<=", table=self.kind.table, way=way)
            self._where(bound.replace("z.logged_at <=", "z.logged_at <"), start)
        else:
            self._where(f"t.logged_at {sign} %s", start)

    def id(self, each: Filter, value: str) -> None:
        """An object by its id."""
        if _ENTRY.match(value):
            self._one_of(each, (value,))
        else:
            self.problems.append(
                f"{each.label}的编号是 32 位小写十六进制，现在是“{value[:40]}”。请从它的页面点过来。"
            )

    def exact(self, each: Filter, value: str) -> None:
        """A text as it is."""
        self._where(f"t.{each.column} = %s", value)
        if each.narrows:
            self.narrow.append(any_of(each.column, [value]))

    def project(self, each: Filter, value: str) -> None:
        """Projects by id, or by a part of name or number."""
        found = named.projects(value)
        self._one_of(each, found.ids)
        self.notes += [found.cut] if found.cut else []

    def party(self, each: Filter, value: str) -> None:
        """Parties by id, or by a part of the name."""
        found = named.parties(value)
        self._one_of(each, found.ids)
        self.notes += [found.cut] if found.cut else []

    def builder(self, each: Filter, value: str) -> None:
        """Projects that a party builds, whatever its part."""
        found = list(named.parties(value).ids)
        columns = ("owner", "contractor", "resident_engineer_firm")
        self._where(" OR ".join(f"t.{column} = ANY(%s::text[])" for column in columns), found, found, found)

    def division(self, each: Filter, value: str) -> None:
        """Work in a part of the region."""
        low, high = self._range(each, value)
        if not low:
            return
        self._where("t.jurisdiction >= %s AND t.jurisdiction < %s", low, high)
        own_low, own_high = division_range(self.principal.division)
        if self.principal.role is Role.OFFICER and own_low <= low and high <= own_high:
            self.within = replace(self.principal, division=value)

    def inside(self, each: Filter, value: str) -> None:
        """Registered in a part of the region."""
        low, high = self._range(each, value)
        if low:
            self._where(f"t.{each.column} >= %s AND t.{each.column} < %s", low, high)

    def _range(self, each: Filter, value: str) -> tuple[str, str]:
        found = division_range(value)
        if not found[0]:
            self.problems.append(f"{each.label}是 6 位数字，如 610300、610302，现在是“{value[:40]}”。")
        return found


_READERS: dict[str, Callable[[Asked, Filter, str], None]] = {
    "choice": Asked.choice,
    "since": Asked.day,
    "until": Asked.day,
    "id": Asked.id,
    "exact": Asked.exact,
    "project": Asked.project,
    "party": Asked.party,
    "builder": Asked.builder,
    "division": Asked.division,
    "within": Asked.inside,
}
