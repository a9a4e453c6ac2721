"""P4 and P5: the public's question (查验): the JSON answer to a code, beside an empty one, beside pgbench, and as reports grow."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from plumbline.bench.gateways import Application, Gateways, Leg
from plumbline.bench.goals import Goal
from plumbline.bench.growth import grow_reports, template
from plumbline.bench.machine import cpu_seconds
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.report import Measured, number
from plumbline.bench.stats import TURNS, Comparison, interleave
from plumbline.bench.world import World
from plumbline.supervision.gateway.briefly import BRIEFLY

#: Callers of P5, who are the same on both sides.
CONNECTIONS = 32
#: Callers of P4: as of the limit, the number counts that gets most answers, of the gateway and of the empty answer alike.
_CALLERS = (32, 64, 128)
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_CLIENTS = (8, 16, 32)
_SCALE = 10
#: Look-ups whose pages are counted.
_EXPLAINED = 9


def question(code: str) -> bytes:
    """The request as it goes over the wire."""
    return f"GET /v/{code} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n\r\n".encode()


@dataclass(slots=True)
class Asking:
    """Questions to one gateway about codes picked at random among all."""

    world: World
    gateways: Gateways
    codes: Sequence[str]
    count: int
    callers: Sequence[int] = _CALLERS
    server_s: float = 0.0
    timed: int = 0

    def rates(self, leg: int) -> list[float]:
        """Answers a second for each number of callers; the best counts."""
        return [self.rate(leg, callers) for callers in self.callers]

    def rate(self, leg: int, callers: int = CONNECTIONS) -> float:
        """Answers a second, each as it has to be; other codes each leg. Raises :class:`Lost`."""
        chance = random.Random(f"{leg} {callers}")  # noqa: S311 - picks codes
        picks = [chance.choice(self.codes) for _ in range(self.count)]
        pids = [*self.gateways.pids, self.world.running.pid]
        load = self.gateways.start_load([question(code) for code in picks], callers)
        used = cpu_seconds(pids)
        load.go()
        answered = load.finish()
        if leg >= 0:
            self.server_s += cpu_seconds(pids) - used
            self.timed += self.count
        self._check(answered, picks)
        return self.count / answered.seconds

    def _check(self, answered: Leg, picks: Sequence[str]) -> None:
        """Each is 200 and 真."""
        told = answered.accepted
        if len(told) != self.count or {each["code"] for each in told} != set(picks):
            raise Lost(f"{self.count} questions, {len(told)} answers")
        if any(each["state"] != "genuine" for each in told):
            raise Lost(f"a registered code is answered with {told[0]['state']}")


@dataclass(frozen=True, slots=True)
class Empty:
    """The same question to an application that does nothing."""

    gateways: Gateways
    request: bytes
    count: int

    def rates(self, _: int) -> list[float]:
        """Answers a second for each number of callers."""
        return [self._rate(callers) for callers in _CALLERS]

    def _rate(self, callers: int) -> float:
        load = self.gateways.start_load([self.request] * self.count, callers)
        load.go()
        leg = load.finish()
        if leg.answers != [(200, b"{}")] * self.count:
            raise Lost(f"{self.count} questions to the empty application, {len(leg.answers)} answers")
        return self.count / leg.seconds


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def measure_limits(
    world: World, goals: dict[str, Goal], rounds: int, count: int, reports: int
) -> list[Measured]:
    """Ours ÷ a no-op of the same server; ours ÷ `pgbench -S`."""
    codes = grow_reports(world, template(world), reports)
    ours, noop = (
        Gateways(world, 1),
        Gateways(world, 1, application=Application("plumbline.bench.noop:application")),
    )
    try:
        asking, empty = Asking(world, ours, codes, count), Empty(noop, question(codes[0]), 3 * count)
        over_http = interleave(empty.rates, asking.rates, rounds, warm=rounds > 1, turns=TURNS)
        bench = Pgbench(world)
        over_rows = interleave(bench.rates, asking.rates, rounds, warm=False, turns=TURNS)
    finally:
        ours.stop()
        noop.stop()
    cpu = asking.server_s / asking.timed * 1e6
    callers = f"best of {_listed(_CALLERS)} connections"
    notes = [f"1 gateway, {callers} on both sides, {number(reports)} reports, codes at random"]
    return [
        Measured(goal=goals["P4-noop"], comparison=over_http, cpu_us=cpu, notes=notes),
        Measured(
            goal=goals["P4-pgbench"], comparison=over_rows, notes=[f"{bench.note}; 1 gateway, {callers}"]
        ),
    ]


class Pgbench:
    """`pgbench -S` on the same cluster, in a database of its own."""

    def __init__(self, world: World) -> None:
        self._program = str(world.cluster.binaries.program("pgbench"))
        self._dsn = world.running.dsn("bench_select")
        self.note = f"pgbench -S, scale {_SCALE}, prepared, best of {_listed(_CLIENTS)} clients"
        with world.connect() as conn:
            conn.execute("CREATE DATABASE bench_select")
        self._run("-i", "-q", "-s", str(_SCALE))

    def rates(self, _: int) -> list[float]:
        """Transactions a second for each number of clients."""
        return [self._select(clients) for clients in _CLIENTS]

    def _select(self, clients: int) -> float:
        out = self._run("-S", "-M", "prepared", "-T", "2", "-c", str(clients), "-j", "1", "-n")
        found = _TPS.search(out)
        if found is None:
            raise RuntimeError(f"pgbench tells no rate: {out[-200:]}")
        return float(found[1])

    def _run(self, *options: str) -> str:
        done = subprocess.run(
            [self._program, *options, self._dsn],
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=True,
        )
        return done.stdout


def measure_growth(
    worlds: tuple[World, World], goals: dict[str, Goal], rounds: int, count: int, reports: tuple[int, int]
) -> list[Measured]:
    """Answers a second among many reports ÷ among few; pages that a look-up reads among few ÷ among many, which no clock has a part in."""
    sides = []
    for world, wanted in zip(worlds, reports, strict=True):
        codes = grow_reports(world, template(world), wanted)
        world.settle()
        # As many codes are asked for on either side, spread over all of them: what grows is what they are looked up in.
        asked = random.Random(1).sample(codes, reports[0])  # noqa: S311 - picks codes
        sides.append(Asking(world, Gateways(world, 1), asked, count))
    try:
        comparison = interleave(sides[0].rate, sides[1].rate, rounds, warm=rounds > 1, turns=TURNS)
        few, many = (pages_read(side.world, side.codes) for side in sides)
    finally:
        for side in sides:
            side.gateways.stop()
    notes = [
        f"{number(reports[1])} reports ({number(6 * reports[1])} rows) beside {number(reports[0])}, as many of them asked for; "
        f"a look-up touches {many} pages"
    ]
    cpu = sides[1].server_s / sides[1].timed * 1e6
    read = Comparison(ours=(1 / many,), limit=(1 / few,), is_counted=True)
    told = [
        f"pages that a look-up by the gateway's own function touches, the most of {_EXPLAINED}: {many} beside {few}; counted by EXPLAIN, "
        "no clock has a part in it"
    ]
    return [
        Measured(goal=goals["P5"], comparison=comparison, cpu_us=cpu, notes=notes),
        Measured(goal=goals["P5-pages"], comparison=read, notes=told),
    ]


def pages_read(world: World, codes: Sequence[str]) -> int:
    """Pages of tables and indexes that one look-up touches, as the gateway asks it: the most of some."""
    with psycopg.connect(
        world.platform.conninfo("plumb_gateway"), options="-c role=plumb_public", autocommit=True
    ) as conn:
        return max(pages_of(conn, code) for code in codes[:: max(1, len(codes) // _EXPLAINED)])


def pages_of(conn: psycopg.Connection, code: str) -> int:
    """Pages that the gateway's own statement touches for one code, in memory or not: those of the function's scan, which hold all that the
    function reads. It is asked once before, so that nothing is counted of its plan and of the catalogue."""
    statement = BRIEFLY.statement.replace(b"$1", b"%s")
    if [row[0] for row in conn.execute(statement, [[code]])] != [code]:
        raise Lost("a registered code is not found by the function")
    row = conn.execute(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, [[code]]).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    if plan["Node Type"] != "Function Scan":
        raise Lost(f"the look-up is no scan of the function, but {plan['Node Type']}")
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
