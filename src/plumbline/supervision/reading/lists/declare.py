"""How a list is declared (列表的声明): columns, views, filters, orders, and by which columns a reader's rows are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from plumbline.supervision.access.principals import Principal
from plumbline.supervision.pages.list_models import Cell, Column
from plumbline.supervision.reading.database import Row
from plumbline.supervision.reading.people import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition over the list's table `t`, with its parameters in order."""

    sql: str
    parameters: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A way to the rows: those whose `column` is one of the values `v` of a query. Each value is one run of an index."""

    column: str
    values: str
    parameters: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A tab: a condition, or a table of its own (`driver`) that holds the ids of its rows."""

    key: str
    label: str
    condition: str = ""
    driver: str = ""
    #: Only for those who see findings that nobody has confirmed.
    unconfirmed: bool = False
    #: Only for an officer with an account: records of the projects that the officer is in charge of.
    in_charge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A condition that the reader sets: one of some values, a day, an id, or a name that stands for ids."""

    key: str
    label: str
    #: choice, since, until, id, exact, project, party, builder, division, within
    kind: str
    column: str = ""
    options: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    #: The column has an index of its own: rows are found by it instead of by the reader's way.
    narrows: bool = False
    #: Value of a choice → its condition, where it is not equality with the column.
    conditions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """An order: an expression that is never null, its type, and its direction."""

    key: str
    label: str
    expression: str = "t.idx"
    kind: str = "bigint"
    descending: bool = True


NEWEST = Sort(key="new", label="最新在前")
OLDEST = Sort(key="old", label="最早在前", descending=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What cells are drawn with: names that were fetched, and how far the newest checkpoint reaches."""

    names: Names
    covered: int
    today: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKind:
    """One list. `rows` selects what the cells need for `t.id = ANY(%s)`; big texts are read for the page's rows only."""

    key: str
    title: str
    measure: str
    icon: str
    table: str
    rows: str
    columns: tuple[Column, ...]
    cells: Callable[[Row, Drawing], tuple[Cell, ...]]
    url: Callable[[Row], str]
    #: By which way each role's rows are found; None: by the order itself.
    way: Callable[[Principal], Branch | None]
    #: The same once more as a condition, for ways that the search or a filter opens.
    scope: Callable[[Principal], Condition]
    views: tuple[View, ...]
    filters: tuple[Filter, ...] = ()
    sorts: tuple[Sort, ...] = (NEWEST, OLDEST)
    #: Condition of every row of the list.
    always: str = ""
    #: Ways that the words of the search open, and what to say where some were left out.
    found: Callable[[str], tuple[tuple[Branch, ...], tuple[str, ...]]]
    search_hint: str
    #: Column of the person whose name stands in a row.
    person: str = ""
    id_type: str = "text"
    roles: tuple[str, ...] = ("officer", "institution", "party")
    empty: tuple[str, str, str]
