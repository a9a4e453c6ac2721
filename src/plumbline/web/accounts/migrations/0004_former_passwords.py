"""Former passwords, and why a sign-in was ended (口令历史与登录结束的原因)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds two columns; passwords from before it are not known."""

    dependencies = [("accounts", "0003_sign_in")]

    operations = [
        migrations.AddField("account", "former_passwords", models.JSONField(default=list, blank=True)),
        migrations.AddField(
            "signin", "ended_because", models.CharField(max_length=200, blank=True, default="")
        ),
    ]
