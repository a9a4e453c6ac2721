"""P2: accept by one process (受理，单进程), beside services that promise the same, written with Django-ninja and with FastAPI + SQLAlchemy.

Gated is what each side takes for a message beyond the checks, which both do by the same functions and which are timed in each where they
are done (decisions 0040, 0047). For information the whole, and beside it the same services that store a row and promise nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from plumbline.bench import peer_log
from plumbline.bench.alike import ALIKE, Sheet
from plumbline.bench.gateways import Application, Gateways
from plumbline.bench.goals import Goal
from plumbline.bench.machine import cpu_seconds
from plumbline.bench.p1a_accept import Accepting, Lost, check_counts, check_survivors
from plumbline.bench.peers import fastapi_sa, ninja_orm
from plumbline.bench.peers.checks import VARIABLE
from plumbline.bench.report import Measured, number
from plumbline.bench.stats import Comparison, interleave
from plumbline.bench.world import World
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.supervision.boot import DATABASE
from plumbline.supervision.journal.keys import public_bytes

_BARE = "bench_peer"
#: What is left of both is a difference, so that it strays the more: a round of ten turns outlasts most bursts (decision 0047).
TURNS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One peer: what has to be installed, how the server runs it, what it promises."""

    #: (distribution, module) of what it is made of.
    needs: tuple[tuple[str, str], ...]
    application: Application
    configuration: str
    #: Whether it keeps a log and gives receipts as we do.
    is_equal: bool = True

    @property
    def absent(self) -> list[str]:
        """What is not installed."""
        return [name for name, module in self.needs if find_spec(module) is None]

    def told(self) -> str:
        """Versions and configuration, for the reader."""
        made_of = ", ".join(f"{name} {version(name)}" for name, _ in self.needs)
        return f"{made_of}; granian {self.application.interface}, {self.configuration}"


_DJANGO = (("django", "django"), ("django-ninja", "ninja"), ("psycopg", "psycopg"))
_FASTAPI = (("fastapi", "fastapi"), ("sqlalchemy", "sqlalchemy"))
#: Goal → peer.
PEERS = {
    "P2-ninja": Kind(
        needs=_DJANGO,
        application=Application(
            "plumbline.bench.peers.ninja_orm:application", interface="wsgi", threads=ninja_orm.THREADS
        ),
        configuration=f"{ninja_orm.THREADS} threads with a lasting connection each, bound on the server, prepared",
    ),
    "P2-fastapi": Kind(
        needs=(*_FASTAPI, ("asyncpg", "asyncpg")),
        application=Application("plumbline.bench.peers.fastapi_sa:application", is_factory=True),
        configuration=f"asynchronous, pool of {fastapi_sa.POOL}, prepared",
    ),
    "P2-ninja-bare": Kind(
        needs=_DJANGO,
        application=Application("plumbline.bench.peers.ninja_bare:application", interface="wsgi"),
        configuration="8 threads with a lasting connection each",
        is_equal=False,
    ),
    "P2-fastapi-bare": Kind(
        needs=(*_FASTAPI, ("psycopg", "psycopg")),
        application=Application("plumbline.bench.peers.fastapi_bare:application", is_factory=True),
        configuration="asynchronous, pool of 8",
        is_equal=False,
    ),
}


