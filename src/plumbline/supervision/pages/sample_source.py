"""A page source over the samples, so that the views can be tried without a database (示例数据来源)."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest

from plumbline.supervision.pages import samples
from plumbline.supervision.pages.list_models import ListPage, ListQuery, RecordRow, SearchPage
from plumbline.supervision.pages.number_models import NumbersPage
from plumbline.supervision.pages.ports import Export
from plumbline.supervision.pages.record_models import RecordPage
from plumbline.supervision.pages.sample_curves import cube_json
from plumbline.supervision.pages.sample_lists import COLUMNS, sample_list, sample_rows, sample_search
from plumbline.supervision.pages.sample_numbers import sample_numbers
from plumbline.supervision.pages.sample_records import TEST, sample_record
from plumbline.supervision.pages.view_models import (
    HomePage,
    LiveCurvePage,
    Shell,
    StatusPage,
    TracePage,
)


class SampleSource:
    """Knows one report, ``samples.NUMBER``, and one running test, ``t1``."""

    def shell(self, request: HttpRequest) -> Shell:
        """Return the sample shell."""
        return samples.sample_shell()

    def home(self, request: HttpRequest) -> HomePage:
        """Return the sample home page."""
        return samples.sample_home()

    def records(self, request: HttpRequest, key: str, query: ListQuery) -> ListPage:
        """Return the sample list with the rows that hold the text."""
        return sample_list(tuple(self._rows(query)))

    def export(self, request: HttpRequest, key: str, query: ListQuery) -> Export:
        """Return the sample rows that hold the text."""
        headings = tuple(column.label for column in COLUMNS)
        return Export(cover=(("准绳", "检测报告导出"),), headings=headings, rows=self._rows(query))

    def search(self, request: HttpRequest, text: str) -> SearchPage:
        """Return the sample search."""
        return sample_search(text)

    @staticmethod
    def _rows(query: ListQuery) -> Iterator[RecordRow]:
        for row in sample_rows():
            if any(query.text in cell.text for _, cell in row.cells):
                yield row

    def trace(self, request: HttpRequest, number: str) -> TracePage | None:
        """Return the sample trace."""
        return samples.sample_trace() if number == samples.NUMBER else None

    def curve(self, request: HttpRequest, number: str, specimen: int) -> bytes | None:
        """Return a sample curve."""
        return cube_json(specimen) if number == samples.NUMBER and specimen in (1, 2, 3) else None

    def record(self, request: HttpRequest, kind: str, key: str) -> RecordPage | None:
        """Return the sample test."""
        return sample_record() if (kind, key) == ("tests", TEST) else None

    def record_curve(self, request: HttpRequest, key: str, specimen: int) -> bytes | None:
        """Return a sample curve."""
        return cube_json(specimen) if key == TEST and specimen in (1, 2, 3) else None

    def live(self, request: HttpRequest, test_id: str) -> LiveCurvePage | None:
        """Return the sample running test."""
        return samples.sample_live() if test_id == "t1" else None

    def numbers(self, request: HttpRequest, year: str, institution: str) -> NumbersPage:
        """Return the sample series."""
        return sample_numbers()

    def status(self, request: HttpRequest) -> StatusPage:
        """Return the sample status."""
        return samples.sample_status()
