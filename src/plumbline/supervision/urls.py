"""Addresses of the web process (网页地址). Every view declares who may ask; a test walks this list."""

from __future__ import annotations

from django.urls import path

from plumbline.supervision.access.rules import EVERYBODY, SIGNED_IN, allow
from plumbline.supervision.pages import pages
from plumbline.supervision.reading import bundles, files, sign_in, views

handler404 = views.missing

urlpatterns = [
    path("", allow(*EVERYBODY)(pages.home), name="home"),
    path("healthz/", allow(*EVERYBODY)(views.healthy), name="healthz"),
    path("status/", allow(*EVERYBODY)(pages.status), name="status"),
    path("demo/sign-in/<slug:key>/", allow(*EVERYBODY)(sign_in.enter), name="demo-sign-in"),
    path("demo/sign-out/", allow(*EVERYBODY)(sign_in.leave), name="demo-sign-out"),
    path("reports/", allow(*SIGNED_IN)(pages.report_list), name="reports"),
    path("reports/export.csv", allow(*SIGNED_IN)(pages.report_export), name="reports-export"),
    path("reports/<str:number>/", allow(*EVERYBODY)(views.trace), name="trace"),
    path("reports/<str:number>/curves/<int:specimen>.json", allow(*SIGNED_IN)(pages.curve), name="curve"),
    path("reports/<str:number>/pictures/<str:sha256>", allow(*SIGNED_IN)(files.picture), name="picture"),
    path("reports/<str:number>/bundle.zip", allow(*SIGNED_IN)(bundles.bundle), name="bundle"),
    path("numbers/", allow("officer", "institution")(pages.numbers), name="numbers"),
    path("live-tests/<str:test_id>/", allow("officer", "institution")(views.live), name="live"),
]
