"""P7: how long an entry waits until somebody else vouches for it (联署滞后): from its receipt to the cosignature that covers it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg

from plumbline.bench import mix
from plumbline.bench.goals import Goal
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.report import Measured
from plumbline.bench.requests import sign
from plumbline.bench.stats import Comparison
from plumbline.bench.world import World
from plumbline.cosign.cosigner import Cosigner, initialise
from plumbline.embedded.ports import free_port
from plumbline.embedded.supervisor import ProcessSpec, ReadyLine, Supervisor
from plumbline.supervision.boot import DATABASE, write_trust_roots
from plumbline.supervision.journal.cosigners import Configured, write_cosigners
from plumbline.supervision.journal.heads import log_origin
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Accepted

PROMISE_S = 2.0
_PAUSE_S = 0.05
_LOOK_S = 0.01
_WAIT_S = 60.0


@contextmanager
def cosigned(world: World) -> Iterator[None]:
    """The platform's worker and a cosigner, both processes of their own, as `plumbline run` starts them."""
    folder, port = world.platform.data_dir / "cosigner", free_port()
    name, domain = "bench.cosigner/1", "测量（同一台机器）"
    key = world.signer.verifier_key(log_origin(world.platform.origin, 1))
    initialise(folder, name=name, trust_domain=domain, log_keys=[key])
    cosigner = Configured(
        url=f"http://127.0.0.1:{port}",
        keys=Cosigner(folder).verifier_keys,
        trust_domain=domain,
        external=False,
    )
    write_cosigners(world.platform.folder("marks"), [cosigner])
    write_trust_roots(world.platform, PlatformKeys.load(world.platform.folder("keys")))
    plain = {"PYTHONUNBUFFERED": "1"}
    serve = [sys.executable, "-m", "plumbline.cli", "cosign", "serve", str(folder), "--port", str(port)]
    work = [sys.executable, "-m", "plumbline.supervision.worker"]
    supervisor = Supervisor(
        [
            ProcessSpec("cosigner", serve, plain, ReadyLine("cosigner ready")),
            ProcessSpec("worker", work, world.platform.environment() | plain, ReadyLine("worker ready")),
        ],
        world.platform.folder("logs"),
    )
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop()


@dataclass(slots=True)
class Watch:
    """When each size of the log was cosigned, seen every 10 ms."""

    world: World
    seen: list[tuple[float, int]] = field(default_factory=list)

    def run(self, ended: threading.Event) -> None:
        """Look until told to end."""
        with psycopg.connect(self.world.running.dsn(DATABASE), autocommit=True) as conn:
            while not ended.wait(_LOOK_S):
                row = conn.execute("SELECT coalesce(max(size), 0) FROM journal.cosignature").fetchone()
                assert row is not None
                if not self.seen or row[0] > self.seen[-1][1]:
                    self.seen.append((time.monotonic(), row[0]))

    def covered(self, index: int) -> float | None:
        """When entry `index` was first covered."""
        return next((at for at, size in self.seen if size > index), None)


def lags(world: World, entries: int) -> list[float]:
    """Seconds from the receipt of each of `entries`, 20 a second, to its cosignature; raises :class:`Lost`."""
    journal, ended, watch = world.journal(), threading.Event(), Watch(world)
    looking = threading.Thread(target=watch.run, args=[ended], daemon=True)
    looking.start()
    institution, given = world.senders["institution"], []
    try:
        for message in mix.runs(world, entries, datetime.now(UTC)):
            outcome = journal.append([sign(institution, message).pending(institution.transport.key_id)])[0]
            if not isinstance(outcome, Accepted):
                raise Lost(f"the journal refused an entry: {outcome}")
            given.append((outcome.index, time.monotonic()))
            time.sleep(_PAUSE_S)
        until = time.monotonic() + _WAIT_S
        while watch.covered(given[-1][0]) is None and time.monotonic() < until:
            time.sleep(_LOOK_S)
    finally:
        ended.set()
        looking.join()
        journal.close()
    found = [(watch.covered(index), at) for index, at in given]
    if any(covered is None for covered, _ in found):
        raise Lost(f"{sum(c is None for c, _ in found)} of {entries} entries were never cosigned")
    return [max(0.0, covered - at) for covered, at in found if covered is not None]


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(world: World, goal: Goal, rounds: int, entries: int) -> Measured:
    """The promise of two seconds ÷ the 99th percentile, round by round."""
    with cosigned(world):
        lags(world, 1)  # both processes are at work
        found = [lags(world, entries) for _ in range(rounds)]
    every = [each for part in found for each in part]
    comparison = Comparison(
        ours=tuple(1 / max(quantile(each, 0.99), _LOOK_S) for each in found),
        limit=(1 / PROMISE_S,) * rounds,
    )
    notes = [
        f"{len(every)} entries, 20 a second; receipt (inclusion proven) at once; until the cosigner's signature: "
        f"median {quantile(every, 0.5):.2f} s, p99 {quantile(every, 0.99):.2f} s, worst {max(every):.2f} s"
    ]
    return Measured(goal=goal, comparison=comparison, notes=notes)
