"""Killed while it starts for the first time, or while an upgrade rebuilds its tables (升级途中被杀): started again
it goes on, and ends as if nobody had been killed (TRUST F17)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from itertools import accumulate, repeat
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from plumbline.embedded.postgres import Cluster, Running
from plumbline.supervision.config import ROLES, DatabasePlace, Platform
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.projection.rebuild import audit_projection
from plumbline.supervision.projection.schema import stored_hash

pytestmark = [pytest.mark.service, pytest.mark.slow]
#: Prepares a folder and its database as every start does, and is killed before its n-th statement; 0 for never.
_CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import psycopg
from plumbline.supervision.boot import DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.config import DEMO_ORIGIN

left, real = int(sys.argv[2]), psycopg.Cursor.execute

def counted(self, *statement, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *statement, **options)

psycopg.Cursor.execute = counted
opened = datetime(2026, 10, 1, tzinfo=UTC)
url = "http://127.0.0.1:1"
prepare(Path(sys.argv[1]), None, Settings(origin=DEMO_ORIGIN, public_url=url, demo=True, operator=DEMO_OPERATOR, opened_at=opened))
print(-left)
"""


def _prepared(folder: Path, url: str, kill_at: int = 0) -> int:
    """Prepare, killed before that statement; how many statements it took, 0 when it was killed."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder), str(kill_at)],
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    if done.returncode == -signal.SIGKILL:
        return 0
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout) + kill_at


def _killed_again_and_again(folder: Path, url: str, points: Iterator[int]) -> int:
    """Start until a start comes through; how often it was killed."""
    for killed, point in enumerate(points):
        if _prepared(folder, url, point):
            return killed
    raise AssertionError


@pytest.fixture
def cluster(short_folder: Path) -> Iterator[tuple[Cluster, Running]]:
    made = Cluster(short_folder)
    try:
        yield made, made.start()
    finally:
        made.stop()


def _described(cluster: Cluster, running: Running, database: str) -> list[str]:
    """Everything that the database is made of, with owners, rights, policies and functions, as pg_dump writes it."""
    program = str(cluster.binaries.program("pg_dump"))
    done = subprocess.run(
        [program, "--schema-only", running.dsn(database)], capture_output=True, encoding="utf-8", check=True
    )
    # a random word against injected restores stands in every dump
    return [line for line in done.stdout.splitlines() if "restrict" not in line]


@pytest.mark.clause("BJ 4.1.7-a")
def test_a_first_start_that_is_killed_at_many_statements_ends_like_one_that_is_not(cluster, tmp_path) -> None:
    made, running = cluster
    statements = _prepared(tmp_path / "whole", running.url("whole"))
    assert statements > 100
    # 1, 2, 3, 5, 8, … of what is still to be done: each start goes on where the one before was killed
    steps = (each[0] for each in accumulate(repeat(0), lambda two, _: (two[1], sum(two)), initial=(1, 2)))
    killed = _killed_again_and_again(tmp_path / "killed", running.url("killed"), steps)
    assert killed >= 8
    assert _described(made, running, "killed") == _described(made, running, "whole")
    platform = Platform.open(
        tmp_path / "killed", DatabasePlace(host=str(running.socket_dir), port=running.port, name="killed")
    )
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        applied = conn.execute("SELECT name FROM plumb.migration ORDER BY name").fetchall()
        shipped = files("plumbline.supervision.journal") / "sql"
        told = [row[0] for row in applied if row[0].endswith(".sql")]
        assert told == sorted(each.name for each in shipped.iterdir() if each.name.endswith(".sql"))
        assert (
            conn.execute("SELECT size FROM journal.head").fetchall()
            == conn.execute("SELECT count(*) FROM journal.entry").fetchall()
        )
    assert audit_log(platform.conninfo("plumb_gateway"), platform.folder("marks")) == []


def _url(administrator: str, database: str) -> str:
    told = conninfo_to_dict(administrator)
    who = f"{quote(str(told['user']), safe='')}:{quote(str(told.get('password', '')), safe='')}"
    return f"postgresql://{who}@/{database}?host={quote(str(told['host']), safe='')}&port={told.get('port', 5432)}"


@pytest.mark.clause("BJ 4.1.7-a")
def test_an_upgrade_that_is_killed_while_it_rebuilds_ends_with_the_same_rows(
    quiet_platform, quiet_world
) -> None:
    case = quiet_world.case().until_tested()
    quiet_world.apply(case)
    quiet_world.settle()
    size = quiet_world.size()
    quiet_world.close()
    platform = quiet_platform.platform
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        declared = stored_hash(conn)
        conn.execute("COMMENT ON SCHEMA fact IS 'of an earlier version'")
    url = _url(quiet_platform.administrator, platform.database.name)
    killed = _killed_again_and_again(platform.data_dir, url, iter([30, 60, 90, 110, 130, 10**6]))
    assert killed >= 3
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        assert stored_hash(conn) == declared
        assert conn.execute("SELECT pos FROM fact.position").fetchone() is not None
        assert conn.execute("SELECT size FROM journal.head").fetchone() == (size,)
        left = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'fact_%'"
        assert conn.execute(left).fetchall() == []
        state = "SELECT state FROM fact.application WHERE id = %s"
        assert conn.execute(state, [case.ids["application"]]).fetchone() is not None
    conninfo = {role: platform.conninfo(role) for role in ROLES}
    assert audit_projection(conninfo) == []
    assert audit_log(conninfo["plumb_gateway"], platform.folder("marks")) == []
