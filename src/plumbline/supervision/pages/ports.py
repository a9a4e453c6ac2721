"""Where the views get their view models from (页面的数据来源).

The views know HTTP, the source knows the database; ``PLUMBLINE_PAGE_SOURCE`` in the settings names the class.
Scope is the source's affair: it reads the signed-in user from the request and answers None for what the
user may not see, so that 不存在 and 无权 look the same from outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from django.http import HttpRequest

from plumbline.supervision.pages.list_models import ListPage, ListQuery, RecordRow, SearchPage
from plumbline.supervision.pages.number_models import NumbersPage
from plumbline.supervision.pages.record_models import RecordPage
from plumbline.supervision.pages.view_models import (
    HomePage,
    LiveCurvePage,
    Shell,
    StatusPage,
    TracePage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What an export holds (导出): who took what and when, headings, and rows that are read as they are written."""

    cover: tuple[tuple[str, str], ...]
    headings: tuple[str, ...]
    rows: Iterator[RecordRow]
    #: Conditions that cannot be read; then nothing is exported.
    problems: tuple[str, ...] = ()


class PageSource(Protocol):
    """All that the pages read. A method answers None for what is not there or may not be seen."""

    def shell(self, request: HttpRequest) -> Shell:
        """Return menu, person and division for the signed-in user; the view adds the breadcrumb."""

    def home(self, request: HttpRequest) -> HomePage:
        """Return the first page."""

    def records(self, request: HttpRequest, key: str, query: ListQuery) -> ListPage:
        """Return one keyset page of a list (`lists.LISTS`) in the user's scope."""

    def export(self, request: HttpRequest, key: str, query: ListQuery) -> Export:
        """Return every row of the filter, paging ignored, and write down who took it."""

    def search(self, request: HttpRequest, text: str) -> SearchPage:
        """Return what a text of the header's box names in the user's scope."""

    def trace(self, request: HttpRequest, number: str) -> TracePage | None:
        """Return the trace of one report by its number."""

    def curve(self, request: HttpRequest, number: str, specimen: int) -> bytes | None:
        """Return the curve document of a specimen (counted from 1) as JSON bytes."""

    def record(self, request: HttpRequest, kind: str, key: str) -> RecordPage | None:
        """Return the page of one record; ``kind`` is the first part of its address: samples, tests …"""

    def record_curve(self, request: HttpRequest, key: str, specimen: int) -> bytes | None:
        """Return the curve document of a specimen of a test, counted from 1."""

    def live(self, request: HttpRequest, test_id: str) -> LiveCurvePage | None:
        """Return the page of a running test, with a stream address that holds its token."""

    def numbers(self, request: HttpRequest, year: str, institution: str) -> NumbersPage:
        """Return the series of numbers that the user may see; empty texts mean the newest year, everybody."""

    def status(self, request: HttpRequest) -> StatusPage:
        """Return how the platform is."""