@dataclass(slots=True)
class _Peer:
    """Accepting by a peer: every answer 201, every message a row, and where it keeps a log a leaf."""

    accepting: Accepting
    gateways: Gateways
    is_equal: bool
    sent: int = 0
    timed: int = 0
    cpu_s: float = 0.0
    accepted: list[dict[str, Any]] = field(default_factory=list)

    def rate(self, leg: int) -> float:
        """Messages a second."""
        world, count = self.accepting.world, self.accepting.count
        requests = [each.http() for each in self.accepting.sign(count)]
        world.settle()
        load = self.gateways.start_load(requests)
        used = self._servers()
        load.go()
        answered = load.finish()
        if leg >= 0:
            self.cpu_s += self._servers() - used
            self.timed += count
        self.sent += count
        created = [json.loads(body) for status, body in answered.answers if status == 201]
        rows = self._rows()
        if set(rows) != {self.sent} or len(created) != count:
            told = sorted({answer for answer in answered.answers if answer[0] != 201})[:1]
            raise Lost(f"the peer: {count} sent, {len(created)} answered with 201, rows {rows}; {told}")
        self.accepted += created
        return count / answered.seconds

    def _rows(self) -> tuple[int, ...]:
        with self.accepting.world.connect() as conn:
            if self.is_equal:
                return peer_log.counts(conn)
            found = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(_BARE))).fetchone()
            return found or ()

    def _servers(self) -> float:
        return cpu_seconds([*self.gateways.pids, self.accepting.world.running.pid])


#: The gateway with its checks timed.
TIMED = Application("plumbline.bench.alike:gateway", is_factory=True)


@dataclass(slots=True)
class Timed:
    """A side whose checks are timed in every leg."""

    rate: Callable[[int], float]
    sheet: Sheet
    #: Messages of a leg.
    count: int
    #: Of each leg that counts: processor seconds of a message's checks.
    checks_s: list[float] = field(default_factory=list)
    #: Of all legs that count, in the order of ALIKE.
    calls: list[int] = field(default_factory=lambda: [0] * len(ALIKE))

    def leg(self, number: int) -> float:
        """Messages a second."""
        before = self.sheet.read()
        rate = self.rate(number)
        spent = self.sheet.read().since(before)
        if number >= 0:
            self.calls = [sum(pair) for pair in zip(self.calls, spent.calls, strict=True)]
            self.checks_s.append(spent.seconds / self.count)
        return rate


def require_alike(ours: Timed, theirs: Timed) -> None:
    """Both called each of the functions for every message, and equally often; raises :class:`Lost`."""
    messages = ours.count * len(ours.checks_s)
    if ours.calls != theirs.calls or min(ours.calls) < messages:
        pairs = zip(ALIKE, ours.calls, theirs.calls, strict=True)
        told = ", ".join(
            f"{name} {mine:g} and {other:g}"
            for name, mine, other in pairs
            if mine != other or mine < messages
        )
        raise Lost(f"the two sides do not check alike: calls of {told}")


def measure(world: World, goals: dict[str, Goal], rounds: int, count: int) -> Iterator[Measured | str]:
    """Ours ÷ each peer that is installed; a word on each that is not. Raises :class:`Lost`."""
    for name, kind in PEERS.items():
        if kind.absent:
            yield f"{name} peer absent: {', '.join(kind.absent)}"
            continue
        yield from beside(world, (goals[name], goals.get(f"{name}-whole")), (rounds, count), kind)


def beyond(whole: Comparison, ours_s: Sequence[float], theirs_s: Sequence[float]) -> Comparison:
    """The same rounds with the time of what both sides do alike taken off each message, of each what it took there, round by round."""

    def rest(rates: Sequence[float], alike_s: Sequence[float]) -> tuple[float, ...]:
        left = [1 / rate - alike for rate, alike in zip(rates, alike_s, strict=True)]
        if min(left) <= 0:
            raise Lost("the checks took longer than the whole: threads checked side by side")
        return tuple(1 / each for each in left)

    return Comparison(ours=rest(whole.ours, ours_s), limit=rest(whole.limit, theirs_s), is_rest=True)


