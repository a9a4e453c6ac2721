"""Django application of the exchange monitor's pages (数据交换监控应用)."""

from __future__ import annotations

from django.apps import AppConfig


class MonitorConfig(AppConfig):
    """Who sent what, what was refused and why."""

    name = "plumbline.supervision.monitor"
    label = "monitor"
    verbose_name = "数据交换监控"
