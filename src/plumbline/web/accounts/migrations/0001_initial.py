"""The table of accounts (账号表)."""

from __future__ import annotations

from django.db import migrations, models

import plumbline.web.accounts.models


class Migration(migrations.Migration):
    """Creates `accounts_account`."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                ("username", models.CharField(max_length=40, unique=True)),
                (
                    "person",
                    models.CharField(
                        default=plumbline.web.accounts.models.new_person, max_length=32, unique=True
                    ),
                ),
                ("label", models.CharField(max_length=60)),
                ("division", models.CharField(max_length=6)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("created_by", models.CharField(max_length=40)),
                ("suspended_at", models.DateTimeField(blank=True, null=True)),
                ("suspended_because", models.CharField(blank=True, max_length=200)),
                ("password_set_at", models.DateTimeField(blank=True, null=True)),
                ("link_released_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ("username",),
            },
        ),
    ]
