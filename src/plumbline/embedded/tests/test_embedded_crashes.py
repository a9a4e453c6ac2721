"""What the embedded cluster does after kill -9, and for the traces that a crash leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.embedded import processes
from plumbline.embedded.postgres import Cluster

pytestmark = pytest.mark.service

MANAGER = """
import sys, time
from pathlib import Path
from plumbline.embedded.postgres import Cluster
Cluster(Path(sys.argv[1])).start()
print("started", flush=True)
time.sleep(600)
"""


def managed_elsewhere(data_dir: Path) -> subprocess.Popen[bytes]:
    """Another process that has started the cluster."""
    manager = subprocess.Popen([sys.executable, "-c", MANAGER, str(data_dir)], stdout=subprocess.PIPE)
    assert manager.stdout is not None
    assert manager.stdout.readline() == b"started\n"
    return manager


def kill_each(pids: list[int]) -> None:
    """SIGKILL for those that still are: a short-lived backend ends by itself, others as soon as the first is killed."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_all(manager: subprocess.Popen[bytes], cluster: Cluster) -> None:
    """SIGKILL at once for the manager, the postmaster and every backend."""
    family = processes.working_in(cluster.folder.pgdata)
    assert len(family) > 3
    kill_each([manager.pid, *family])
    manager.wait()
    assert manager.stdout is not None
    manager.stdout.close()


def test_no_acknowledged_row_is_lost_by_kill_9(cluster: Cluster) -> None:
    manager = managed_elsewhere(cluster.data_dir)
    cluster.sql("create table row_of_test (id int primary key)")
    running = cluster.running()
    assert running is not None
    writer = subprocess.Popen(
        [cluster.binaries.program("psql"), "-XqAt", running.dsn()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    lines = "".join(f"insert into row_of_test values ({n}) returning id;\n" for n in range(200_000))
    feeder = os.fork()
    if feeder == 0:
        try:
            os.write(writer.stdin.fileno(), lines.encode())
        finally:
            os._exit(0)
    acknowledged = {int(writer.stdout.readline()) for _ in range(300)}
    kill_all(manager, cluster)
    acknowledged |= {int(line) for line in writer.stdout.read().split()}
    os.kill(feeder, signal.SIGKILL)
    os.waitpid(feeder, 0)
    writer.stdout.close()
    writer.stdin.close()
    writer.wait()
    cluster.start()
    kept = {int(line) for line in cluster.sql("select id from row_of_test").split()}
    assert len(acknowledged) >= 300
    assert acknowledged <= kept


def test_the_server_ends_with_its_manager(cluster: Cluster) -> None:
    manager = managed_elsewhere(cluster.data_dir)
    pid = cluster.status().pid
    assert pid is not None
    manager.kill()
    manager.communicate()
    assert processes.wait_until(lambda: not processes.is_alive(pid), 60)
    assert cluster.status().state == "stopped"
    assert "received fast shutdown request" in cluster.log_path.read_text()


def test_a_zombie_postmaster_does_not_stand_in_the_way(cluster: Cluster) -> None:
    running = cluster.start()
    kill_each(processes.working_in(cluster.folder.pgdata))
    # Nobody has waited for it: the postmaster stays a zombie and its lock file names a number that exists.
    assert processes.wait_until(lambda: processes.state_of(running.pid) == "Z", 60)
    assert (cluster.folder.pgdata / "postmaster.pid").exists()
    assert cluster.status().state == "stopped"
    other = Cluster(cluster.data_dir)
    cluster.folder.unlock()
    assert other.start().pid != running.pid
    other.stop()


def test_a_crashed_server_is_restarted_behind_the_same_socket(cluster: Cluster) -> None:
    running = cluster.start()
    os.kill(running.pid, signal.SIGKILL)
    assert processes.wait_until(lambda: not processes.is_alive(running.pid), 60)
    again = cluster.start()
    assert again.pid != running.pid
    assert again.socket_dir == running.socket_dir
    assert cluster.sql("select 1") == "1"


def test_starting_twice_gives_the_running_server(cluster: Cluster) -> None:
    assert cluster.start() == cluster.start()


@pytest.mark.parametrize("owner", ["nobody", "a stranger"])
def test_a_stale_lock_file_is_removed(cluster: Cluster, owner: str) -> None:
    cluster.start()
    cluster.stop()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        number = stranger.pid if owner == "a stranger" else 4_194_303
        lines = [str(number), str(cluster.folder.pgdata), "1", "5432", "/tmp", "", "0 0", "ready"]
        (cluster.folder.pgdata / "postmaster.pid").write_text("\n".join(lines) + "\n")
        assert cluster.status().state == "stopped"
        assert cluster.start().pid != number
        assert stranger.poll() is None
        stranger.kill()


def test_a_living_server_without_a_manager_is_ended_before_a_new_start(cluster: Cluster) -> None:
    orphaned = Cluster(cluster.data_dir)
    first = orphaned.start()
    orphaned.folder.unlock()
    second = cluster.start()
    assert not processes.is_alive(first.pid)
    assert second.pid != first.pid
    assert cluster.sql("select 1") == "1"
    orphaned.stop()


def test_an_interrupted_first_start_is_done_again(cluster: Cluster) -> None:
    argv = [sys.executable, "-c", MANAGER, str(cluster.data_dir)]
    begun = cluster.data_dir / "INITIALISING"
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as manager:
        in_the_middle = cluster.folder.pgdata / "PG_VERSION"
        assert processes.wait_until(in_the_middle.exists, 60, interval=0.001)
        manager.kill()
    assert begun.exists()
    work = Path((cluster.data_dir / "socket").read_text().strip())
    assert (work / "password").exists()
    assert not cluster.folder.is_initialised
    cluster.start()
    assert cluster.sql("select 1") == "1"
    assert not begun.exists()
    assert not work.exists()


def test_the_socket_folder_of_a_crash_is_removed(cluster: Cluster) -> None:
    manager = managed_elsewhere(cluster.data_dir)
    running = cluster.running()
    assert running is not None
    kill_all(manager, cluster)
    assert running.socket_dir.exists()
    cluster.start()
    assert not running.socket_dir.exists()


def test_a_process_is_found_by_what_it_was_told_before_it_works_anywhere(cluster: Cluster) -> None:
    told = os.environ | {"PGDATA": str(cluster.folder.pgdata)}
    with subprocess.Popen(["sleep", "60"], env=told, cwd="/") as orphan:
        folder = str(cluster.folder.pgdata)

        def found(where: str) -> list[int]:
            return processes.started_with(processes.program_of(orphan.pid), "PGDATA", where)

        assert processes.wait_until(lambda: found(folder) == [orphan.pid], 60)
        assert found(folder + "2") == []
        name = processes.program_of(orphan.pid)
        orphan.kill()
    assert processes.started_with(name, "PGDATA", folder) == []
