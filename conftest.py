"""Fixtures of the whole tree: a real database, and a whole running platform, once a session each (测试用的真平台)."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql

from plumbline.embedded.folder import DataFolder
from plumbline.embedded.ports import free_port
from plumbline.embedded.postgres import Cluster, Running
from plumbline.embedded.scratch import VARIABLE as SCRATCH
from plumbline.embedded.scratch import in_memory, scratch
from plumbline.embedded.supervisor import Supervisor
from plumbline.supervision.boot import DATABASE, DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.config import DEMO_ORIGIN, ROLES, DatabasePlace, Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.run import Serving, process_specs

#: Addresses of external servers, parted by blanks: each lane of tests has one to itself.
if _servers := os.environ.get("PLUMB_TEST_DATABASES", "").split():
    os.environ["DATABASE_URL"] = _servers[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])]


#: Making platforms is most of what service tests do, and making them in memory takes a third of the time. Whoever starts another
#: lane or a process inherits the choice.
os.environ.setdefault(SCRATCH, in_memory())

#: Tests turn pages faster than people do; the limit itself has tests of its own.
os.environ.setdefault("PLUMB_PAGE_RATE", "50")


def _dress(conn: psycopg.Connection, name: str, like: str) -> None:
    """Rights and settings on a database are not part of its copy; the next start of a platform gives them again."""
    conn.execute(f'GRANT CREATE, CONNECT ON DATABASE "{name}" TO plumb_owner'.encode())
    conn.execute(f'REVOKE TEMP ON DATABASE "{name}" FROM PUBLIC'.encode())
    settings = conn.execute(
        "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "WHERE d.datname = %s AND s.setrole = 0",
        [like],
    ).fetchall()
    for (setting,) in settings:
        key, _, value = setting.partition("=")
        conn.execute(
            sql.SQL("ALTER DATABASE {} SET {} TO {}").format(
                sql.Identifier(name), sql.Identifier(key), sql.Literal(value)
            )
        )


@dataclass(frozen=True)
class TestPlatform:
    """A prepared platform and a sender that speaks as its station."""

    __test__ = False

    platform: Platform
    keys: PlatformKeys
    signer: CheckpointSigner
    url: str
    #: Connection string of the server's administrator, for backup and restore of a quiet platform's database.
    administrator: str = ""
    opened: list[Journal] = field(default_factory=list)
    watched: list[Supervisor] = field(default_factory=list)

    def revive(self, timeout: float = 20) -> None:
        """Let the supervisor restart what died, until the gateway answers again."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            self.watched[0].poll()
            time.sleep(0.2)
            try:
                if httpx.get(f"{self.url}/healthz", trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                continue
        raise TimeoutError("the gateway did not come back")

    def journal(self) -> Journal:
        """A journal connection of one's own, closed with the fixture."""
        made = Journal(
            self.platform.conninfo("plumb_gateway"),
            CheckpointSigner(self.keys.log, self.platform.folder("marks")),
        )
        self.opened.append(made)
        return made

    def close(self) -> None:
        """Close every journal that a test opened."""
        for journal in self.opened:
            journal.close()
        self.opened.clear()

    def backup(self) -> None:
        """Copy the database as it is now; one copy is kept."""
        self.close()
        name = self.platform.database.name
        with psycopg.connect(self.administrator, autocommit=True) as conn:
            conn.execute(f'CREATE DATABASE "{name}b" TEMPLATE "{name}"'.encode())
            _dress(conn, f"{name}b", name)

    def restore(self) -> None:
        """Put the copy in the place of the database, as an operator does who restores a backup; marks and keys stay."""
        self.close()
        name = self.platform.database.name
        with psycopg.connect(self.administrator, autocommit=True) as conn:
            conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
            conn.execute(f'ALTER DATABASE "{name}b" RENAME TO "{name}"'.encode())

    def sender(self) -> PlatformSender:
        """A sender that submits as the platform."""
        return PlatformSender(self.journal(), self.keys.signer("web"))

    def conninfo(self) -> dict[str, str]:
        """Connection strings by role."""
        return {
            role: self.platform.conninfo(role)
            for role in ("plumb_migrate", "plumb_gateway", "plumb_projector", "plumb_web", "plumb_worker")
        }


def _prepared(folder: Path, running: object, url: str, database: str = DATABASE) -> TestPlatform:
    settings = Settings(
        origin=DEMO_ORIGIN,
        public_url=url,
        demo=True,
        operator=DEMO_OPERATOR,
        opened_at=datetime.now(UTC) - timedelta(days=120),
    )
    if running is None:
        _share_passwords(folder)
    platform = prepare(folder, running, settings, database=database)  # type: ignore[arg-type]
    keys = PlatformKeys.load(platform.folder("keys"))
    return TestPlatform(platform, keys, CheckpointSigner(keys.log, platform.folder("marks")), url)


@contextmanager
def _external(url: str, name: str) -> Iterator[None]:
    """DATABASE_URL with another database of the same server, for as long as a platform is prepared."""
    with psycopg.connect(psycopg.conninfo.make_conninfo(url, dbname="postgres"), autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}"'.encode())
    parts = urlsplit(url)
    os.environ["DATABASE_URL"] = parts._replace(path=f"/{name}").geturl()
    try:
        yield
    finally:
        os.environ["DATABASE_URL"] = url


def _share_passwords(folder: Path) -> None:
    """Roles belong to the whole server, so that all platforms of an external one have the same passwords."""
    kept = Path(tempfile.gettempdir()) / f"plt-passwords-{os.getpid()}.json"
    if not kept.exists():
        DataFolder(folder).secrets(ROLES)
        shutil.copy2(folder / "secrets.json", kept)
        atexit.register(kept.unlink, missing_ok=True)
    else:
        shutil.copy2(kept, folder / "secrets.json")


def _drop_external() -> None:
    """An external server keeps its databases between runs: start from an empty one."""
    url = os.environ["DATABASE_URL"]
    name = DatabasePlace.from_url(url).name
    with psycopg.connect(psycopg.conninfo.make_conninfo(url, dbname="postgres"), autocommit=True) as conn:
        conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        conn.execute(f'CREATE DATABASE "{name}"'.encode())


#: Service tests of the quick ring: the append protocol and the grants. The others are run by the whole ring.
QUICK_SERVICES = ("journal/tests/test_append.py", "journal/tests/test_grants.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave service tests out of `./plumb test --quick`, but for those that guard the spine."""
    for item in items:
        if item.get_closest_marker("service") and not any(part in item.nodeid for part in QUICK_SERVICES):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path: PostgreSQL's socket must fit into 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="plt-", dir=scratch()))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _served() -> Iterator[TestPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="plt-", dir=scratch()))
    cluster = None
    if os.environ.get("DATABASE_URL"):
        _drop_external()
        running = None
    else:
        cluster = Cluster(folder)
        running = cluster.start()
    serving = Serving(port=free_port())
    tested = _prepared(folder, running, serving.url)
    supervisor = Supervisor(
        process_specs(tested.platform, serving, free_port()), tested.platform.folder("logs")
    )
    tested.watched.append(supervisor)
    try:
        supervisor.start()
        yield tested
    finally:
        tested.close()
        supervisor.stop()
        if cluster:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def running_platform(_served: TestPlatform) -> TestPlatform:
    """The whole platform over HTTP at `.url`, with gateway, projector, worker and web as real processes."""
    return _served


@pytest.fixture(scope="session")
def _shared_cluster() -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="plt-", dir=scratch()))
    cluster = Cluster(folder)
    try:
        yield cluster.start()
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _template(request: pytest.FixtureRequest) -> Iterator[TestPlatform]:
    """A platform prepared once, of which quiet platforms are copies: preparing one takes a second, copying a fifth of that."""
    folder, name = Path(tempfile.mkdtemp(prefix="plt-", dir=scratch())), f"t{os.getpid()}"
    url = os.environ.get("DATABASE_URL")
    if url:
        with _external(url, name):
            tested = _prepared(folder, None, "http://127.0.0.1:1", name)
        administrator = psycopg.conninfo.make_conninfo(url, dbname="postgres")
    else:
        running: Running = request.getfixturevalue("_shared_cluster")
        tested = _prepared(folder, running, "http://127.0.0.1:1", name)
        administrator = running.dsn()
    try:
        yield replace(tested, administrator=administrator)
    finally:
        _drop(administrator, name)
        shutil.rmtree(folder, ignore_errors=True)