def beside(
    world: World, goals: tuple[Goal, Goal | None], amount: tuple[int, int], kind: Kind
) -> list[Measured]:
    """Ours ÷ one peer that is installed, (rounds, messages a round). `goals`: what is gated; of a peer with equal work also the whole, for
    information. Raises :class:`Lost`."""
    (goal, of_whole), (rounds, count) = goals, amount
    key = Ed25519PrivateKey.generate().private_bytes_raw()
    peer_log.create(world) if kind.is_equal else _create_bare(world)
    mine, its = (Sheet.fresh(world.platform.folder("load") / f"{side}.alike") for side in ("ours", "theirs"))
    ours = Gateways(world, 1, application=TIMED, environment=mine.environment)
    told = environment(world, key) | its.environment
    theirs = Gateways(world, 1, application=kind.application, environment=told)
    try:
        accepting = Accepting(world, count, ours)
        first = world.counts()[0]
        peer = _Peer(Accepting(world, count, theirs), theirs, kind.is_equal)
        our_side, their_side = Timed(accepting.ours, mine, count), Timed(peer.rate, its, count)
        turns = TURNS if kind.is_equal else 1
        comparison = interleave(their_side.leg, our_side.leg, rounds, warm=rounds > 1, turns=turns)
    finally:
        ours.stop()
        theirs.stop()
    check_counts(accepting, first)
    notes = [
        "1 process each, the same checks by the same functions, one durable commit a request of the peer, a batch of ours",
        kind.told(),
        f"{number(check_survivors(accepting))} of our receipts verified; {_promised(world, peer, key)}; "
        f"the peer takes {peer.cpu_s / peer.timed * 1e6:.0f} µs of CPU a message",
    ]
    cpu_us = accepting.server_s / accepting.timed * 1e6
    if of_whole is None:
        return [Measured(goal=goal, comparison=comparison, cpu_us=cpu_us, notes=notes)]
    require_alike(our_side, their_side)
    checks = [_of_rounds(side.checks_s, rounds) for side in (our_side, their_side)]
    in_ours, in_theirs = (median(each) * 1e6 for each in checks)
    notes.append(
        f"the checks take {in_ours:.0f} µs of a message in ours, {in_theirs:.0f} in the peer, by the clock of the thread that does them"
    )
    return [
        Measured(goal=goal, comparison=beyond(comparison, *checks), notes=notes),
        Measured(goal=of_whole, comparison=comparison, cpu_us=cpu_us),
    ]


def _of_rounds(legs: Sequence[float], rounds: int) -> list[float]:
    """Seconds of a message in each round, from those of its legs."""
    turns = len(legs) // rounds
    return [fmean(legs[at : at + turns]) for at in range(0, len(legs), turns)]


def _promised(world: World, peer: _Peer, key: bytes) -> str:
    if not peer.is_equal:
        return "the peer keeps no log and gives no receipt: it does less"
    with world.connect() as conn:
        verified = peer_log.check(conn, peer.accepted, peer.accepting.sent, peer_log.verifier_key(key))
    return f"the peer's answers = entries = leaves = head, {number(verified)} of its receipts verified"


def _create_bare(world: World) -> None:
    with world.connect() as conn:
        table = sql.Identifier(_BARE)
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
        conn.execute(sql.SQL("CREATE TABLE {} (LIKE journal.entry INCLUDING ALL)").format(table))


def environment(world: World, key: bytes) -> dict[str, str]:
    """What a peer has to be told; `key` signs its checkpoints."""
    place = conninfo_to_dict(world.running.dsn(DATABASE))
    return {VARIABLE: str(_tell(world, key)), "PGPASSWORD": str(place.get("password") or "")}


def _tell(world: World, key: bytes) -> Path:
    """The file that a peer reads: keys of the institution, the way to the database, the key of its log."""
    keys = {
        known.key_id: (known.algorithm, public_bytes(known.key).hex())
        for _, known in world.senders["institution"].keys
        if isinstance(known, Ed25519Signer)
    }
    place = conninfo_to_dict(world.running.dsn(DATABASE))
    told = {"keys": keys, "host": place["host"], "user": place["user"], "database": DATABASE}
    told |= {"origin": peer_log.ORIGIN, "log_key": key.hex()}
    path = world.platform.folder("load") / "peer.json"
    path.write_text(json.dumps(told), "utf-8")
    return path
