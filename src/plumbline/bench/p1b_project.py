"""P1b project (投影): journal entries to fact tables and roll-ups, beside raw COPY of the very rows that came out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from plumbline.bench import mix, raw_copy
from plumbline.bench.goals import Goal
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.report import Measured, number
from plumbline.bench.requests import sign
from plumbline.bench.stats import TURNS, interleave
from plumbline.bench.world import World
from plumbline.supervision.journal.append import MAX_BATCH
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.memory import settle
from plumbline.supervision.projection import schema as fact_schema
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.projection.tables import TABLES

_OURS, _LIMIT = "bench_ours", "bench_limit"


@dataclass(slots=True)
class Projecting:
    """The legs of P1b: each round projects the whole journal into a fresh schema, then the limit copies its rows."""

    world: World
    rows: dict[str, bytes] = field(default_factory=dict)
    projected: int = 0
    server_s: float = 0.0

    def fill(self, reports: int) -> int:
        """Append whole reports to the journal as the gateways would; returns how many entries there are."""
        now, journal = datetime.now(UTC), self.world.journal()
        pending = []
        for role, message in mix.reports(self.world, reports, now):
            sender = self.world.senders[role]
            pending.append(sign(sender, message).pending(sender.transport.key_id))
        for at in range(0, len(pending), MAX_BATCH):
            outcomes = journal.append(pending[at : at + MAX_BATCH])
            if not all(isinstance(each, Accepted) for each in outcomes):
                raise Lost("the journal refused an entry of the mix")
        journal.close()
        return self.world.counts()[0]

    def fresh(self, name: str) -> None:
        """An empty schema of this name, made from the projector's own declaration: same tables, keys and indexes."""
        with psycopg.connect(self.world.platform.conninfo("plumb_migrate")) as conn:
            conn.execute("SET ROLE plumb_owner")
            conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
            fact_schema.create(conn, name, datetime.now(UTC))
        self.world.settle()

    def ours(self, round_: int) -> float:
        """Entries a second of the real projector, sets of 500, from the first entry to the last."""
        self.fresh(_OURS)
        projector = Projector(self.world.platform.conninfo("plumb_projector"), _OURS)
        begin, used = time.perf_counter(), time.process_time()
        done = projector.catch_up()
        took = time.perf_counter() - begin
        projector.close()
        if round_ >= 0:
            self.server_s += time.process_time() - used
            self.projected += done
        self._check(done)
        return done / took

    def _check(self, done: int) -> None:
        with self.world.connect() as conn:
            events, parked = (
                _count(conn, _OURS, "event"),
                _count(conn, _OURS, "parked"),
            )
        entries = self.world.counts()[0]
        if not done == events == entries or parked:
            raise Lost(f"{entries} entries, {done} projected, {events} events, {parked} parked")

    def limit(self, _: int) -> list[float]:
        """Entries a second of raw COPY of the same rows into the same tables by 1, 2, 4 connections: one transaction each."""
        if not self.rows:
            raise RuntimeError("the rows are taken from a projection first")
        entries = self.world.counts()[0]
        return [entries / self._attempt(width) for width in raw_copy.WIDTHS]

    def take_rows(self) -> None:
        """The rows of the last projection in binary COPY, table by table."""
        with self.world.connect() as conn:
            for table in TABLES:
                if table != "position" and _count(conn, _OURS, table):
                    statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT BINARY)").format(
                        sql.Identifier(_OURS, table)
                    )
                    with conn.cursor().copy(statement) as copy:
                        self.rows[table] = b"".join(bytes(each) for each in copy)

    def _attempt(self, width: int) -> float:
        """Seconds."""
        self.fresh(_LIMIT)
        took = raw_copy.timed(self.world.connect, self._dealt(width))
        with self.world.connect() as conn:
            if _count(conn, _LIMIT, "event") != _count(conn, _OURS, "event"):
                raise Lost("the limit copied other rows")
        return took

    def _dealt(self, width: int) -> list[list[raw_copy.Load]]:
        """Tables dealt to connections, the largest first, each to the one with the fewest bytes."""
        parts: list[list[raw_copy.Load]] = [[] for _ in range(width)]
        for table, data in sorted(self.rows.items(), key=lambda pair: -len(pair[1])):
            fewest = min(parts, key=lambda part: sum(len(load.data) for load in part))
            fewest.append(raw_copy.Load(f'COPY "{_LIMIT}"."{table}" FROM STDIN (FORMAT BINARY)', data))
        return [part for part in parts if part]


def _count(conn: psycopg.Connection, schema: str, table: str) -> int:
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))).fetchone()
    assert row is not None
    return int(row[0])


def measure(world: World, goal: Goal, rounds: int, reports: int) -> Measured:
    """P1b; raises :class:`Lost` when an entry is not projected or is parked."""
    legs = Projecting(world)
    entries = legs.fill(reports)
    settle()  # as the projector's own process does before it begins
    legs.ours(-1)
    legs.take_rows()
    comparison = interleave(legs.limit, legs.ours, rounds, warm=rounds > 1, turns=TURNS)
    with world.connect() as conn:
        rows = sum(_count(conn, _OURS, table) for table in legs.rows)
    size = sum(map(len, legs.rows.values()))
    notes = [
        f"{number(entries)} entries of whole reports (9 messages, 1 with 3 curves) → {number(rows)} rows of "
        f"{len(legs.rows)} tables, {size / 1e6:.1f} MB; sets of 500; events = entries, 0 parked",
    ]
    return Measured(
        goal=goal, comparison=comparison, cpu_us=legs.server_s / legs.projected * 1e6, notes=notes
    )
