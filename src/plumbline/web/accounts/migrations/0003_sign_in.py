"""Sign-ins that are open, to be seen and ended one by one (登录列表)."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates `accounts_signin`; who is signed in while it runs signs in again."""

    dependencies = [("accounts", "0002_reactivated_at")]

    operations = [
        migrations.CreateModel(
            name="SignIn",
            fields=[
                ("key", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("begun_at", models.DateTimeField(auto_now_add=True)),
                ("address", models.CharField(max_length=64)),
                ("agent", models.CharField(max_length=120)),
                ("ended_at", models.DateTimeField(null=True, blank=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"ordering": ("-begun_at",)},
        ),
    ]
