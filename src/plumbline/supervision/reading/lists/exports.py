"""What an export of a list holds (名录导出): who took what and when on its cover, then every row of the filter, in the reader's role."""

from __future__ import annotations

from datetime import UTC, datetime

from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.pages.ports import Export
from plumbline.supervision.reading.lists.listing import listing
from plumbline.web.formats import local_time


def taker_of(principal: Principal) -> str:
    """Who takes an export: whoever looks through another's eyes is named, not the other."""
    return principal.viewed_by or principal.account or principal.capacity


def export_of(principal: Principal, key: str, query: ListQuery) -> Export:
    """The export of one list for one reader; rows are read as they are written."""
    found = listing(principal, key, query)
    with reading_as(principal):
        found.prepare()
        told = found.told()
    who = " ".join(part for part in (principal.organisation, taker_of(principal)) if part)
    return Export(
        problems=tuple(found.asked.problems),
        cover=(
            ("准绳", f"{found.kind.title}导出"),
            ("条件", told),
            ("导出人", who),
            ("导出时间", local_time(datetime.now(UTC), "second")),
        ),
        headings=tuple(column.label for column in found.kind.columns),
        rows=found.every(),
    )
