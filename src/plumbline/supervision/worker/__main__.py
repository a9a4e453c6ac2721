"""`python -m plumbline.supervision.worker`: one worker process (后台工作进程); any number may run."""

from __future__ import annotations

import logging
import signal
import threading
import time

import psycopg

from plumbline.domain.basics.identifiers import party_id
from plumbline.exchange.problems import Problem
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import Platform
from plumbline.supervision.heartbeat import Heartbeat
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.own_acts import OwnActs
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault
from plumbline.supervision.logs import begin_logging
from plumbline.supervision.memory import settle
from plumbline.supervision.projection.projector import CHANNEL, gathering_s
from plumbline.supervision.roots import AcceptedRoots, UnreadableRoot, load_roots
from plumbline.supervision.scanner import settings_or_exit
from plumbline.supervision.worker.anchoring import Anchoring
from plumbline.supervision.worker.cosigning import Cosigning
from plumbline.supervision.worker.due import Worker
from plumbline.supervision.worker.errands import Errands
from plumbline.supervision.worker.key_rounds import KeyRounds
from plumbline.supervision.worker.own_replay import OwnReplay
from plumbline.supervision.worker.patrol import Patrol, cycle_or_exit
from plumbline.supervision.worker.publishing import Publisher
from plumbline.supervision.worker.scanning import Scanning
from plumbline.supervision.worker.sealing import Sealing
from plumbline.supervision.worker.stamping import Stamping

_log = logging.getLogger("plumbline.worker")
SIGNING_STOPPED_WAIT_S = 30.0
#: How often keys that end are looked at, however busy the rounds are.
SLOW_LOOK_S = 5.0


def make_worker(platform: Platform) -> tuple[Worker, CheckpointSigner]:
    """A worker with its own journal connection."""
    keys = PlatformKeys.load(platform.folder("keys"))
    signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
    journal = Journal(platform.conninfo("plumb_gateway"), signer)
    worker = Worker(
        conninfo=platform.conninfo("plumb_worker"),
        sender=PlatformSender(journal, keys.signer("web")),
        issuer=keys.signer("code"),
        operator=party_id(operator_of(platform)[0]).hex(),
        files=FileStore(platform.folder("files")),
        roots=load_roots(platform.folder("roots")),
        demo=platform.demo,
    )
    return worker, signer


def make_key_rounds(platform: Platform, worker: Worker) -> KeyRounds:
    """What the worker does about keys, through the worker's own sender."""
    return KeyRounds(
        conninfo=worker.conninfo,
        sender=worker.sender,
        operator=worker.operator,
        vault=Vault(platform.folder("subjects")),
    )


def _wait(conn: psycopg.Connection, seconds: float) -> None:
    """Until the projector has moved, or `seconds`."""
    for _ in conn.notifies(timeout=seconds, stop_after=1):
        return


def main() -> None:
    """Work until SIGTERM; a lost database is tried again."""
    begin_logging()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    platform = Platform.from_env()
    heartbeat = Heartbeat(platform.conninfo("plumb_worker"), "worker")
    heartbeat.start()
    worker, signer = make_worker(platform)
    publisher = Publisher(platform.conninfo("plumb_gateway"), signer, platform.folder("tiles"))
    publisher.start()
    cosigning = Cosigning(platform.conninfo("plumb_gateway"), platform.folder("marks"))
    cosigning.start()
    stamping = Stamping(platform.conninfo("plumb_gateway"), platform.folder("marks"))
    stamping.start()
    anchoring = Anchoring(
        platform.conninfo("plumb_gateway"), platform.folder("marks"), platform.folder("keys")
    )
    anchoring.start()
    scanning = Scanning(
        platform.conninfo("plumb_worker"),
        worker.files,
        settings_or_exit(),
        tell=lambda told: heartbeat.detail.__setitem__("scanner", told),
    )
    scanning.start()
    patrol = Patrol(
        platform.conninfo("plumb_worker"),
        worker.files,
        cycle_or_exit(),
        tell=lambda told: heartbeat.detail.__setitem__("patrol", told),
    )
    patrol.start()
    sealing = Sealing(platform.conninfo("plumb_worker"), worker.sender, worker.operator)
    sealing.start()
    errands = Errands(platform)
    settle()
    print("worker ready", flush=True)
    while not stop.is_set():
        try:
            with psycopg.connect(platform.conninfo("plumb_worker"), autocommit=True) as conn:
                conn.execute(f"LISTEN {CHANNEL}".encode())
                _loop(worker, errands, conn, stop)
        except (psycopg.Error, OSError, Problem, UnreadableRoot) as error:
            _log.warning("trying again: %s %s", type(error).__name__, error)
            stop.wait(1)
        except SigningStopped as stopped:
            _log.error("waiting for an operator, signing stopped: %s", stopped)
            stop.wait(SIGNING_STOPPED_WAIT_S)
    errands.stop()
    sealing.stop()
    patrol.stop()
    scanning.stop()
    anchoring.stop()
    stamping.stop()
    cosigning.stop()
    publisher.stop()
    heartbeat.stop()


def _loop(
    worker: Worker,
    errands: Errands,
    conn: psycopg.Connection,
    stop: threading.Event,
) -> None:
    looked, keys = float("-inf"), make_key_rounds(errands.platform, worker)
    roots = AcceptedRoots(errands.platform.folder("roots"))
    own = OwnReplay(OwnActs(errands.platform.folder("marks").parent / "own"), worker.sender)
    with worker.connect() as work:
        while not stop.is_set():
            began = time.monotonic()
            if began - looked >= SLOW_LOOK_S:
                looked = began
                keys.round()
            worker.roots = roots.now()
            errands.look(conn)
            own.look(conn)
            if worker.round(work) == 0:
                _wait(conn, 0.5)
            else:
                stop.wait(gathering_s(time.monotonic() - began))


if __name__ == "__main__":
    main()
