"""What the page of one record shows: facts in groups, related records, change history, proof (各对象详情页的视图模型).

Pure, like `trace_models`: no Django, no database, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.supervision.pages.trace_models import (
    Chip,
    CurvePanel,
    EvidenceBlock,
    FindingsPanel,
    History,
    KeyPicture,
    ProofChip,
    TraceStep,
    VerdictBlock,
    VersionInfo,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact of the record: label, value as written, unit (一项事实)."""

    label: str
    value: str
    unit: str = ""
    url: str = ""
    #: a code or a hash: drawn in the fixed-width face
    is_code: bool = False
    chip: Chip | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactGroup:
    """Facts that belong together under one heading (一组事实)."""

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a related list: text, perhaps a link, a status or a proof (相关记录的一格)."""

    text: str = ""
    url: str = ""
    chip: Chip | None = None
    proof: ProofChip | None = None
    is_code: bool = False
    is_number: bool = False
    #: a time or a code that must not break
    is_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedList:
    """Records of one kind that belong to this one, the newest few, with the way to all of them (相关记录)."""

    #: name within the page's address
    key: str
    title: str
    icon: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    #: 共 37 条, 多于 1 000 条; empty when there are none
    total: str = ""
    #: the list with this filter, when there are more than stand here
    more_url: str = ""
    #: said when there is none
    empty: str = "没有记录。"

    @property
    def headings(self) -> tuple[tuple[str, bool], ...]:
        """Each column with whether its values are numbers, which stand to the right."""
        first = self.rows[0] if self.rows else ()
        return tuple(
            (name, place < len(first) and first[place].is_number) for place, name in enumerate(self.columns)
        )

    @property
    def labelled(self) -> tuple[tuple[tuple[str, Cell], ...], ...]:
        """Rows with the heading beside each cell, for the phone."""
        return tuple(tuple(zip(self.columns, row, strict=True)) for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHead:
    """What the record is: name, codes, state (详情页的抬头)."""

    #: 样品, 试验, 机构 …
    kind: str
    title: str
    #: (label, code) of its numbers, drawn in the fixed-width face
    codes: tuple[tuple[str, str], ...] = ()
    #: (text, url) of what it belongs to
    places: tuple[tuple[str, str], ...] = ()
    chips: tuple[Chip, ...] = ()
    #: address of the list of its kind: the first level of the breadcrumb
    list_label: str = ""
    list_url: str = ""
    #: (label, address) of what proves everything about it, for download
    volume: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthBar:
    """How many in one month, drawn as a bar of ten steps (按月数量)."""

    label: str
    count: int
    #: 0 to 10, share of the greatest month
    tenths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """One record with all that belongs to it (详情页)."""

    head: RecordHead
    groups: tuple[FactGroup, ...]
    related: tuple[RelatedList, ...] = ()
    history: History
    evidence: EvidenceBlock | None = None
    version: VersionInfo | None = None
    verdict: VerdictBlock | None = None
    findings: FindingsPanel | None = None
    #: one sentence under the head: what this is about, or what is to be known first
    lead: str = ""
    #: custody chain of a sample
    steps: tuple[TraceStep, ...] = ()
    panels: tuple[CurvePanel, ...] = ()
    #: why there is no curve, on the page of a test without panels
    curves_missing_reason: str = ""
    #: (caption, picture) of the key pictures
    pictures: tuple[tuple[str, KeyPicture], ...] = ()
    #: (label, address) of the reports whose whole course this record is part of
    traces: tuple[tuple[str, str], ...] = ()
    #: (label, count) by month, newest last
    months: tuple[MonthBar, ...] = ()
    months_title: str = ""

    @property
    def signature_summary(self) -> str:
        """One line over the chain."""
        missing = sum(step.is_missing for step in self.steps)
        return f"{len(self.steps)} 步，{f'{missing} 步没有记录' if missing else '都有记录'}"
