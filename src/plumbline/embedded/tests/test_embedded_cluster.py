"""The embedded cluster as it is made: settings, passwords, socket, start and stop."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from plumbline.embedded.folder import full_disk
from plumbline.embedded.placement import SOCKET_PATH_LIMIT
from plumbline.embedded.postgres import SUPERUSER, Cluster, Running
from plumbline.embedded.problems import ClusterProblem, DataFolderProblem

pytestmark = pytest.mark.service

DEMANDED = {
    "listen_addresses": "",
    "max_connections": "100",
    "wal_compression": "off",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_min_messages": "log",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_checksums": "on",
    "password_encryption": "scram-sha-256",
    "allow_alter_system": "off",
    "archive_mode": "off",
    "TimeZone": "UTC",
    "server_encoding": "UTF8",
    "unix_socket_permissions": "0700",
}


def running_of(cluster: Cluster) -> Running:
    running = cluster.running()
    assert running is not None
    return running


def psql(cluster: Cluster, *, password: str, user: str = SUPERUSER) -> subprocess.CompletedProcess[bytes]:
    place = ["-h", str(running_of(cluster).socket_dir), "-U", user, "-d", "postgres", "-w"]
    environment = {**os.environ, "PGPASSWORD": password}
    argv = [cluster.binaries.program("psql"), "-X", "-c", "select 1", *place]
    return subprocess.run(argv, env=environment, capture_output=True, check=False)


def test_first_and_second_start_are_quick(cluster: Cluster) -> None:
    begun = time.monotonic()
    cluster.start()
    assert time.monotonic() - begun < 10
    cluster.stop()
    begun = time.monotonic()
    cluster.start()
    assert time.monotonic() - begun < 5


def test_the_settings_are_as_demanded(shared_cluster: Cluster) -> None:
    rows = shared_cluster.sql("select name || '=' || setting from pg_settings").splitlines()
    found = dict(row.split("=", 1) for row in rows)
    assert {name: found[name] for name in DEMANDED} == DEMANDED


def test_the_server_is_version_18_with_the_builtin_locale(shared_cluster: Cluster) -> None:
    assert shared_cluster.sql("select current_setting('server_version_num')::int / 10000") == "18"
    provider = "select datlocprovider, datlocale from pg_database where datname = 'template1'"
    assert shared_cluster.sql(provider) == "b|C.UTF-8"
    assert shared_cluster.sql("select upper('准绳 ä')") == "准绳 Ä"


def test_a_wrong_password_is_refused(shared_cluster: Cluster) -> None:
    answer = psql(shared_cluster, password="wrong")
    assert answer.returncode != 0
    assert b"password authentication failed" in answer.stderr


def test_no_rule_trusts_anybody(shared_cluster: Cluster) -> None:
    rules = shared_cluster.sql("select distinct type, auth_method from pg_hba_file_rules")
    assert rules == "local|scram-sha-256"
    assert shared_cluster.sql(
        "select left(rolpassword, 13) from pg_authid where rolpassword is not null"
    ) == ("SCRAM-SHA-256")


def test_the_right_password_is_accepted(shared_cluster: Cluster) -> None:
    assert psql(shared_cluster, password=running_of(shared_cluster).password).returncode == 0


def test_the_socket_is_private_and_short(shared_cluster: Cluster) -> None:
    running = running_of(shared_cluster)
    path = running.socket_dir / f".s.PGSQL.{running.port}"
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert len(os.fsencode(path)) <= SOCKET_PATH_LIMIT
    assert stat.S_IMODE(running.socket_dir.stat().st_mode) == 0o700


def test_a_deep_data_folder_still_has_a_short_socket(data_dir: Path) -> None:
    with Cluster(data_dir / ("深" * 40) / ("d" * 120)) as running:
        assert len(os.fsencode(running.socket_dir)) < 60


def test_no_port_is_open(shared_cluster: Cluster) -> None:
    pid = running_of(shared_cluster).pid
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        link = os.readlink(entry)
        if link.startswith("socket:["):
            sockets.add(link[8:-1])
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        assert not sockets & {row[9] for row in rows}


def test_the_server_does_not_run_as_root(shared_cluster: Cluster) -> None:
    assert shared_cluster.sql("select pg_read_file('PG_VERSION')").strip() == "18"
    inside = subprocess.run(
        ["ps", "-o", "user=", "-p", str(running_of(shared_cluster).pid)], capture_output=True, check=True
    )
    maps = Path(f"/proc/{running_of(shared_cluster).pid}/uid_map").read_text().split()
    assert maps[0] == "1000" or inside.stdout.strip() != b"root"


def test_passwords_stay_the_same_and_private(cluster: Cluster) -> None:
    first = cluster.secrets(["plumb_web", "plumb_gateway"])
    assert len(set(first.values())) == 2
    assert min(len(value) for value in first.values()) >= 40
    again = Cluster(cluster.data_dir).secrets(["plumb_gateway", "plumb_worker"])
    assert again["plumb_gateway"] == first["plumb_gateway"]
    assert stat.S_IMODE((cluster.data_dir / "secrets.json").stat().st_mode) == 0o600


def test_a_role_logs_in_with_its_kept_password(shared_cluster: Cluster) -> None:
    password = shared_cluster.secrets(["plumb_probe"])["plumb_probe"]
    shared_cluster.sql(f"create role plumb_probe login password '{password}'")
    assert shared_cluster.sql("select current_user", user="plumb_probe") == "plumb_probe"


def test_no_statement_reaches_the_log(shared_cluster: Cluster) -> None:
    with pytest.raises(ClusterProblem, match="duplicate key"):
        shared_cluster.sql(
            "create table person (id text primary key); insert into person values ('张三身份证');"
            "insert into person values ('张三身份证')"
        )
    log = shared_cluster.log_path.read_text("utf-8")
    assert (
        "duplicate key" not in log
    )  # the message of an error may repeat the value: the caller alone is told
    assert "张三" not in log
    assert "INSERT" not in log.upper().replace("INSERTED", "")


def test_a_failing_text_of_sql_says_why(shared_cluster: Cluster) -> None:
    with pytest.raises(ClusterProblem) as problem:
        shared_cluster.sql("select 1; select no_such_column")
    assert "no_such_column" in problem.value.chinese


def test_url_and_keywords_name_the_same_place(shared_cluster: Cluster) -> None:
    running = running_of(shared_cluster)
    for form in (running.dsn(), running.url()):
        argv = [shared_cluster.binaries.program("psql"), "-XAtw", "-c", "select current_user", form]
        answer = subprocess.run(argv, capture_output=True, check=False)
        assert answer.stdout == b"postgres\n", answer.stderr


def test_stopping_is_clean_and_leaves_no_socket(cluster: Cluster) -> None:
    running = cluster.start()
    cluster.stop()
    assert cluster.status().state == "stopped"
    assert not running.socket_dir.exists()
    assert "database system is shut down" in cluster.log_path.read_text()
    cluster.stop()


def test_stopping_ends_open_sessions(cluster: Cluster) -> None:
    running = cluster.start()
    argv = [cluster.binaries.program("psql"), "-X", "-c", "select pg_sleep(60)", running.dsn()]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as session:
        time.sleep(0.3)
        begun = time.monotonic()
        cluster.stop()
        assert time.monotonic() - begun < 5
        assert session.wait(5) != 0


def test_erasing_leaves_nothing_of_the_data(cluster: Cluster) -> None:
    cluster.start()
    place = cluster.folder.pgdata
    cluster.erase()
    assert not place.exists()
    assert {entry.name for entry in cluster.data_dir.iterdir()} == {"lock"}
    assert cluster.status().state == "absent"


def test_a_small_shared_memory_is_not_used(tmp_path: Path) -> None:
    from plumbline.embedded import configuration

    assert configuration.settings(tmp_path / "absent")["dynamic_shared_memory_type"] == "mmap"


def test_a_restart_that_fails_keeps_folder_and_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clients know the socket: once there is room again they find the server without being started anew."""
    cluster, place = Cluster(tmp_path / "data"), tmp_path / "sockets"
    place.mkdir()
    cluster.folder.lock()
    monkeypatch.setattr(cluster, "_was_up", True)
    monkeypatch.setattr(cluster, "_socket_dir", place)
    monkeypatch.setattr(cluster, "ensure_initialised", lambda: None)

    def no_room(wanted: int) -> None:
        raise full_disk(tmp_path)

    monkeypatch.setattr(cluster.folder, "require_space", no_room)
    with pytest.raises(DataFolderProblem, match="空间不足"):
        cluster.start()
    assert cluster.folder.is_locked_here
    assert cluster._socket_dir == place
    cluster.stop()
    assert not cluster.folder.is_locked_here