def _drop(administrator: str, *names: str) -> None:
    with psycopg.connect(administrator, autocommit=True) as conn:
        for name in names:
            conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def quiet_platform(short_folder: Path, _template: TestPlatform) -> Iterator[TestPlatform]:
    """A prepared platform with a database of its own and without processes: for append, projection, rebuild and tampering."""
    with _copy(short_folder, _template) as tested:
        yield tested


@pytest.fixture
def copied(_template: TestPlatform) -> Callable[[Platform], AbstractContextManager[TestPlatform]]:
    """Makes a copy of a quiet platform to which nobody is connected, as it stands: for tests that go on from one state in several ways."""

    @contextmanager
    def copy(platform: Platform) -> Iterator[TestPlatform]:
        folder = Path(tempfile.mkdtemp(prefix="plt-", dir=scratch()))
        try:
            with _copy(folder, replace(_template, platform=platform)) as tested:
                yield tested
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return copy


@pytest.fixture(scope="session")
def untouched_platform(_template: TestPlatform) -> Iterator[TestPlatform]:
    """A quiet platform for tests that only look, or that take back what they do; shared by all of them."""
    folder = Path(tempfile.mkdtemp(prefix="plt-", dir=scratch()))
    try:
        with _copy(folder, _template) as tested:
            yield tested
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _copy(folder: Path, template: TestPlatform) -> Iterator[TestPlatform]:
    name = f"q{folder.name.removeprefix('plt-').lower()}"
    shutil.copytree(template.platform.data_dir, folder, dirs_exist_ok=True)
    with psycopg.connect(template.administrator, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template.platform.database.name}"'.encode())
        _dress(conn, name, template.platform.database.name)
    place = replace(template.platform.database, name=name)
    platform = Platform.open(folder, place)
    signer = CheckpointSigner(template.keys.log, platform.folder("marks"))
    tested = replace(template, platform=platform, signer=signer, opened=[])
    yield tested
    tested.close()
    _drop(template.administrator, name, f"{name}b")
