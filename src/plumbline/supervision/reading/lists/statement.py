"""The statements of a list (列表语句): a page is the first rows of an index, merged over the places, projects or objects of the reader.

No OFFSET: a page begins behind the last row of the one before. A count stops at its cap. Pure: text and parameters.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from plumbline.supervision.reading.lists.declare import Branch, Condition, ListKind, Sort, View

#: Rows that a count looks up in the table of a view; beyond, the tab has no number rather than a slow one.
LOOKED = 15_000
#: Columns that a view's own table has as well.
DRIVEN = ("jurisdiction", "institution")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The row behind which a page begins: its value in the order, and its id."""

    value: str
    id: str

    def written(self) -> str:
        """As it stands in the address: opaque, so that nobody counts on what it holds."""
        told = json.dumps([self.value, self.id], ensure_ascii=False).encode()
        return base64.urlsafe_b64encode(told).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, sort: Sort, id_type: str) -> Position | None:
        """The position of an address; None for anything that this list did not write."""
        try:
            value, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, TypeError, binascii.Error):
            return None
        if not isinstance(value, str) or not isinstance(key, str) or not _is_text(value + key):
            return None
        return cls(value=value, id=key) if _is_of(value, sort.kind) and _is_of(key, id_type) else None


def _is_text(text: str) -> bool:
    """Whether the database takes it as text at all: no NUL, no half of a character."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _is_of(text: str, kind: str) -> bool:
    """Whether the database will read the text as a value of this type, written as it writes it itself."""
    try:
        if kind == "bigint":
            return text.isascii() and text.isdigit() and int(text) < 2**62
        if kind == "date":
            return date.fromisoformat(text).isoformat() == text
        if kind == "uuid":
            return str(UUID(text)) == text
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rows: ways to them, conditions, order. No way: the table in its order."""

    kind: ListKind
    view: View
    ways: tuple[Branch, ...]
    conditions: tuple[Condition, ...]
    sort: Sort
    #: The view's own table holds few rows in the reader's reach: each is looked at rather than every row of the list.
    is_rare: bool = False

    def page(self, limit: int, position: Position | None, *, newer: bool) -> tuple[str, list[object]]:
        """SQL of `(id, value)` of one page: the rows behind the position, or those before it in reverse."""
        descending = self.sort.descending != newer
        direction = "DESC" if descending else "ASC"
        parts: list[str] = []
        parameters: list[object] = []
        for way in self.ways or (None,):
            text, values = self._rows(way, direction, limit, position)
            parts.append(text)
            parameters += values
        union = " UNION ".join(f"({part})" for part in parts)
        statement = f"SELECT id::text AS id, k::text AS k FROM ({union}) u ORDER BY u.k {direction}, u.id {direction} LIMIT %s"
        return statement, [*parameters, limit]

    def counted(self, cap: int) -> tuple[str, list[object]]:
        """SQL of the number of rows, counted no further than the cap.

        NULL where rows must be looked at one by one for their place in another table, and `LOOKED` of them were not enough to tell.
        """
        most = LOOKED if self._is_looked_into else cap + 1
        parts: list[str] = []
        parameters: list[object] = []
        for way in self.ways or (None,):
            conditions, values = self._conditions(way, without_driver=True)
            if way is None:
                parts.append(f"SELECT t.id FROM {self._from()} WHERE {conditions} LIMIT {most}")
            else:
                inner = f"SELECT t.id FROM {self._from()} WHERE {self._on(way)} = s.v AND {conditions} LIMIT {most}"
                parts.append(
                    f"SELECT x.id FROM ({way.values}) s(v) CROSS JOIN LATERAL ({inner}) x LIMIT {most}"
                )
                parameters += way.parameters
            parameters += values
        union = " UNION ".join(f"({part})" for part in parts)
        if not self._is_looked_into:
            return f"SELECT count(*) FROM (SELECT 1 FROM ({union}) u LIMIT {most}) c", parameters
        found = f"SELECT count(*) FROM (SELECT 1 FROM y WHERE {self._there('y')} LIMIT {cap + 1}) z"
        known = f"SELECT CASE WHEN f.n > {cap} OR (SELECT count(*) FROM y) < {LOOKED} THEN f.n END FROM ({found}) f(n)"
        return f"WITH y AS MATERIALIZED (SELECT id FROM ({union}) u LIMIT {LOOKED}) {known}", parameters

    def _rows(
        self, way: Branch | None, direction: str, limit: int, position: Position | None
    ) -> tuple[str, list[object]]:
        conditions, values = self._conditions(way)
        order = self._order()
        if position is not None and self._is_unique:
            conditions += f" AND {order} {'<' if direction == 'DESC' else '>'} %s::bigint"
            values.append(position.value)
        elif position is not None:
            sign = "<" if direction == "DESC" else ">"
            kind, key = self.sort.kind, self.kind.id_type
            conditions += (
                f" AND {order} {sign}= %s::{kind} AND ({order} {sign} %s::{kind} OR t.id {sign} %s::{key})"
            )
            values += [position.value, position.value, position.id]
        ties = "" if self._is_unique else f", t.id {direction}"
        rows = f"ORDER BY {order} {direction}{ties} LIMIT %s"
        values.append(limit)
        if way is None:
            return f"SELECT t.id, {order} AS k FROM {self._from()} WHERE {conditions} {rows}", values
        inner = f"SELECT t.id, {order} AS k FROM {self._from()} WHERE {self._on(way)} = s.v AND {conditions} {rows}"
        return f"SELECT x.id, x.k FROM ({way.values}) s(v) CROSS JOIN LATERAL ({inner}) x", [
            *way.parameters,
            *values,
        ]

    def _conditions(self, way: Branch | None, *, without_driver: bool = False) -> tuple[str, list[object]]:
        own = [self.kind.always, self.view.condition, *(each.sql for each in self.conditions)]
        if self._is_looked_into and not without_driver:
            own.append(self._there("t"))
        # Beside a narrow way no index of another condition is worth its while, though the planner, who takes a region for small,
        # may think so: a condition that is asked for its truth has none.
        asked = "({}) IS TRUE" if way is not None and way.column != "jurisdiction" else "({})"
        text = " AND ".join(asked.format(each) for each in own if each) or "true"
        return text, [value for each in self.conditions for value in each.parameters]

    def _there(self, row: str) -> str:
        """Whether a row stands in the view's own table."""
        return f"EXISTS (SELECT 1 FROM fact.{self.view.driver} d WHERE d.id = {row}.id)"

    @property
    def _is_looked_into(self) -> bool:
        """Whether each row of the list is looked up in the view's own table."""
        return bool(self.view.driver) and not self._is_driven

    @property
    def _is_driven(self) -> bool:
        """Whether rows are found by the view's own table; where conditions narrow the list, their indexes are better,
        unless that table holds so few rows that most of the list would be looked at in vain."""
        if not self.view.driver or any(way.column not in DRIVEN for way in self.ways):
            return False
        return not self.conditions or self.is_rare

    def _from(self) -> str:
        table = f"fact.{self.kind.table} t"
        return f"fact.{self.view.driver} d JOIN {table} ON t.id = d.id" if self._is_driven else table

    def _on(self, way: Branch) -> str:
        return f"{'d' if self._is_driven else 't'}.{way.column}"

    def _order(self) -> str:
        """The order of the view's own table where rows are found in it."""
        return "d.idx" if self._is_driven and self.sort.expression == "t.idx" else self.sort.expression

    @property
    def _is_unique(self) -> bool:
        """Whether no two rows have the same place in the order: an entry makes one object, but may give rise to several findings."""
        return self.sort.expression == "t.idx" and self.kind.id_type == "text"


def together(counts: Sequence[tuple[str, list[object]]]) -> tuple[str, list[object]]:
    """Several counts as one statement with columns c0, c1 …"""
    columns = ", ".join(f"({text}) AS c{place}" for place, (text, _) in enumerate(counts))
    return f"SELECT {columns}", [value for _, values in counts for value in values]
