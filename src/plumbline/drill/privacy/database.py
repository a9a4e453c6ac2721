"""What the database leaves on disk (数据库的痕迹): dump, base backup, raw files, logs; and errors provoked on purpose."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from plumbline.drill.privacy.canaries import Canary
from plumbline.embedded.binaries import find_binaries
from plumbline.supervision.config import Platform

Connect = Callable[[], psycopg.Connection]


def provoke(platform: Platform, canary: Canary) -> int:
    """Errors whose message, detail or statement would hold personal data if the server wrote them down; how many were raised.

    Every login does it, with the datum as a parameter and as a literal.
    """
    fields, raised = canary.fields, 0
    attempts = [
        # A constraint: the failing row would stand in the detail.
        "INSERT INTO ops.personal (digest, subject, nonce, ciphertext, arrived_at) VALUES ('\\x00', {0}, '', '', now())",
        # A value that is too long, a number that is none, a day that is none, a cast that fails: the value would stand in the message.
        "SELECT {0}::uuid",
        "SELECT {0}::int",
        # (Eleven digits may be a day: PostgreSQL reads 13912340115 as 15 January of the year 1391234.)
        "SELECT ('d' || {0})::date",
        "SELECT ('[' || {0})::jsonb",
        "INSERT INTO web.accounts_account (username) VALUES ({0} || repeat('x', 60))",
        # A wrong name, no right, a broken statement: the statement would be logged.
        "SELECT * FROM journal.nothing WHERE {0} = ''",
        "UPDATE journal.entry SET key_id = {0}",
        "SELEC {0}",
        # Too slow: the statement would be logged when it is broken off.
        "SELECT pg_sleep(3) WHERE {0} <> ''",
    ]
    for role in ("plumb_gateway", "plumb_web", "plumb_worker", "plumb_projector"):
        with psycopg.connect(platform.conninfo(role), autocommit=True) as conn:
            conn.execute("SET statement_timeout = '40ms'")
            for attempt in attempts:
                for value in (fields.resident_id, fields.phone, fields.name):
                    statement = attempt.format(sql.Literal(value).as_string(conn))
                    raised += _fails(conn, statement, None)
                    raised += _fails(conn, attempt.format("%s"), [value])
    return raised


def _fails(conn: psycopg.Connection, statement: str, values: list[object] | None) -> int:
    try:
        conn.execute(statement.encode(), values)
    except psycopg.Error:
        return 1
    return 0


def dump(platform: Platform, administrator: str, out: Path) -> Path:
    """`pg_dump` of the whole database as text."""
    path = out / "dump.sql"
    _run("pg_dump", "--dbname", _at(administrator, platform.database.name), "--file", str(path))
    return path


def base_backup(administrator: str, out: Path) -> Path:
    """`pg_basebackup` with the log that belongs to it."""
    path = out / "backup"
    _run("pg_basebackup", "--dbname", administrator, "--pgdata", str(path), "--checkpoint", "fast")
    return path


def flush(administrator: str) -> None:
    """Everything that is in memory goes to the files."""
    with psycopg.connect(administrator, autocommit=True) as conn:
        conn.execute("CHECKPOINT")


def _at(administrator: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(administrator, dbname=name)


def _run(program: str, conninfo_option: str, conninfo: str, *arguments: str) -> None:
    told = psycopg.conninfo.conninfo_to_dict(conninfo)
    # Whoever may list processes may read their arguments; the environment is the owner's alone.
    environment = os.environ | {"PGPASSWORD": str(told.pop("password", ""))}
    where = psycopg.conninfo.make_conninfo("", **told)
    path = find_binaries().program(program)
    done = subprocess.run(
        [path, conninfo_option, where, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr.strip().splitlines()[-1:]}")
