"""When an account was last allowed in again (账号恢复时刻)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column; nobody has been reactivated before it."""

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AddField("account", "reactivated_at", models.DateTimeField(null=True, blank=True)),
    ]
