"""Django app of the accounts (账号应用)."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, with their tables in schema `web`."""

    name = "plumbline.web.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
