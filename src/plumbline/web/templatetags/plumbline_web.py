"""Django filters and tags over ``formats`` and ``icons`` (显示格式与图标的模板标签)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe

from plumbline.web import formats
from plumbline.web.icons import SPRITE, icon_markup

register = template.Library()


@register.simple_tag
def icon(name: str, extra_class: str = "") -> SafeString:
    """Show an icon of the sprite."""
    return mark_safe(icon_markup(name, static(SPRITE), extra_class))  # noqa: S308 - built from escaped parts


@register.filter
def local_time(instant: datetime | None, precision: str = "minute") -> str:
    """Write an instant in Shanghai time."""
    return formats.local_time(instant, precision)


@register.filter
def minutes(span: timedelta) -> int:
    """Write a length of time in whole minutes."""
    return int(span.total_seconds() // 60)


@register.filter
def iso(instant: datetime | None) -> str:
    """Write an instant for the ``datetime`` attribute."""
    return instant.isoformat() if instant else ""


@register.filter
def grouped(number: int | None) -> str:
    """Write an integer with thin spaces."""
    return formats.grouped_number(number)


@register.filter
def log_place(position: int | None) -> str:
    """Write a position in the log."""
    return formats.log_place(position)


@register.filter
def short_hash(digest: str | None) -> str:
    """Write a digest shortened."""
    return formats.short_hash(digest or "")


@register.filter
def spaced(text: str) -> str:
    """Keep numbers and their units on one line."""
    return formats.rule_spacing(text)
