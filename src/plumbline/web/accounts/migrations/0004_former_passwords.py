"""Former passwords; when a sign-in was last used and why it was ended (口令历史、登录的最近使用与结束原因)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds three columns; passwords from before it are not known."""

    dependencies = [("accounts", "0003_sign_in")]

    operations = [
        migrations.AddField("account", "former_passwords", models.JSONField(default=list, blank=True)),
        migrations.AddField("signin", "seen_at", models.DateTimeField(null=True, blank=True)),
        migrations.AddField(
            "signin", "ended_because", models.CharField(max_length=200, blank=True, default="")
        ),
    ]
