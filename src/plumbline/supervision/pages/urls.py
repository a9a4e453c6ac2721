"""Addresses of the supervision pages (页面地址)."""

from __future__ import annotations

from django.urls import path

from plumbline.supervision.pages import lists, pages

app_name = "supervision_pages"
urlpatterns = [
    path("", pages.home, name="home"),
    path("search/", lists.search, name="search"),
    *(path(f"{key}/", view, name=key) for key, view in lists.PAGES.items()),
    *(path(f"{key}/export.csv", view, name=f"{key}-export") for key, view in lists.EXPORTS.items()),
    path("reports/<str:number>/", pages.trace, name="trace"),
    path("reports/<str:number>/curves/<int:specimen>.json", pages.curve, name="curve"),
    path("institutions/<str:key>/", pages.record, {"kind": "institutions"}, name="institution"),
    path("projects/<str:key>/", pages.record, {"kind": "projects"}, name="project"),
    path("samples/<str:key>/", pages.record, {"kind": "samples"}, name="sample"),
    path("tests/<str:key>/", pages.record, {"kind": "tests"}, name="test"),
    path("tests/<str:key>/curves/<int:specimen>.json", pages.record_curve, name="test-curve"),
    path("findings/<str:key>/", pages.record, {"kind": "findings"}, name="finding"),
    path("people/<str:key>/", pages.record, {"kind": "people"}, name="person"),
    path("instruments/<str:key>/", pages.record, {"kind": "instruments"}, name="instrument"),
    path("live-tests/<str:test_id>/", pages.live, name="live"),
    path("numbers/", pages.numbers, name="numbers"),
    path("status/", pages.status, name="status"),
]
