"""Jinja environment for pages that are drawn without Django (不经 Django 的页面模板环境)."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from plumbline.web import formats
from plumbline.web.icons import SPRITE, icon_markup

STATIC_FOLDER = Path(__file__).parent / "static"


def page_environment(template_folder: Path, static_url: str = "/static/") -> Environment:
    """Return an environment that escapes everything and refuses undefined names.

    ``template_folder`` is the folder of the calling package; filters are those of the Django pages.
    """
    environment = Environment(
        loader=FileSystemLoader(template_folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def icon(name: str, extra_class: str = "") -> Markup:
        return Markup(icon_markup(name, static_url + SPRITE, extra_class))  # noqa: S704 - escaped parts

    environment.globals.update(icon=icon, static_url=static_url)
    environment.filters.update(
        local_time=formats.local_time,
        grouped=formats.grouped_number,
        log_place=formats.log_place,
        short_hash=formats.short_hash,
        spaced=formats.rule_spacing,
        file_size=formats.file_size,
        iso=lambda instant: instant.isoformat() if instant else "",
    )
    return environment
