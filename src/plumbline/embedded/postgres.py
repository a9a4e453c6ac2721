"""The embedded PostgreSQL: made, started, asked and stopped by our own manager (内嵌 PostgreSQL)."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from plumbline.embedded import configuration, processes
from plumbline.embedded.binaries import PostgresBinaries, find_binaries
from plumbline.embedded.folder import (
    FREE_TO_INITIALISE,
    FREE_TO_START,
    DataFolder,
    explained,
    full_disk,
    write_whole,
)
from plumbline.embedded.identity import Identity, choose_identity
from plumbline.embedded.placement import PORT, SOCKET_PREFIX, copied, make_short_folder
from plumbline.embedded.problems import ClusterProblem

#: The superuser that initdb makes; used to create databases and roles, by nothing else.
SUPERUSER = "postgres"

_LOG_LIMIT = 5_000_000
#: Within this time even a busy disk has written what a process that is to end waits for.
_DISK_ANSWERS_S = 60
#: How long a process that was forked when its parent was killed may take to show, and how often one may.
_LATE_S, _ROUNDS = 0.1, 5


@dataclass(frozen=True)
class Running:
    """How to reach a running cluster."""

    socket_dir: Path
    port: int
    pid: int
    superuser: str
    #: The superuser's password; roles of the platform have their own.
    password: str = field(repr=False)

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """Connection string in keyword form; without `user` it is the superuser's."""
        values = {"host": str(self.socket_dir), "port": str(self.port), "dbname": database}
        values["user"] = user or self.superuser
        values["password"] = (password or "") if user else self.password
        return " ".join(f"{name}='{_escaped(value)}'" for name, value in values.items())

    def url(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """The same as a `postgresql://` URL, as DATABASE_URL takes it."""
        name, secret = (user, password or "") if user else (self.superuser, self.password)
        who = f"{quote(name, safe='')}:{quote(secret, safe='')}"
        place = quote(str(self.socket_dir), safe="")
        return f"postgresql://{who}@/{quote(database, safe='')}?host={place}&port={self.port}"


@dataclass(frozen=True)
class Status:
    """What is known of a cluster from outside."""

    #: `absent` (never made), `stopped`, `starting`, `ready`, `stopping`.
    state: str
    pid: int | None = None


class Cluster:
    """One PostgreSQL cluster in one data folder.

    Start it from the main thread: the server gets SIGINT (fast shutdown) when the thread that started it
    ends, however it ends. Usable as a context manager that gives the `Running`.
    """

    def __init__(self, data_dir: Path, *, binaries: PostgresBinaries | None = None) -> None:
        self.folder = DataFolder(data_dir)
        self._binaries = binaries
        self._identity: Identity | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None
        #: Its clients know the socket: what fails now is a restart.
        self._was_up = False

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self.folder.path

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self.folder.logs / "postgresql.log"

    @property
    def binaries(self) -> PostgresBinaries:
        """The PostgreSQL programs, found at first use; `BinariesMissing` where there are none."""
        if self._binaries is None:
            self._binaries = find_binaries()
        return self._binaries

    def ensure_initialised(self) -> None:
        """Make the database files when there are none; refuse a folder that is not ours to use."""
        with self._locked():
            if self.folder.is_initialised:
                self.folder.require_version(self.binaries.version)
            else:
                self._initialise()

    def start(self, timeout: float = 120) -> Running:
        """Start the server and wait until it takes connections, at most `timeout` seconds after a clean stop.

        Calling it again returns the running server, or restarts a crashed one behind the same socket.
        After a crash the recovery may take longer: the wait goes on while the server says that it recovers.
        A restart that fails (the disk is full) may be tried again: folder and socket stay ours.
        """
        if self._server is not None and self._server.poll() is None:
            running = self.running()
            if running is not None:
                return running
        self.folder.lock()
        try:
            self.ensure_initialised()
            self.folder.require_space(FREE_TO_START)
            self._clear_what_a_crash_left()
            self._write_settings()
            running = self._launch(timeout)
        except BaseException:
            if self._was_up:
                self._end_server(5)
            else:
                self.stop()
            raise
        self._was_up = True
        return running

    def stop(self, timeout: float = 30) -> None:
        """Stop the server (fast, then immediate after `timeout` seconds) and give the folder free."""
        self._end_server(timeout)
        if self.folder.is_locked_here:
            self._remove_socket_dir()
        self._socket_dir = None
        self._was_up = False
        self.folder.unlock()

    def status(self) -> Status:
        """The state as the lock file and the process table tell it; needs no lock."""
        if not self.folder.is_initialised:
            return Status("absent")
        lines = self._pid_lines()
        pid = _leading_int(lines)
        if pid is None or not self._is_our_server(pid):
            return Status("stopped")
        state = lines[7].strip() if len(lines) > 7 else "starting"
        return Status(state if state in ("ready", "stopping") else "starting", pid)

    def running(self) -> Running | None:
        """How to reach the cluster, also from a process that did not start it; None when it is not ready."""
        status = self.status()
        lines = self._pid_lines()
        if status.state != "ready" or status.pid is None or len(lines) < 5:
            return None
        password = self.secrets([SUPERUSER])[SUPERUSER]
        return Running(Path(lines[4].strip()), int(lines[3]), status.pid, SUPERUSER, password)

    def secrets(self, names: Iterable[str]) -> dict[str, str]:
        """Passwords by role name: made at first asking, then always the same (`secrets.json`, 0600)."""
        return self.folder.secrets(names)

    def sql(self, text: str, database: str = "postgres", *, user: str | None = None) -> str:
        """Run SQL by psql, stopping at the first error; returns unaligned rows (`|` between columns).

        As the superuser unless `user` (a name of `secrets`) is given. `ClusterProblem` with the server's
        message on failure.
        """
        running = self.running()
        if running is None:
            raise ClusterProblem("内嵌数据库没有运行，请先启动它。", "The embedded database is not running.")
        role = user or SUPERUSER
        argv = [self.binaries.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        place = ["-h", str(running.socket_dir), "-p", str(running.port), "-U", role, "-w", "-d", database]
        environment = {**_clean_environment(), "PGPASSWORD": self.secrets([role])[role]}
        result = subprocess.run(
            [*argv, *place],
            input=text.encode(),
            env={**environment, "PGCLIENTENCODING": "UTF8"},
            capture_output=True,
            check=False,
        )
        if result.returncode != 0:
            message = result.stderr.decode("utf-8", "replace").strip()
            raise ClusterProblem(f"数据库语句执行失败：{message}", f"The SQL failed: {message}")
        return result.stdout.decode("utf-8").removesuffix("\n")

    def erase(self) -> None:
        """Remove every trace of the cluster and its folder's content (for `--reset`)."""
        self.stop()
        if not self.data_dir.exists():
            return
        with self._locked():
            if self.folder.is_initialised:
                self._clear_what_a_crash_left()
            self._remove_socket_dir()
            self.folder.erase()

    def __enter__(self) -> Running:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    # Making -------------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        self.folder.require_space(FREE_TO_INITIALISE)
        identity = self._who()
        password = self.secrets([SUPERUSER])[SUPERUSER]
        self._clear_what_a_crash_left()
        pgdata = self.folder.begin_initialising(identity)
        # The recorded folder: if we are killed here, the next start removes it with the password in it.
        password_file = self._fresh_socket_dir() / "password"
        write_whole(password_file, password, self.data_dir)
        identity.own(password_file.parent)
        try:
            argv = [self._program("initdb"), "--pgdata", str(pgdata), "--username", SUPERUSER]
            argv += ["--pwfile", str(password_file), "--auth=scram-sha-256", "--data-checksums"]
            argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"]
            argv += ["--encoding=UTF8", "--no-instructions"]
            result = self._run(argv)
        finally:
            password_file.unlink()
        if result.returncode != 0:
            raise self._explained(result.stdout + result.stderr)
        with explained(self.data_dir):
            (pgdata / "pg_hba.conf").write_text(configuration.HOST_RULES, "utf-8")
            with (pgdata / "postgresql.conf").open("a", encoding="utf-8") as stream:
                stream.write(f"\ninclude = '{configuration.FILE_NAME}'\n")
        self._write_settings()
        self.folder.finish_initialising(self.binaries.version)

    def _write_settings(self) -> None:
        path = self.folder.pgdata / configuration.FILE_NAME
        write_whole(path, configuration.text(configuration.settings()), self.data_dir)
        self._who().own(self.folder.pgdata)

    # Starting -----------------------------------------------------------------------------------------

    def _launch(self, timeout: float) -> Running:
        if self._server is not None:
            _end(self._server, 5)  # a killed server may not have been noticed yet; it must not stay a zombie
        socket_dir = self._fresh_socket_dir()
        self._turn_the_log()
        argv = [self._program("postgres"), "-D", str(self.folder.pgdata)]
        argv += ["-k", str(socket_dir), "-p", str(PORT), "-c", "unix_socket_permissions=0700"]
        identity = self._who()
        with explained(self.data_dir), self.log_path.open("ab") as log:
            begun_at = log.tell()
            self._server = subprocess.Popen(
                identity.command(argv),
                cwd="/",
                env=_clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches the terminal's whole group: the database must outlive its clients.
                start_new_session=True,
                preexec_fn=processes.tied_to_parent(signal.SIGINT),
                **identity.popen,
            )
        self._wait_until_ready(self._server, timeout, begun_at)
        running = self.running()
        if running is None:
            raise self._explained(self._log_since(begun_at))
        return running

    def _end_server(self, timeout: float) -> None:
        if self._server is not None:
            _end(self._server, timeout)
            self._server = None

    def _wait_until_ready(self, server: subprocess.Popen[bytes], timeout: float, begun_at: int) -> None:
        def settled() -> bool:
            return server.poll() is not None or self.status().state == "ready"

        while not processes.wait_until(settled, timeout):
            if "recovery" not in self._log_since(begun_at):
                break
        if server.poll() is not None or self.status().state != "ready":
            raise self._explained(self._log_since(begun_at))

    def _clear_what_a_crash_left(self) -> None:
        """End or wait for processes of an earlier run, then remove its lock file.

        The lock on the data folder is ours, so no manager stands behind a server found here. A killed
        postmaster may stay a zombie for seconds (for ever where nobody reaps it), and its children live
        on a little: removing postmaster.pid while one of them still writes would corrupt the data.
        """
        pgdata = self.folder.pgdata
        pid = _leading_int(self._pid_lines())
        if pid is not None and self._is_our_server(pid):
            _signal(pid, signal.SIGINT)
            if not processes.wait_until(lambda: not processes.is_alive(pid), 30):
                _signal(pid, signal.SIGQUIT)
                processes.wait_until(lambda: not processes.is_alive(pid), 10)
        for _ in range(_ROUNDS):
            if not processes.wait_until(lambda: not self._left_over(), 10):
                for orphan in self._left_over():
                    _signal(orphan, signal.SIGKILL)
                # A killed process that waits for a busy disk (fsync) ends only when the disk has answered.
                processes.wait_until(lambda: not self._left_over(), _DISK_ANSWERS_S)
            # What a killed initdb had only just forked comes to the folder a moment later.
            may_come = pgdata.exists() and not self.folder.is_initialised
            if not may_come or not processes.wait_until(lambda: bool(self._left_over()), _LATE_S):
                break
        if remaining := self._left_over():
            raise ClusterProblem(
                f"数据目录 {self.data_dir} 仍被上次运行的数据库进程 {remaining} 占用，请结束这些进程后重试。",
                f"Processes {remaining} of an earlier run still use {self.data_dir}; end them and try again.",
            )
        (pgdata / "postmaster.pid").unlink(missing_ok=True)

    def _left_over(self) -> list[int]:
        """Our servers, and what a killed initdb has started: it is told the folder by PGDATA before it works there."""
        pgdata = self.folder.pgdata
        inside = [pid for pid in processes.working_in(pgdata) if self._is_our_server(pid)]
        return sorted({*inside, *processes.started_with("postgres", "PGDATA", str(pgdata))})

    def _is_our_server(self, pid: int) -> bool:
        """A live postgres that sits in our folder: a number in a stale lock file may be anybody's by now."""
        if not processes.is_alive(pid) or processes.program_of(pid) != "postgres":
            return False
        try:
            return os.path.samefile(f"/proc/{pid}/cwd", self.folder.pgdata)
        except OSError:
            return False

    def _pid_lines(self) -> list[str]:
        try:
            return (self.folder.pgdata / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        except OSError:
            return []

    def _fresh_socket_dir(self) -> Path:
        """An empty socket folder: the same one again after a crash, so that clients find the server."""
        if self._socket_dir is not None and self._socket_dir.is_dir():
            for entry in self._socket_dir.glob(".s.PGSQL.*"):
                entry.unlink()
            return self._socket_dir
        self._remove_socket_dir()
        self._socket_dir = make_short_folder(self._who())
        write_whole(self.data_dir / "socket", f"{self._socket_dir}\n", self.data_dir)
        return self._socket_dir

    def _remove_socket_dir(self) -> None:
        """Remove the recorded socket folder with its stale socket and lock, and nothing else."""
        record = self.data_dir / "socket"
        with contextlib.suppress(OSError):
            place = Path(record.read_text("utf-8").strip())
            if place.name.startswith(SOCKET_PREFIX) and stat.S_ISDIR(place.lstat().st_mode):
                for entry in (*place.glob(".s.PGSQL.*"), *place.glob("*password*")):
                    entry.unlink()
                place.rmdir()
        with contextlib.suppress(OSError):
            record.unlink(missing_ok=True)

    # Helpers ------------------------------------------------------------------------------------------

    def _who(self) -> Identity:
        if self._identity is None:
            self._identity = choose_identity()
        return self._identity

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        held = self.folder.is_locked_here
        self.folder.lock()
        try:
            yield
        finally:
            if not held:
                self._remove_socket_dir()
                self._socket_dir = None
                self.folder.unlock()

    def _program(self, name: str) -> str:
        """The program at a path that the identity can reach; a copy is made where it cannot."""
        if not self._who().reaches(self.binaries.bin_dir):
            self._binaries = copied(self.binaries)
        return self.binaries.program(name)

    def _run(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        identity = self._who()
        return subprocess.run(
            identity.command(argv),
            cwd="/",
            env=_clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            preexec_fn=processes.tied_to_parent(signal.SIGKILL),
            **identity.popen,
        )

    def _turn_the_log(self) -> None:
        with explained(self.data_dir):
            self.folder.logs.mkdir(mode=0o700, exist_ok=True)
            if self.log_path.exists() and self.log_path.stat().st_size > _LOG_LIMIT:
                os.replace(self.log_path, self.log_path.with_suffix(".log.1"))

    def _log_since(self, position: int) -> str:
        try:
            with self.log_path.open("rb") as log:
                log.seek(position)
                return log.read(200_000).decode("utf-8", "replace")
        except OSError:
            return ""

    def _explained(self, output: str) -> Exception:
        """The server's or initdb's last words as a problem with a remedy."""
        if "No space left on device" in output:
            return full_disk(self.data_dir)
        tail = " / ".join(line.strip() for line in output.strip().splitlines()[-3:])
        return ClusterProblem(
            f"内嵌数据库没有启动成功，请查看日志 {self.log_path}；最后的输出：{tail}",
            f"The embedded database did not start; see {self.log_path}. Its last words: {tail}",
        )


def _end(server: subprocess.Popen[bytes], timeout: float) -> None:
    """Fast shutdown, then immediate, then kill: bounded, and only this child."""
    for signum, seconds in ((signal.SIGINT, timeout), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)):
        if server.poll() is not None:
            return
        server.send_signal(signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(seconds)


def _signal(pid: int, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def _leading_int(lines: list[str]) -> int | None:
    return int(lines[0]) if lines and lines[0].strip().isdecimal() else None


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _clean_environment() -> dict[str, str]:
    """The environment without libpq's and the server's own variables, which would override what we set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C.UTF-8", "LANGUAGE": "C"}
