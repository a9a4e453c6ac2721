"""Running the platform's processes together (整机启动): database, gateway, projector, worker, web, under one supervisor."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from plumbline.embedded.folder import DataFolder
from plumbline.embedded.ports import free_port, require_free_port
from plumbline.embedded.postgres import Cluster, Running
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.embedded.supervisor import ProcessSpec, ReadyLine, ReadyUrl, Supervisor
from plumbline.supervision.boot import Settings, prepare
from plumbline.supervision.config import Platform
from plumbline.supervision.fetch import own_networks
from plumbline.supervision.journal.setup import ensure_partitions
from plumbline.supervision.projection.projector import reproject
from plumbline.supervision.projection.schema import ensure_code_partitions
from plumbline.supervision.scanner import settings_or_exit
from plumbline.supervision.worker.patrol import cycle_from_env
from plumbline.web.security import files_origin

#: Partitions reach three months ahead. A look costs milliseconds, and is needed soon after a step of the clock or a long sleep.
PARTITIONS_EVERY_S = 60.0
#: How long a database that did not come back is left alone before it is tried again.
DATABASE_AGAIN_S = 5.0
#: Whoever looks after the processes waits for nobody's lock for long.
_BRIEFLY = "-c lock_timeout=5s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where to listen. `certificate` and `key` are given beyond loopback."""

    host: str = "127.0.0.1"
    port: int = 8700
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    @property
    def scheme(self) -> str:
        """https when there is a certificate."""
        return "https" if self.certificate else "http"

    @property
    def url(self) -> str:
        """The address that people open."""
        return f"{self.scheme}://{self.host}:{self.port}"


def process_specs(platform: Platform, serving: Serving, web_port: int) -> list[ProcessSpec]:
    """The four kinds of process of the product; none of them needs another one to start."""
    python, common = sys.executable, platform.environment() | {"PYTHONUNBUFFERED": "1"}
    bind = "0.0.0.0" if serving.certificate else serving.host  # noqa: S104 - only with TLS, by --lan
    granian = [python, "-m", "granian", "--no-ws", "--log-level", "warning", "--workers", "1"]
    tls = (
        ["--ssl-certificate", str(serving.certificate), "--ssl-keyfile", str(serving.key)]
        if serving.certificate
        else []
    )
    gateway = [
        *granian,
        "--interface",
        "asgi",
        "--factory",
        "--host",
        bind,
        "--port",
        str(serving.port),
        *tls,
        "plumbline.supervision.gateway.app:application",
    ]
    web = [
        *granian,
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(web_port),
        "--blocking-threads",
        "8",
        "plumbline.supervision.wsgi:application",
    ]
    relay = {"PLUMB_RELAY_TO": f"http://127.0.0.1:{web_port}"}
    loopback = f"{serving.scheme}://127.0.0.1:{serving.port}/healthz"
    return [
        ProcessSpec(
            "projector",
            [python, "-m", "plumbline.supervision.projection"],
            common,
            ReadyLine("projector ready"),
        ),
        ProcessSpec(
            "worker",
            [python, "-m", "plumbline.supervision.worker"],
            common,
            ReadyLine("worker ready"),
            together=True,
        ),
        ProcessSpec("web", web, common, ReadyUrl(f"http://127.0.0.1:{web_port}/healthz/"), together=True),
        ProcessSpec("gateway", gateway, common | relay, ReadyUrl(loopback, serving.ca), together=True),
    ]


@dataclass(slots=True)
class DatabaseKeeper:
    """Starts the embedded database again when it has died, until it is back: a full disk may be cleared meanwhile, and nothing else
    has to be started anew then."""

    cluster: Cluster
    report: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    #: What was said last, so that it is said once.
    _told: str = field(default="", init=False)
    _again: float = field(default=0.0, init=False)

    def look(self) -> Running | None:
        """The running database; None while it cannot be started."""
        if self.clock() < self._again:
            return None
        try:
            running = self.cluster.start()
        except (EmbeddedProblem, OSError) as problem:
            self._again = self.clock() + DATABASE_AGAIN_S
            said = problem.chinese if isinstance(problem, EmbeddedProblem) else str(problem)
            if _timeless(said) != self._told:
                self.report(f"数据库没有恢复，过一会儿再试：{said}")
            self._told = _timeless(said)
            return None
        if self._told:
            self.report("数据库恢复了。")
        self._told = ""
        return running


