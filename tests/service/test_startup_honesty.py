"""What the platform checks and leaves behind (启动自检与痕迹): settings, permissions, and no personal datum in clear anywhere on disk."""

from __future__ import annotations

import os
import socket
import stat
import subprocess

import psycopg
import pytest

from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.registry import PersonRegistered
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.supervision.config import Platform
from plumbline.supervision.heartbeat import Heartbeat
from plumbline.supervision.journal.setup import REQUIRED_SETTINGS, SetupProblem, check_settings, quiet_log

pytestmark = pytest.mark.service

CANARY, CANARY_ID, CANARY_PHONE = "金丝雀", "11010519491231002X", "13900013999"


@pytest.fixture
def administrator(request) -> str:
    """Connection string of the administrator of the quiet platforms' server."""
    return os.environ.get("DATABASE_URL") or request.getfixturevalue("_shared_cluster").dsn()


@pytest.mark.clause("BJ 4.1.2")
@pytest.mark.parametrize(
    "name", sorted(set(REQUIRED_SETTINGS) - {"fsync", "full_page_writes", "data_sync_retry"})
)
def test_a_setting_that_would_lose_or_leak_stops_the_start(quiet_platform, administrator, name: str) -> None:
    other = {
        "synchronous_commit": "off",
        "log_error_verbosity": "verbose",
        "log_min_error_statement": "error",
        "log_min_messages": "warning",
        "log_statement": "all",
        "log_min_duration_statement": "0",
        "log_min_duration_sample": "0",
        "log_transaction_sample_rate": "1",
        "log_parameter_max_length_on_error": "64",
    }[name]
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn:
        check_settings(conn)
    database = quiet_platform.platform.database.name
    with psycopg.connect(administrator, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE \"{database}\" SET {name} = '{other}'".encode())
    with (
        psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn,
        pytest.raises(SetupProblem, match=f"{name} 必须是 {REQUIRED_SETTINGS[name]}，现在是 {other}"),
    ):
        check_settings(conn)


def test_who_may_not_set_the_log_of_a_server_may_start_where_it_is_right(untouched_platform) -> None:
    platform = untouched_platform.platform
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        quiet_log(conn, platform.database.name)  # a login that may alter nothing
        assert conn.execute("SELECT 1").fetchone() == (1,)
        check_settings(conn)


def test_what_is_secret_is_for_its_owner_alone(world, genuine) -> None:
    root = world.platform.data_dir
    for name in ("keys", "subjects", "marks", "files"):
        assert stat.S_IMODE((root / name).stat().st_mode) == 0o700, name
    secret = [
        root / "secrets.json",
        *root.glob("keys/*"),
        *root.glob("subjects/*.key"),
        *root.glob("institutions/*/keys/*.key.pem"),
    ]
    assert len(secret) > 8
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for path in root.glob("files/incoming/*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_no_password_travels_in_the_environment_or_the_command_line(world) -> None:
    import json

    passwords = set(json.loads((world.platform.data_dir / "secrets.json").read_text()).values())
    told = " ".join(world.platform.environment().values())
    assert not any(password in told for password in passwords)
    mine = [p for p in os.listdir("/proc") if p.isdigit()]
    for pid in mine:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                command = line.read().decode("utf-8", "replace")
        except OSError:
            continue
        assert not any(password in command for password in passwords)


def _send_canary(world) -> None:
    who = world.parties["institution"]
    record = make_record("ca" * 16, PersonalFields(name=CANARY, resident_id=CANARY_ID, phone=CANARY_PHONE))
    message = world.message(
        "institution",
        PersonRegistered,
        person=record.subject,
        party=who.party,
        roles=["receiver"],
        valid_from="2026-01-01",
        personal=record.ref,
    )
    data = encode_message(message)
    assert world.post(data, who, personal=[record]).status_code == 201
    assert world.post(data, who, personal=[record]).status_code == 200
    broken = data.replace(b'"roles"', f'"{CANARY_PHONE}"'.encode())
    assert world.post(broken, who, personal=[record]).status_code == 422
    text = data.replace(b'"receiver"', f'"{CANARY} {CANARY_ID}"'.encode())
    assert world.post(text, who, personal=[record]).status_code == 422
    world.settle()
    # The exchange monitor writes down refusals a moment later.
    noted = "SELECT count(*) AS n FROM ops.exchange_request WHERE holder = %s AND outcome = 'refused'"
    world.wait_for(lambda: _as_owner(world, noted, [who.party]) >= 2)


def _as_owner(world, statement: str, parameters: list[str]) -> int:
    with psycopg.connect(world.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        return int(conn.execute(statement.encode(), parameters).fetchone()[0])


def _dump(world) -> bytes:
    """Every row of every table as text."""
    told = []
    with psycopg.connect(world.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        tables = conn.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname IN ('journal', 'ops', 'fact') AND c.relkind = 'r'"
        ).fetchall()
        for schema, table in tables:
            with conn.cursor().copy(f'COPY "{schema}"."{table}" TO STDOUT'.encode()) as copy:
                told.append(b"".join(bytes(part) for part in copy))
    return b"\n".join(told)


def test_a_person_leaves_no_trace_in_clear_in_tables_logs_or_files(world) -> None:
    _send_canary(world)
    wanted = [CANARY.encode(), CANARY_ID.encode(), CANARY_PHONE.encode()]
    dump = _dump(world)
    assert len(dump) > 10_000
    # bytea columns are printed as hex
    spelled = wanted + [each.hex().encode() for each in wanted]
    assert not [each for each in spelled if each in dump]
    found = subprocess.run(
        ["grep", "-rlaE", "|".join((CANARY, CANARY_ID, CANARY_PHONE)), str(world.platform.data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == "", found.stdout


def test_a_folder_that_says_demo_and_a_log_that_does_not_are_refused(quiet_platform) -> None:
    import json

    path = quiet_platform.platform.data_dir / "platform.json"
    stored = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(stored | {"origin": "jc.linchuan.example"}), "utf-8")
    with pytest.raises(SystemExit, match="演示"):
        Platform.open(quiet_platform.platform.data_dir, quiet_platform.platform.database)


def test_a_process_that_was_killed_is_not_listed_as_silent_beside_its_successor(world) -> None:
    conninfo, gone = world.platform.conninfo("plumb_worker"), "test@here:4194303"
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO ops.process (name, kind, host, pid, started_at, beat_at, detail) "
            "VALUES (%s, 'test', %s, 4194303, now(), now(), '{}')",
            [gone, socket.gethostname()],
        )
    successor = Heartbeat(conninfo, "test")
    successor.start()
    noted = "SELECT count(*) FROM ops.process WHERE kind = 'test' AND name <> %s"
    world.wait_for(lambda: _as_owner(world, noted, [gone]) == 1)
    assert _as_owner(world, "SELECT count(*) FROM ops.process WHERE name = %s", [gone]) == 0
    successor.stop()
