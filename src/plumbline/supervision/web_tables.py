"""Tables of schema `web` (网页表): made by Django's migrations as their owner, granted table by table to the web process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg import sql

from plumbline.supervision.config import Platform
from plumbline.supervision.journal.setup import SetupProblem

_ACCOUNTS = Path(__file__).parents[1] / "web" / "accounts" / "migrations"


def ensure_web_tables(platform: Platform) -> bool:
    """Bring schema `web` up to this version; True when something was done. A look costs one query: migrating takes seconds."""
    wanted = f"web:{_digest()}"
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        if conn.execute("SELECT 1 FROM plumb.migration WHERE name = %s", [wanted]).fetchone():
            return False
    _migrate(platform)
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        _grant(conn)
        conn.execute("INSERT INTO plumb.migration (name) VALUES (%s) ON CONFLICT DO NOTHING", [wanted])
    return True


def _digest() -> str:
    """Changes with our migrations and with the releases that bring their own."""
    parts = [f"{name} {version(name)}" for name in ("django", "django-allauth", "django-axes")]
    parts += sorted(path.name for path in _ACCOUNTS.glob("[0-9]*.py"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _migrate(platform: Platform) -> None:
    settings = {
        "DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings",
        "PLUMB_WEB_LOGIN": "plumb_migrate",
    }
    command = [sys.executable, "-m", "django", "migrate", "--no-input", "--verbosity", "0"]
    done = subprocess.run(
        command,
        env=os.environ | platform.environment() | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["没有说明"]
        raise SetupProblem(f"账号表没有建成：{last[0]}")


def _grant(conn: psycopg.Connection) -> None:
    """Named grants: the web process reads and writes rows of these tables, and none of their definitions."""
    rows = conn.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'web' AND tablename <> 'django_migrations'"
    ).fetchall()
    for (name,) in rows:
        conn.execute(
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON web.{} TO plumb_web").format(
                sql.Identifier(name)
            )
        )
    for (name,) in conn.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'web'").fetchall():
        conn.execute(sql.SQL("GRANT USAGE ON SEQUENCE web.{} TO plumb_web").format(sql.Identifier(name)))
