"""P4 beside peers (查验的对照): one gateway process, and the same look-up by Django's mapper and by FastAPI + SQLAlchemy.

The peers read the same tables of the same cluster and give the same answers, byte by byte; checked for every answer of every leg.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from plumbline.bench.gateways import Application, Gateways, Leg
from plumbline.bench.goals import Goal
from plumbline.bench.growth import grow_reports, template
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.p2_peers import Kind, environment
from plumbline.bench.p4_verify import Asking, question
from plumbline.bench.peers import django_lookup, fastapi_lookup
from plumbline.bench.report import Measured, number
from plumbline.bench.stats import TURNS, interleave
from plumbline.bench.world import World
from plumbline.domain.reporting.code import new_code

#: Goal → peer.
PEERS = {
    "P4-django": Kind(
        needs=(("django", "django"), ("psycopg", "psycopg")),
        application=Application(
            "plumbline.bench.peers.django_lookup:application", interface="wsgi", threads=django_lookup.THREADS
        ),
        configuration=f"synchronous view, {django_lookup.THREADS} threads with a lasting connection each, bound on the server, prepared; "
        "middlewares Security, Common, XFrameOptions",
    ),
    "P4-fastapi": Kind(
        needs=(("fastapi", "fastapi"), ("sqlalchemy", "sqlalchemy"), ("asyncpg", "asyncpg")),
        application=Application("plumbline.bench.peers.fastapi_lookup:application", is_factory=True),
        configuration=f"asynchronous, pool of {fastapi_lookup.POOL}, autocommit, prepared",
    ),
}
#: A peer is asked so many times fewer a leg: it takes as many times longer.
FEWER = 8
#: Callers of a peer: as of ours the number counts that gets most answers; a peer has no use for more.
_CALLERS = (8, 32, 64)


@dataclass(slots=True, kw_only=True)
class Beside(Asking):
    """Questions to a peer, each answered as the gateway answers it."""

    #: Code → the gateway's answer.
    expected: dict[str, bytes]

    def ask_all(self) -> None:
        """Every code once, as the gateway was asked for each: neither side's pages, plans and caches are colder. Raises :class:`Lost`."""
        load = self.gateways.start_load([question(code) for code in self.codes], min(self.callers))
        load.go()
        self._check(load.finish(), self.codes)

    def _check(self, answered: Leg, picks: Sequence[str]) -> None:
        """Each is the gateway's, byte by byte."""
        wanted = Counter((200, self.expected[code]) for code in picks)
        if other := Counter(answered.answers) - wanted:
            raise Lost(f"the peer answers what we do not: {next(iter(other))}")
        if len(answered.answers) != len(picks):
            raise Lost(f"{len(picks)} questions to the peer, {len(answered.answers)} answers")


def answers_of(gateways: Gateways, codes: Sequence[str]) -> list[tuple[int, bytes]]:
    """(status, body) for each code, one after the other."""
    load = gateways.start_load([question(code) for code in codes], 1)
    load.go()
    return load.finish().answers


def check_refusals(ours: Gateways, theirs: Gateways) -> None:
    """A code that nobody registered and one that is mistyped are refused alike, but for the number to quote. Raises :class:`Lost`."""
    known = new_code(date(2026, 1, 1), "610", lambda _: 5)
    mistyped = known[:-1] + ("0" if known[-1] != "0" else "1")
    told = []
    for side in (ours, theirs):
        found = answers_of(side, [known, mistyped])
        told.append([(status, {**json.loads(body), "instance": ""}) for status, body in found])
    if told[0] != told[1] or [status for status, _ in told[0]] != [404, 404]:
        raise Lost(f"the peer refuses otherwise: {told[1]} instead of {told[0]}")


def measure(
    world: World, goals: dict[str, Goal], rounds: int, count: int, reports: int
) -> Iterator[Measured | str]:
    """Ours ÷ each peer that is installed; a word on each that is not. Raises :class:`Lost`."""
    codes: list[str] = []
    for name, kind in PEERS.items():
        if kind.absent:
            yield f"{name} peer absent: {', '.join(kind.absent)}"
            continue
        codes = codes or grow_reports(world, template(world), reports)
        yield beside(world, goals[name], (rounds, count), kind, codes)


def beside(world: World, goal: Goal, amount: tuple[int, int], kind: Kind, codes: Sequence[str]) -> Measured:
    """Ours ÷ one peer that is installed, (rounds, questions a leg of ours). Raises :class:`Lost`."""
    rounds, count = amount
    ours = Gateways(world, 1)
    theirs = Gateways(world, 1, application=kind.application, environment=environment(world, b""))
    try:
        check_refusals(ours, theirs)
        found = answers_of(ours, codes)
        if {status for status, _ in found} != {200} or len(found) != len(codes):
            raise Lost(f"{len(codes)} registered codes, {len(found)} answers")
        expected = dict(zip(codes, (body for _, body in found), strict=True))
        asking = Asking(world, ours, codes, count)
        peer = Beside(
            world=world,
            gateways=theirs,
            codes=codes,
            count=max(1, count // FEWER),
            callers=_CALLERS,
            expected=expected,
        )
        peer.ask_all()
        comparison = interleave(peer.rates, asking.rates, rounds, warm=rounds > 1, turns=TURNS)
    finally:
        ours.stop()
        theirs.stop()
    notes = [
        f"1 process each, best of three numbers of callers on both sides, {number(len(codes))} reports, each asked for on both before; "
        f"{number(peer.timed)} answers of the peer are ours byte by byte, refusals too but for their number",
        f"{kind.told()}; the peer takes {peer.server_s / peer.timed * 1e6:.0f} µs of CPU an answer",
    ]
    cpu_us = asking.server_s / asking.timed * 1e6
    return Measured(goal=goal, comparison=comparison, cpu_us=cpu_us, notes=notes)
