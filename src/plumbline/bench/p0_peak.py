"""P0: the promise in words (承诺): the peak of the whole country on one small server, with half of it to spare.

250 tests with three curves and 2 500 look-ups become due each second, whether those before are answered or not, and the projector works on
what comes in. What is measured is the processor time of gateways, database and projector; the promise is half of a server with four cores.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from plumbline.bench.gateways import Gateways, Leg
from plumbline.bench.goals import Goal
from plumbline.bench.growth import grow_reports, template
from plumbline.bench.machine import cpu_seconds
from plumbline.bench.p1a_accept import Accepting, Lost, check_counts, check_survivors
from plumbline.bench.p4_verify import CONNECTIONS, question
from plumbline.bench.p7_lag import quantile
from plumbline.bench.report import Measured
from plumbline.bench.stats import Comparison
from plumbline.bench.world import World
from plumbline.embedded.supervisor import ProcessSpec, ReadyLine, Supervisor

#: What becomes due each second (PERFORMANCE §2), and the processor seconds a second that it may take: half of four cores.
TESTS, LOOK_UPS, PROMISED = 250, 2500, 2.0
#: The projector has caught up so long after the last answer, or the lag is not bounded.
_CAUGHT_UP_S = 10.0


@contextmanager
def _projecting(world: World) -> Iterator[list[int]]:
    """The projector as a process of its own; yields its number."""
    argv = [sys.executable, "-m", "plumbline.supervision.projection"]
    told = world.platform.environment() | {"PYTHONUNBUFFERED": "1"}
    supervisor = Supervisor(
        [ProcessSpec("projector", argv, told, ReadyLine("projector ready"))], world.platform.folder("logs")
    )
    supervisor.start()
    try:
        yield list(supervisor.pids.values())
    finally:
        supervisor.stop()


@dataclass(slots=True)
class Peak:
    """Legs of the peak on one world, and what was seen of them."""

    world: World
    accepting: Accepting
    codes: list[str]
    projector: list[int]
    seconds: int
    late: dict[str, list[float]] = field(default_factory=lambda: {"tests": [], "look-ups": []})
    caught_up_s: list[float] = field(default_factory=list)
    generator_s: float = 0.0

    def used(self, round_: int) -> float:
        """Processor seconds a second of the servers."""
        chance = random.Random(round_)  # noqa: S311 - picks codes
        asked = [question(chance.choice(self.codes)) for _ in range(LOOK_UPS * self.seconds)]
        gateways = self.accepting.gateways
        loads = [
            gateways.start_load(self.accepting.requests(), rate=TESTS, name="tests"),
            gateways.start_load(asked, CONNECTIONS, rate=LOOK_UPS, name="look-ups"),
        ]
        pids = [*gateways.pids, self.world.running.pid, *self.projector]
        used, began = cpu_seconds(pids), time.monotonic()
        for load in loads:
            load.go()
        tests, look_ups = (load.finish() for load in loads)
        self._check(tests, look_ups)
        self.caught_up_s.append(self._caught_up())
        took = cpu_seconds(pids) - used
        self.generator_s += tests.generator_s + look_ups.generator_s
        self.late["tests"] += tests.late
        self.late["look-ups"] += look_ups.late
        # What was left to project is of the peak too, so that its time counts and the seconds do not.
        return took / min(time.monotonic() - began, max(tests.seconds, look_ups.seconds))

    def _check(self, tests: Leg, look_ups: Leg) -> None:
        told = self.accepting.note(tests)
        if len(told) != self.accepting.count or any(status != 201 for status, _ in told):
            raise Lost(f"{self.accepting.count} sent, answers: {Counter(status for status, _ in told)}")
        states = Counter(each["state"] for each in look_ups.accepted)
        if states != {"genuine": LOOK_UPS * self.seconds}:
            raise Lost(f"{LOOK_UPS * self.seconds} questions, answers: {states}")

    def _caught_up(self) -> float:
        """Seconds until the last entry is projected."""
        began = time.monotonic()
        while time.monotonic() - began < _CAUGHT_UP_S:
            with self.world.connect() as conn:
                row = conn.execute("SELECT size - pos FROM journal.head, fact.position").fetchone()
            if row is not None and row[0] == 0:
                return time.monotonic() - began
            time.sleep(0.02)
        raise Lost(f"{_CAUGHT_UP_S:.0f} s after the last answer the projector had not caught up")


def measure(world: World, goal: Goal, rounds: int, seconds: int, reports: int) -> Measured:
    """Half of four cores ÷ what the peak takes; raises :class:`Lost` when anything is not answered, logged, projected or proved."""
    codes = grow_reports(world, template(world), reports)
    gateways = Gateways(world)
    try:
        with _projecting(world) as projector:
            peak = Peak(world, Accepting(world, TESTS * seconds, gateways), codes, projector, seconds)
            first = world.counts()[0]
            used = [peak.used(round_) for round_ in range(rounds)]
            check_counts(peak.accepting, first)
    finally:
        gateways.stop()
    verified = check_survivors(peak.accepting)
    comparison = Comparison(ours=tuple(1 / each for each in used), limit=(1 / PROMISED,) * rounds)
    notes = [
        f"{TESTS} tests of 8 kB, each alone under two signatures, and {LOOK_UPS} look-ups among {reports} reports become due each second, "
        f"{seconds} s a round; 2 gateways, projector at work: {sorted(used)[rounds // 2]:.2f} processor seconds a second",
        "; ".join(
            f"{name}: answered {quantile(late, 0.5) * 1000:.0f} ms after they were due, p99 {quantile(late, 0.99) * 1000:.0f} ms"
            for name, late in peak.late.items()
        )
        + f"; projected {max(peak.caught_up_s):.2f} s after the last answer",
        f"{verified} receipts verified; generators {peak.generator_s / rounds / seconds:.2f} processor seconds a second on the same "
        f"cores, not counted; no files, no decisions of the worker (docs/decisions/0034 has what a whole report costs)",
    ]
    return Measured(goal=goal, comparison=comparison, notes=notes)
