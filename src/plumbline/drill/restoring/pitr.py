"""Base backup, archived WAL, recovery to a target (时间点恢复): PostgreSQL's own tools on the platform's own cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg

from plumbline.drill.kill.site import Site
from plumbline.embedded import processes
from plumbline.embedded.identity import choose_identity
from plumbline.embedded.postgres import SUPERUSER, Cluster, Running

_WAIT_S = 120.0
_MARK = "# drill restore"


class Recovery:
    """The archive and the base backups of one site, and what a database administrator does with them."""

    def __init__(self, site: Site, folder: Path) -> None:
        assert site.cluster is not None
        self._site, self._cluster = site, site.cluster
        self._identity = choose_identity()
        self.archive, self._backups = folder / "archive", folder / "backups"
        for each in (folder, self.archive, self._backups):
            each.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._identity.own(self.archive)
        self._number = 0

    @property
    def cluster(self) -> Cluster:
        """The cluster that is backed up and restored."""
        return self._cluster

    def switch_on(self) -> None:
        """Archive every finished segment from now on; the database is restarted."""
        copied = f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"
        self._settings("archive_mode = on", f"archive_command = '{copied}'")
        self._restart()

    def base_backup(self) -> Path:
        """A base backup by pg_basebackup, while the platform goes on."""
        self._number += 1
        target, running = self._backups / str(self._number), self._running()
        argv = [self._cluster.binaries.program("pg_basebackup"), "-h", str(running.socket_dir)]
        argv += [
            "-p",
            str(running.port),
            "-U",
            SUPERUSER,
            "-w",
            "-D",
            str(target),
            "-X",
            "none",
            "-c",
            "fast",
        ]
        argv.append("--no-manifest")
        environment = {**os.environ, "PGPASSWORD": running.password}
        subprocess.run(argv, env=environment, check=True, capture_output=True, timeout=600)
        return target

    def point(self, name: str) -> None:
        """A named restore point in the WAL."""
        self._superuser("SELECT pg_create_restore_point(%s)", name)

    def now(self) -> str:
        """The place in the WAL that is written now, in the middle of whatever is going on."""
        return str(self._superuser("SELECT pg_current_wal_flush_lsn()")[0])

    def crash(self) -> None:
        """The database dies with everything of it."""
        self._site.kill_postmaster()
        until = time.monotonic() + _WAIT_S
        pgdata = self._cluster.folder.pgdata
        while time.monotonic() < until and processes.working_in(pgdata):
            time.sleep(0.05)
        self._cluster.stop()

    def restore(self, backup: Path, target: str) -> None:
        """The base backup in place of the database, recovered up to `target` (a setting of PostgreSQL), and started.

        What the dead database had not archived yet is saved first, as one does.
        """
        pgdata = self._cluster.folder.pgdata
        for segment in (pgdata / "pg_wal").glob("[0-9A-F]" * 24):
            if not (self.archive / segment.name).exists():
                shutil.copy(segment, self.archive / segment.name)
        for history in (pgdata / "pg_wal").glob("*.history"):
            shutil.copy(history, self.archive / history.name)
        self._identity.own(self.archive)
        shutil.rmtree(pgdata)
        shutil.copytree(backup, pgdata)
        pgdata.chmod(0o700)
        (pgdata / "recovery.signal").touch()
        wanted = [f"restore_command = 'cp {self.archive}/%f %p'", "recovery_target_action = 'promote'"]
        # Along the history that this backup is of; later ones branched off elsewhere.
        wanted += ["recovery_target_timeline = 'current'", *([target] if target else [])]
        self._settings(*wanted)
        self._identity.own(pgdata)
        self._site.running = self._cluster.start(timeout=_WAIT_S)
        self._wait_promoted()
        self._settings(without=("restore_command", "recovery_target"))
        self._superuser("SELECT pg_reload_conf()")

    def _wait_promoted(self) -> None:
        until = time.monotonic() + _WAIT_S
        while time.monotonic() < until:
            try:
                if self._superuser("SELECT pg_is_in_recovery()")[0] is False:
                    return
            except psycopg.Error:
                pass
            time.sleep(0.1)
        raise TimeoutError("数据库没有恢复到可写")

    def _settings(self, *lines: str, without: tuple[str, ...] = ()) -> None:
        """Lines of our own at the end of postgresql.conf; what stands there by the same name goes."""
        path = self._cluster.folder.pgdata / "postgresql.conf"
        names = (*without, *(line.split(" ")[0] for line in lines))
        kept = [
            line
            for line in path.read_text("utf-8").splitlines()
            if not (line.endswith(_MARK) and line.startswith(names))
        ]
        path.write_text("\n".join([*kept, *(f"{line} {_MARK}" for line in lines)]) + "\n", "utf-8")

    def _restart(self) -> None:
        self._cluster.stop()
        self._site.running = self._cluster.start()

    def _running(self) -> Running:
        running = self._cluster.running()
        assert running is not None
        return running

    def _superuser(self, statement: str, *values: object) -> tuple[object, ...]:
        with psycopg.connect(self._running().dsn(), autocommit=True) as conn:
            row = conn.execute(statement.encode(), values).fetchone()
        assert row is not None
        return row
