"""What the record lists and the search show (名录与查询的视图模型): columns, cells, filters, tabs, groups of hits. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from plumbline.supervision.pages.trace_models import Chip, ProofChip
from plumbline.web.formats import local_time

#: A tab counts up to here; beyond, it says so with a plus sign (docs/decisions/0015).
COUNTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What the address of a list asks for (列表条件); every field may be empty."""

    text: str = ""
    view: str = ""
    sort: str = ""
    #: Opaque keyset position made by the source; never an offset.
    after: str = ""
    before: str = ""
    #: Filter key → value as typed.
    filters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its heading, and how it stands on narrow screens (`extra` is left out there)."""

    key: str
    label: str
    #: number, chip, wide, when, extra …: classes of the cell
    css: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value of a row: text, a status tag, a proof chip, or an instant; the first cell of a row is its link."""

    text: str = ""
    url: str = ""
    chip: Chip | None = None
    proof: ProofChip | None = None
    at: datetime | None = None

    @property
    def plain(self) -> str:
        """The cell in an export."""
        if self.chip is not None:
            return self.chip.text
        if self.proof is not None:
            return self.proof.look.word
        return local_time(self.at, "second") if self.at is not None else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One record: where it opens, and its cells in the order of the columns."""

    url: str
    cells: tuple[tuple[Column, Cell], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTab:
    """One view with the number of its records, counted to a cap."""

    key: str
    label: str
    url: str
    count: int | None = None
    is_active: bool = False

    @property
    def is_capped(self) -> bool:
        """Whether there are more than were counted."""
        return self.count is not None and self.count > COUNTED

    @property
    def shown(self) -> int:
        """What is printed before the plus sign."""
        return min(self.count or 0, COUNTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterField:
    """One condition of the filter row: a choice, a day, or a text."""

    key: str
    label: str
    #: choice, day, text
    kind: str = "text"
    value: str = ""
    #: (value, label) of a choice
    options: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    #: What the value stands for where it is an id.
    meaning: str = ""
    #: The address without this condition.
    remove_url: str = ""

    @property
    def said(self) -> str:
        """The value as readers know it."""
        return self.meaning or dict(self.options).get(self.value, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One keyset page of a list; the address holds the whole state."""

    key: str
    title: str
    #: 份, 组, 家 …
    measure: str
    columns: tuple[Column, ...]
    rows: tuple[RecordRow, ...]
    tabs: tuple[ViewTab, ...]
    fields: tuple[FilterField, ...]
    #: (key, label) of the orders to choose from
    sorts: tuple[tuple[str, str], ...]
    sort: str
    view: str = ""
    query: str = ""
    #: Whose records these are.
    summary: str = ""
    #: What is wrong with a condition, or what the search left out; each a plain sentence.
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    next_url: str | None = None
    previous_url: str | None = None
    export_url: str = ""
    #: The same export, made behind the page.
    order_url: str = ""
    clear_url: str = "?"
    search_hint: str = ""
    #: (sentence, label, address) where the list has no record at all.
    empty: tuple[str, str, str] = ("", "", "")

    @property
    def total(self) -> ViewTab | None:
        """The tab that is shown."""
        return next((tab for tab in self.tabs if tab.is_active), None)

    @property
    def is_filtered(self) -> bool:
        """Whether anything narrows the list."""
        return bool(self.query or self.active)

    @property
    def active(self) -> tuple[FilterField, ...]:
        """Conditions in force."""
        return tuple(each for each in self.fields if each.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One record that the search found."""

    label: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HitGroup:
    """Hits of one kind, and where the list continues."""

    title: str
    icon: str
    hits: tuple[Hit, ...]
    more_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """What one box found for one text (按任意编号查)."""

    text: str
    groups: tuple[HitGroup, ...] = ()
    #: The one record that the whole text names: it is opened at once.
    opens: str = ""
    problem: str = ""

    @property
    def count(self) -> int:
        """How many records are shown."""
        return sum(len(group.hits) for group in self.groups)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more than are shown."""
        return any(group.more_url for group in self.groups)
