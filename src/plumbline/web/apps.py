"""Django application that carries the shared assets and template tags (公共资源与模板标签)."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Shared base of the web products."""

    name = "plumbline.web"
    label = "web"
    verbose_name = "网页公共基础"