def _timeless(said: str) -> str:
    """A sentence without the times and process numbers of the server's last words: the same trouble is said once."""
    return re.sub(r"\d+", "", said)


def _unbroken(report: Callable[[str], None]) -> Callable[[str], None]:
    """A report that ends nothing: what it is written to may lie on the disk that is full."""

    def told(sentence: str) -> None:
        with contextlib.suppress(OSError):
            report(sentence)

    return told


@dataclass(slots=True)
class EachSecond:
    """What the supervising process sees to while the others run: the database is up, and the coming months have partitions.

    The worker may not make tables; this process holds the rights of plumb_migrate already.
    """

    platform: Platform
    cluster: Cluster | None
    report: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _next: float = field(default=0.0, init=False)
    #: A partition of the codes was made, or may have been, and what waited for it is not projected yet.
    _owes: bool = field(default=False, init=False)
    _keeper: DatabaseKeeper | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """`prepare` has just made them: the first look is a minute from now."""
        self._next = self.clock() + PARTITIONS_EVERY_S
        if self.cluster is not None:
            self._keeper = DatabaseKeeper(self.cluster, self.report)

    def __call__(self) -> None:
        """Called about once a second."""
        if self._keeper is not None and self._keeper.look() is None:
            return
        if self.clock() >= self._next:
            self._next = self.clock() + PARTITIONS_EVERY_S
            self.make_partitions()

    def make_partitions(self) -> None:
        """Make what is missing, and project what had to wait for it; a database that is busy is tried again in a minute."""
        migrate, now = self.platform.conninfo("plumb_migrate"), datetime.now(UTC)
        try:
            made = ensure_partitions(migrate, now)
            waited, self._owes = self._owes, True
            codes = ensure_code_partitions(migrate, now)
            if codes or waited:
                reproject(make_conninfo(self.platform.conninfo("plumb_projector"), options=_BRIEFLY))
            self._owes = False
        except psycopg.Error as error:
            self.report(f"分区没有建成，一分钟以后再试：{type(error).__name__}")
            return
        if made or codes:
            self.report(f"新建了 {len(made) + len(codes)} 个月份分区")


def _require_usable_settings() -> None:
    """Settings of the environment that the processes read are looked at before one starts: one plain sentence, no traceback."""
    settings_or_exit()
    try:
        own_networks()
        files_origin()
        cycle_from_env()
    except ValueError as problem:
        raise SystemExit(f"{problem}。") from None


def run(
    data_dir: Path,
    settings: Settings,
    serving: Serving,
    *,
    on_ready: Callable[[Platform, Supervisor], None],
    also: Callable[[Platform], Sequence[ProcessSpec]] = lambda platform: (),
    progress: Callable[[str], None] = print,
) -> int:
    """Start everything, wait for Ctrl-C or SIGTERM, stop everything. Returns the exit status."""
    require_free_port(serving.host, serving.port)
    _require_usable_settings()
    cluster = None
    running = None
    if not os.environ.get("DATABASE_URL"):
        cluster = Cluster(data_dir)
        running = cluster.start()
    else:
        data_dir.mkdir(parents=True, exist_ok=True)
        DataFolder(data_dir)
    try:
        platform = prepare(data_dir, running, settings, progress)
        specs = [*process_specs(platform, serving, free_port()), *also(platform)]
        report = _unbroken(progress)
        supervisor = Supervisor(specs, platform.folder("logs"), report=report)
        supervisor.run(
            lambda: on_ready(platform, supervisor), each_second=EachSecond(platform, cluster, report)
        )
    finally:
        if cluster:
            cluster.stop()
    return 0
