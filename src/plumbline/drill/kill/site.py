"""The platform that is broken on purpose (演练平台): a folder and a database of its own, real processes, one institution that sends."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.drill.kill import child
from plumbline.embedded.ports import free_port
from plumbline.embedded.postgres import Cluster, Running
from plumbline.embedded.scratch import scratch
from plumbline.embedded.supervisor import ProcessSpec, ReadyLine, ReadyUrl, Supervisor
from plumbline.exchange.messages.custody import CommissionPlaced
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.project import ContractSigned, ProjectRegistered
from plumbline.exchange.messages.registry import KeyEnrolled, PartyRegistered, PersonRegistered
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.exchange.uids import new_uid
from plumbline.sdk.client import Client
from plumbline.supervision.boot import DATABASE, DEMO_OPERATOR, Settings, operator_of, prepare
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys, public_bytes
from plumbline.supervision.journal.submit import PlatformSender, pending_from
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.run import DatabaseKeeper

ORIGIN = "drill.plumbline"
#: How long the platform may take to come back, on a machine that is several times slower than ours.
BACK_S = 120.0
_INSTITUTION = "91610300MA6XBM017"


class NotBack(RuntimeError):
    """The platform did not come back after a fault."""


@dataclass(slots=True)
class Site:
    """A prepared platform, its processes, and the keys of the institution that sends."""

    platform: Platform
    #: None where the database belongs to somebody else and is not to be killed.
    cluster: Cluster | None = None
    running: Running | None = None
    #: Bug in all processes, and bugs by process name.
    bug: str = ""
    bugs: dict[str, str] = field(default_factory=dict)
    #: Signing host by process name: a mark of its own.
    hosts: dict[str, str] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    party: str = ""
    officers: list[str] = field(default_factory=list)
    commission: str = ""
    #: Environment of all processes beyond the usual, and of single ones by name.
    surroundings: dict[str, str] = field(default_factory=dict)
    surroundings_of: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Within how many seconds deaths of a process count together.
    crash_window: float = 0.0
    #: What the supervising process said.
    told: list[str] = field(default_factory=list)
    #: What runs beside the gateways.
    others: tuple[str, ...] = ("projector", "worker")
    _keeper: DatabaseKeeper | None = None
    _supervisor: Supervisor | None = None
    _transport: Ed25519Signer | None = None
    _origin: Ed25519Signer | None = None

    @property
    def keys(self) -> PlatformKeys:
        """The platform's keys."""
        return PlatformKeys.load(self.platform.folder("keys"))

    @property
    def signer(self) -> CheckpointSigner:
        """A signer of this host."""
        keys = self.keys
        return CheckpointSigner(keys.log, self.platform.folder("marks"), sm2=keys.log_sm2)

    @property
    def station(self) -> str:
        """Party id of the operator."""
        return party_id(operator_of(self.platform)[0]).hex()

    def desk(self, message: Message) -> str:
        """Enter a message of the station; its entry id."""
        journal = Journal(self.platform.conninfo("plumb_gateway"), self.signer)
        try:
            return PlatformSender(journal, self.keys.signer("web")).submit(message).entry.hex()
        finally:
            journal.close()

    def message(self, sender: str, kind: type[Message], /, **fields: Any) -> Message:
        """A message of now with a fresh uid."""
        now = datetime.now(UTC)
        return kind(v=1, uid=new_uid(now), sender=sender, occurred_at=now, **fields)

    def enrol(self) -> None:
        """One institution with a transport and an origin key, two officers of the station; projected."""
        uscc = _INSTITUTION + uscc_check_character(_INSTITUTION)
        self.party, now = party_id(uscc).hex(), datetime.now(UTC)
        self._transport, self._origin = (
            Ed25519Signer(f"drill.{use}.{uuid.uuid4().hex[:8]}", Ed25519PrivateKey.generate())
            for use in ("transport", "origin")
        )
        self.officers = [secrets.token_hex(16) for _ in range(2)]
        wanted = [
            self.message(
                self.station,
                PartyRegistered,
                party=self.party,
                uscc=uscc,
                name="演练检测有限公司",
                roles=["institution", "owner"],
                division="610300",
            )
        ]
        for use, key in (("transport", self._transport), ("origin", self._origin)):
            wanted.append(
                self.message(
                    self.station,
                    KeyEnrolled,
                    party=self.party,
                    key_id=key.key_id,
                    algorithm="ed25519",
                    use=use,
                    public_key=base64.b64encode(public_bytes(key.key)).decode(),
                    valid_from=now - timedelta(days=1),
                    valid_until=now + timedelta(days=30),
                )
            )
        for officer in self.officers:
            wanted.append(
                self.message(
                    self.station,
                    PersonRegistered,
                    person=officer,
                    party=self.station,
                    roles=["officer"],
                    valid_from=f"{now - timedelta(days=400):%Y-%m-%d}",
                    personal=secrets.token_hex(32),
                )
            )
        for message in wanted:
            self.desk(message)
        self._commission()
        projector = Projector(self.platform.conninfo("plumb_projector"))
        projector.catch_up()
        projector.close()

    def _commission(self) -> None:
        """A project, a contract and a commission, so that a report belongs to the station's division."""
        parties = {"owner": self.party, "contractor": self.party, "resident_engineer_firm": self.party}
        project = self.desk(
            self.message(
                self.station, ProjectRegistered, name="演练工程", code="YL-1", division="610302", **parties
            )
        )
        contract = self._enter(
            self.message(
                self.party,
                ContractSigned,
                project=project,
                number="YLHT-1",
                client=self.party,
                client_role="owner",
                institution=self.party,
                signed_on=f"{datetime.now(UTC):%Y-%m-%d}",
                scope=[],
            )
        )
        self.commission = self._enter(
            self.message(
                self.party,
                CommissionPlaced,
                contract=contract,
                institution=self.party,
                number="YLWT-1",
                test_category="witnessed",
                samples=[],
                requests=[],
            )
        )

    def _enter(self, message: Message) -> str:
        """Enter a message of the institution before any gateway runs; its entry id."""
        journal = Journal(self.platform.conninfo("plumb_gateway"), self.signer)
        try:
            outcome = journal.append([pending_from(message, self.origin_key, channel="internal")])[0]
        finally:
            journal.close()
        if isinstance(outcome, Problem):
            raise outcome
        return outcome.entry.hex()

    # Processes ----------------------------------------------------------------------------------------

    def start(self, gateways: int = 2, others: tuple[str, ...] | None = None) -> None:
        """Start the processes, beside the gateways the same as before; from the main thread, which also has to :meth:`tend` them."""
        self.others = self.others if others is None else others
        if len(self.ports) != gateways:
            self.ports = [free_port() for _ in range(gateways)]
        specs = [self._spec(name) for name in self.others]
        specs += [self._gateway(number, port) for number, port in enumerate(self.ports)]
        # A drill kills more often than a machine fails: each death counts alone, so that the pause stays short.
        self._supervisor = Supervisor(
            specs, self.platform.folder("logs"), crash_window=self.crash_window, report=self.told.append
        )
        self._supervisor.start()

    def _environment(self, name: str) -> dict[str, str]:
        bug = {child.BUG: self.bugs.get(name, self.bug), "PLUMB_SIGNING_HOST": self.hosts.get(name, "")}
        fast = {"PLUMB_RATE": "1000000", "PLUMB_KEY_CACHE_S": "5", "PYTHONUNBUFFERED": "1"}
        around = self.surroundings | self.surroundings_of.get(name, {})
        return self.platform.environment() | bug | fast | around | {child.SWITCH: str(self.switch(name))}

    def process_environment(self, name: str) -> dict[str, str]:
        """The whole environment of a process of this site, for one that the site does not look after."""
        return dict(os.environ) | self._environment(name)

    def switch(self, name: str) -> Path:
        """The socket that arms failpoints of a process."""
        return self.platform.data_dir / f"{name}.switch"

    def _spec(self, name: str) -> ProcessSpec:
        argv = [sys.executable, "-m", "plumbline.drill.kill.child", name]
        return ProcessSpec(
            name,
            argv,
            self._environment(name),
            ReadyLine(f"{name.partition('-')[0]} ready"),
            ready_timeout=BACK_S,
        )

    def _gateway(self, number: int, port: int) -> ProcessSpec:
        name, url = f"gateway-{number}", f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "granian", "--no-ws", "--log-level", "warning", "--workers", "1"]
        argv += ["--interface", "asgi", "--factory", "--host", "127.0.0.1", "--port", str(port)]
        argv.append("plumbline.drill.kill.child:gateway")
        environment = self._environment(name) | {"PLUMB_PUBLIC_URL": url}
        return ProcessSpec(name, argv, environment, ReadyUrl(f"{url}/healthz"), ready_timeout=BACK_S)

    def stop(self) -> None:
        """Stop the processes."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None

    def tend(self) -> None:
        """Restart what has died; called again and again by whoever waits."""
        if self.cluster is not None:
            self._keeper = self._keeper or DatabaseKeeper(self.cluster, self.told.append)
            self.running = self._keeper.look() or self.running
        if self._supervisor is not None:
            self._supervisor.poll()

    def wait(self, found: Callable[[], Any], what: str, seconds: float = BACK_S) -> Any:
        """What `found` gives as soon as it is true, while dead processes are restarted; raises :class:`NotBack`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tend()
            with contextlib.suppress(psycopg.Error, httpx.HTTPError, OSError):
                if result := found():
                    return result
            time.sleep(0.02)
        raise NotBack(f"{what}：{seconds:.0f} 秒内没有等到")

    def wait_back(self) -> None:
        """Until every process runs and every gateway answers."""
        for number in range(len(self.ports)):
            self.wait_for_gateway(number)
        assert self._supervisor is not None
        names = [name for name in ("projector", "worker") if self.switch(name).exists()]
        for name in names:
            self.wait(partial(self._is_there, name), f"{name} 重新运行")

    def wait_for_gateway(self, number: int) -> None:
        """Until a gateway answers."""
        self.wait(partial(self._answers, self.ports[number]), f"网关 {number} 重新应答")

    def _is_there(self, name: str) -> bool:
        return self.arm(name, {}) is not None

    def _answers(self, port: int) -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, timeout=5).status_code == 200

    def arm(self, name: str, points: dict[str, str] | None) -> list[str] | None:
        """Arm failpoints of a process, or only ask; those that struck before, or None when the process is gone."""
        try:
            return child.arm(self.switch(name), points)
        except OSError:
            return None

    def kill(self, name: str) -> bool:
        """SIGKILL to a process with everything that it started; False when it is dead already."""
        assert self._supervisor is not None
        pid = self._supervisor.pids.get(name)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return True

    def pause(self, name: str, *, on: bool) -> None:
        """SIGSTOP to a process, or SIGCONT."""
        pid = self.pid(name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGSTOP if on else signal.SIGCONT)

    def end_sessions(self, role: str) -> int:
        """End the sessions of a role that stand in a transaction: what the database's loss is to their process."""
        found = self.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE usename = current_user AND datname = current_database() AND state = 'idle in transaction'",
            role=role,
        )
        return sum(row[0] for row in found)

    def kill_postmaster(self) -> None:
        """SIGKILL to the database's first process; :meth:`tend` starts it again behind the same socket."""
        assert self.running is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.running.pid, signal.SIGKILL)

    def backends(self) -> list[int]:
        """Process numbers of the database's sessions of gateways and worker."""
        assert self.running is not None
        with psycopg.connect(self.running.dsn(DATABASE), connect_timeout=5) as conn:
            rows = conn.execute("SELECT pid FROM pg_stat_activity WHERE usename LIKE 'plumb%'").fetchall()
        return [row[0] for row in rows]

    def pid(self, name: str) -> int | None:
        """Process number, None while it is dead."""
        assert self._supervisor is not None
        return self._supervisor.pids.get(name)

    # Sending and looking ------------------------------------------------------------------------------

    def client(self, gateway: int, *, retries: int = 0) -> Client:
        """The institution's client of one gateway; for one thread."""
        assert self._transport is not None
        assert self._origin is not None
        return Client(
            f"http://127.0.0.1:{self.ports[gateway % len(self.ports)]}",
            sender=self.party,
            transport=self._transport,
            origin=self._origin,
            retries=retries,
            pause=lambda seconds: time.sleep(min(seconds, 0.2)),
        )

    @property
    def origin_key(self) -> Ed25519Signer:
        """The institution's own key."""
        assert self._origin is not None
        return self._origin

    @property
    def transport_key(self) -> Ed25519Signer:
        """The key with which the institution signs its requests."""
        assert self._transport is not None
        return self._transport

    def rows(self, statement: str, *values: object, role: str = "plumb_projector") -> list[Any]:
        """Rows as a role of the platform sees them."""
        with psycopg.connect(self.platform.conninfo(role)) as conn:
            return conn.execute(statement.encode(), values).fetchall()

    def settle(self) -> None:
        """Until everything in the log is projected."""
        self.wait(
            lambda: self.rows(
                "SELECT 1 FROM fact.position p, journal.head h WHERE p.epoch = h.epoch AND p.pos >= h.size"
            ),
            "投影追上日志",
        )


@contextmanager
def open_site(
    bug: str = "", ground: Callable[[Path], AbstractContextManager[object]] = nullcontext
) -> Iterator[Site]:
    """A platform in a temporary folder with its own PostgreSQL, enrolled; everything of it is gone afterwards.

    The path is short: PostgreSQL's socket must fit into 107 bytes. `ground`: what holds while anything is in that folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="plk-", dir=scratch()))
    try:
        with ground(folder):
            yield from _opened(folder, bug)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _opened(folder: Path, bug: str) -> Iterator[Site]:
    cluster = Cluster(folder)
    site = None
    try:
        running = cluster.start()
        settings = Settings(
            origin=ORIGIN, public_url="http://127.0.0.1:1", demo=False, operator=DEMO_OPERATOR
        )
        site = Site(prepare(folder, running, settings), cluster, running, bug)
        site.enrol()
        yield site
    finally:
        if site is not None:
            site.stop()
        cluster.stop()
