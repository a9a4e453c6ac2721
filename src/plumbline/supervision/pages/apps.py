"""Django application of the supervision product's pages (监管端页面应用)."""

from __future__ import annotations

from django.apps import AppConfig


class PagesConfig(AppConfig):
    """Trace, reports, live curve, home and status pages."""

    name = "plumbline.supervision.pages"
    label = "supervision_pages"
    verbose_name = "监管端页面"
