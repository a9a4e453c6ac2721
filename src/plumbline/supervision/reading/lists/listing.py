"""One list for one reader and one address (名录): a page by keyset, tabs counted to a cap, every row of the filter for an export.

A constant number of statements a page, however many rows there are (docs/decisions/0015).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from plumbline.domain.basics.calendar import local_date
from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages.list_models import (
    COUNTED,
    FilterField,
    ListPage,
    ListQuery,
    RecordRow,
    ViewTab,
)
from plumbline.supervision.reading.database import Row, by_id, count, row, rows
from plumbline.supervision.reading.lists.conditions import Asked
from plumbline.supervision.reading.lists.declare import (
    Branch,
    Condition,
    Drawing,
    Filter,
    ListKind,
    Sort,
    View,
)
from plumbline.supervision.reading.lists.register import INSTITUTIONS, INSTRUMENTS, PEOPLE, PROJECTS
from plumbline.supervision.reading.lists.statement import DRIVEN, Position, Selection, together
from plumbline.supervision.reading.lists.ways import scope_of_parties, way_in_charge
from plumbline.supervision.reading.lists.work import FINDINGS, REPORTS, SAMPLES, TESTS
from plumbline.supervision.reading.people import Names
from plumbline.supervision.reading.proofs import newest_checkpoint

PAGE, PORTION = 25, 500
#: With so many rows of a view's own table in reach, or more, one in thirty of a million reports has one: a tab reaches its cap soon.
FEW = 30_000
KINDS: dict[str, ListKind] = {
    kind.key: kind
    for kind in (INSTITUTIONS, PROJECTS, SAMPLES, TESTS, REPORTS, FINDINGS, PEOPLE, INSTRUMENTS)
}
_WHOSE = {Role.OFFICER: "本辖区", Role.INSTITUTION: "本机构看得到的", Role.PARTY: "本单位工程的"}
_FIELD_KINDS = {"choice": "choice", "since": "day", "until": "day", "id": "hidden"}
#: The planner does not know how many rows a policy lets through, takes them for few, and would gather and sort them all; an index
#: that is read in its order stops after one page.
_IN_ORDER = "SELECT set_config('enable_bitmapscan', 'off', true)"
#: How many rows of a view's own table the policy lets through, counted no further than needed.
_RARE = "SELECT count(*) FROM (SELECT 1 FROM fact.{table} LIMIT %s) d"
_PROJECT_NAME = "SELECT name FROM fact.project WHERE id = %s"
#: The directory of parties is open to all; a list names those only with whom the reader has to do.
_PARTY_NAME = "SELECT t.name FROM fact.party t WHERE t.id = %s AND {scope}"


@dataclass(slots=True)
class Listing:
    """The list; what is read from the database is read when it is first asked for."""

    kind: ListKind
    principal: Principal
    query: ListQuery
    asked: Asked = field(init=False)
    ways: tuple[Branch, ...] = field(init=False)
    #: Views whose own table holds few rows in reach.
    rare: frozenset[str] = field(init=False, default=frozenset())

    def prepare(self) -> None:
        """Read filters and ways; at the beginning of every transaction of the reader that asks for a page."""
        row(_IN_ORDER, [])
        self.asked = Asked.of(self.kind, self.principal, self.query)
        self.ways = self.asked.ways(self.query.text)
        self.rare = self._rare_views()

    def _rare_views(self) -> frozenset[str]:
        """Asked only where it decides: a view with a table of its own, beside conditions that have no way of their own."""
        driven = [view for view in self.views if view.driver]
        if not driven or not self.asked.conditions or any(way.column not in DRIVEN for way in self.ways):
            return frozenset()
        return frozenset(view.key for view in driven if self._is_rare(view.driver))

    def _is_rare(self, table: str) -> bool:
        return count(_RARE.format(table=table), [FEW + 1]) <= FEW

    @property
    def views(self) -> tuple[View, ...]:
        """The views that the reader may have: reminders are findings that nobody has confirmed."""
        seen = self.principal.sees_unconfirmed_findings
        looks_after = self.principal.role is Role.OFFICER and bool(self.principal.account)
        return tuple(
            view
            for view in self.kind.views
            if (seen or not view.unconfirmed) and (looks_after or not view.in_charge)
        )

    @property
    def view(self) -> View:
        """The chosen view; an unknown one is the first."""
        return next((view for view in self.views if view.key == self.query.view), self.views[0])

    @property
    def sort(self) -> Sort:
        """The chosen order; an unknown one is the first."""
        return next((sort for sort in self.kind.sorts if sort.key == self.query.sort), self.kind.sorts[0])

    def page(self) -> ListPage:
        """One page with its tabs; with a condition that cannot be read there is no row and no count."""
        self.prepare()
        if self.asked.problems:
            return self._drawn([], (), has_newer=False, has_older=False)
        found, has_newer, has_older = self._portion()
        return self._drawn(found, self._counts(), has_newer=has_newer, has_older=has_older)

    def newest(self, most: int) -> tuple[RecordRow, ...]:
        """The first rows, without tabs."""
        self.prepare()
        statement, parameters = self._selection(self.view).page(most, None, newer=False)
        return self._rows(rows(statement, parameters))

    def every(self) -> Iterator[RecordRow]:
        """Every row of the filter in its order; each portion is read in a transaction of its own, for it is written after the view."""
        position: Position | None = None
        found: list[Row] = [{}] * PORTION
        with reading_as(self.principal):
            self.prepare()
        while not self.asked.problems and len(found) == PORTION:
            with reading_as(self.principal):
                row(_IN_ORDER, [])
                statement, parameters = self._selection(self.view).page(PORTION, position, newer=False)
                found = rows(statement, parameters)
                drawn = self._rows(found)
            yield from drawn
            position = Position(value=found[-1]["k"], id=found[-1]["id"]) if found else None

    def told(self) -> str:
        """The filter in words, for the cover of an export."""
        fields = (f"{each.label} {each.said}" for each in self._fields() if each.value)
        words = (f"查询词 {self.query.text}",) if self.query.text else ()
        return "；".join((self.view.label, *words, *fields))

    def _selection(self, view: View) -> Selection:
        ways, conditions = self.ways, list(self.asked.conditions)
        if view.in_charge:
            charge = way_in_charge(self.principal, local_date(datetime.now(UTC)))
            conditions.append(
                Condition(sql=f"t.{charge.column} IN ({charge.values})", parameters=charge.parameters)
            )
            if not self.query.text and not self.asked.narrow:
                ways = (charge,)
                conditions.append(self.kind.scope(self.principal))
        return Selection(
            kind=self.kind,
            view=view,
            ways=ways,
            conditions=tuple(conditions),
            sort=self.sort,
            is_rare=view.key in self.rare,
        )

    def _portion(self) -> tuple[list[Row], bool, bool]:
        """(ids in order, are there rows before them, are there rows behind them)."""
        selection, query = self._selection(self.view), self.query
        before = Position.read(query.before, self.sort, self.kind.id_type) if query.before else None
        after = Position.read(query.after, self.sort, self.kind.id_type) if query.after else None
        if before is not None:
            found = rows(*selection.page(PAGE + 1, before, newer=True))
            return found[:PAGE][::-1], len(found) > PAGE, True
        found = rows(*selection.page(PAGE + 1, after, newer=False))
        return found[:PAGE], after is not None, len(found) > PAGE

    def _counts(self) -> tuple[int | None, ...]:
        counts = [self._selection(view).counted(COUNTED) for view in self.views]
        found = row(*together(counts)) or {}
        return tuple(found[f"c{place}"] for place in range(len(counts)))

    def _rows(self, found: list[Row]) -> tuple[RecordRow, ...]:
        if not found:
            return ()
        by_key = by_id(self.kind.rows, [each["id"] for each in found])
        checkpoint = newest_checkpoint()
        names = Names(self.principal.role)
        if self.kind.person:
            names.load(each[self.kind.person] for each in by_key.values())
        drawing = Drawing(
            names=names,
            covered=checkpoint.covered if checkpoint else 0,
            today=local_date(datetime.now(UTC)),
        )
        shown = (by_key[each["id"]] for each in found if each["id"] in by_key)
        return tuple(
            RecordRow(
                url=self.kind.url(each),
                cells=tuple(zip(self.kind.columns, self.kind.cells(each, drawing), strict=True)),
            )
            for each in shown
        )

    def _drawn(
        self, found: list[Row], counts: tuple[int | None, ...], *, has_newer: bool, has_older: bool
    ) -> ListPage:
        def at(name: str, each: Row) -> str:
            return self._address(**{name: Position(value=each["k"], id=each["id"]).written()})

        tabs = tuple(
            ViewTab(
                key=view.key,
                label=view.label,
                url=self._address(view=view.key if view is not self.views[0] else ""),
                count=counts[place] if counts else None,
                is_active=view is self.view,
            )
            for place, view in enumerate(self.views)
        )
        return ListPage(
            key=self.kind.key,
            title=self.kind.title,
            measure=self.kind.measure,
            columns=self.kind.columns,
            rows=self._rows(found),
            tabs=tabs,
            fields=self._fields(),
            sorts=tuple((sort.key, sort.label) for sort in self.kind.sorts),
            sort=self.sort.key,
            view=self.view.key if self.view is not self.views[0] else "",
            query=self.query.text,
            summary=f"{_WHOSE.get(self.principal.role, '')}{self.kind.title}",
            problems=tuple(self.asked.problems),
            notes=tuple(dict.fromkeys(self.asked.notes)),
            next_url=at("after", found[-1]) if found and has_older else None,
            previous_url=at("before", found[0]) if found and has_newer else None,
            export_url=f"/{self.kind.key}/export.csv{self._address()}",
            order_url=f"/exports/{self._address(list=self.kind.key)}",
            clear_url=f"/{self.kind.key}/",
            search_hint=self.kind.search_hint,
            empty=self.kind.empty,
        )

    def _fields(self) -> tuple[FilterField, ...]:
        return tuple(self._field(each) for each in self.kind.filters)

    def _field(self, each: Filter) -> FilterField:
        value = self.query.filters.get(each.key, "")
        return FilterField(
            key=each.key,
            label=each.label,
            kind=_FIELD_KINDS.get(each.kind, "text"),
            value=value,
            options=each.options,
            hint=each.hint,
            meaning=self._meaning(each, value) if len(value) == 32 else "",
            remove_url=self._address(**{each.key: ""}),
        )

    def _meaning(self, each: Filter, key: str) -> str:
        """Name of the project or party that a filter holds by its id."""
        if each.kind == "project":
            found = row(_PROJECT_NAME, [key])
        elif each.kind in ("party", "builder"):
            scope = scope_of_parties("id")(self.principal)
            found = row(_PARTY_NAME.replace("{scope}", scope.sql), [key, *scope.parameters])
        else:
            return ""
        return str(found["name"]) if found and found["name"] else ""

    def _address(self, **changed: str) -> str:
        """The address of this list with some of its conditions changed; a page is left when they are."""
        kept = {"view": self.query.view if self.view is not self.views[0] else "", "q": self.query.text}
        kept |= {"sort": self.sort.key if self.sort is not self.kind.sorts[0] else ""}
        kept |= {each.key: self.query.filters.get(each.key, "") for each in self.kind.filters}
        parameters = {name: value for name, value in (kept | changed).items() if value}
        return f"?{urlencode(parameters)}"


def listing(principal: Principal, key: str, query: ListQuery) -> Listing:
    """The list of a kind."""
    return Listing(KINDS[key], principal, query)
