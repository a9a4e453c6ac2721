"""Django application of the enrolment of keys (密钥登记应用)."""

from __future__ import annotations

from django.apps import AppConfig


class EnrolmentConfig(AppConfig):
    """Applications for keys, and the keys that a party has."""

    name = "plumbline.supervision.enrolment"
    label = "enrolment"
    verbose_name = "密钥登记"
