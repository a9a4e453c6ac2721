"""P2: accept by one worker (受理，单进程), beside the same service written with Django-ninja and with FastAPI + SQLAlchemy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from plumbline.bench.gateways import Application, Gateways
from plumbline.bench.goals import Goal
from plumbline.bench.machine import cpu_seconds
from plumbline.bench.p1a_accept import Accepting, Lost, check_counts, check_survivors
from plumbline.bench.peers.checks import VARIABLE
from plumbline.bench.report import Measured
from plumbline.bench.stats import interleave
from plumbline.bench.world import World
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.supervision.boot import DATABASE
from plumbline.supervision.journal.keys import public_bytes

#: Goal → what has to be installed, and how the server runs it.
PEERS = {
    "P2-ninja": ("ninja", Application("plumbline.bench.peers.ninja_orm:application", interface="wsgi")),
    "P2-fastapi": (
        "fastapi sqlalchemy",
        Application("plumbline.bench.peers.fastapi_sa:application", is_factory=True),
    ),
}
_TABLE = "bench_peer"


@dataclass(slots=True)
class _Peer:
    """Accepting by a peer: every answer 201, every message a row."""

    accepting: Accepting
    gateways: Gateways
    sent: int = 0
    cpu_s: float = 0.0

    def rate(self, _: int) -> float:
        """Messages a second."""
        world, count = self.accepting.world, self.accepting.count
        requests = [each.http() for each in self.accepting.sign(count)]
        world.settle()
        load = self.gateways.start_load(requests)
        used = self._servers()
        load.go()
        leg = load.finish()
        self.cpu_s += self._servers() - used
        self.sent += count
        with world.connect() as conn:
            rows = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(_TABLE))).fetchone()
        if rows is None or rows[0] != self.sent or len(leg.accepted) != count:
            told = sorted({answer for answer in leg.answers if answer[0] >= 300})[:1]
            raise Lost(f"the peer: {count} sent, {len(leg.accepted)} answered with 2xx, {rows} rows; {told}")
        return count / leg.seconds

    def _servers(self) -> float:
        return cpu_seconds([*self.gateways.pids, self.accepting.world.running.pid])


def measure(world: World, goals: dict[str, Goal], rounds: int, count: int) -> Iterator[Measured | str]:
    """Ours ÷ each peer that is installed; a word on each that is not. Raises :class:`Lost`."""
    told = _tell(world)
    for name, (needs, application) in PEERS.items():
        if absent := [each for each in needs.split() if find_spec(each) is None]:
            yield f"{name} peer absent: {', '.join(absent)}"
            continue
        yield _beside(world, goals[name], rounds, count, (application, told))


def _beside(world: World, goal: Goal, rounds: int, count: int, peer: tuple[Application, Path]) -> Measured:
    with world.connect() as conn:
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(_TABLE)))
        conn.execute(
            sql.SQL("CREATE TABLE {} (LIKE journal.entry INCLUDING ALL)").format(sql.Identifier(_TABLE))
        )
    ours = Gateways(world, 1)
    theirs = Gateways(world, 1, application=peer[0], environment=_environment(world, peer[1]))
    try:
        accepting = Accepting(world, count, ours)
        first = world.counts()[0]
        beside = _Peer(Accepting(world, count, theirs), theirs)
        comparison = interleave(beside.rate, accepting.ours, rounds, warm=rounds > 1)
    finally:
        ours.stop()
        theirs.stop()
    check_counts(accepting, first)
    notes = [
        f"1 process each, the same checks by the same functions, one durable commit a request; the peer keeps no log and gives "
        f"no receipt; {check_survivors(accepting)} of our receipts verified; the peer takes "
        f"{beside.cpu_s / beside.sent * 1e6:.0f} µs of CPU a message"
    ]
    return Measured(
        goal=goal, comparison=comparison, cpu_us=accepting.server_s / accepting.timed * 1e6, notes=notes
    )


def _environment(world: World, told: Path) -> dict[str, str]:
    place = conninfo_to_dict(world.running.dsn(DATABASE))
    return {VARIABLE: str(told), "PGPASSWORD": str(place.get("password") or "")}


def _tell(world: World) -> Path:
    """The file that a peer reads: keys of the institution, and the way to the database."""
    keys = {
        key.key_id: (key.algorithm, public_bytes(key.key).hex())
        for _, key in world.senders["institution"].keys
        if isinstance(key, Ed25519Signer)
    }
    place = conninfo_to_dict(world.running.dsn(DATABASE))
    told = {"keys": keys, "host": place["host"], "user": place["user"], "database": DATABASE}
    path = world.platform.folder("load") / "peer.json"
    path.write_text(json.dumps(told), "utf-8")
    return path
