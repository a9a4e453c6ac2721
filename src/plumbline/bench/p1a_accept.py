"""P1a accept (受理): signed uploads over HTTP to two gateways, durable and provable before 2xx.

Beside them what nobody who accepts them can do without: the same signatures verified, the same digests taken, the same bytes stored
by raw COPY. For information beside raw COPY of the same bytes alone, too.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from psycopg import sql

from plumbline.bench import mix, proved_copy, raw_copy
from plumbline.bench.gateways import CONNECTIONS, Gateways, Leg
from plumbline.bench.goals import Goal
from plumbline.bench.machine import cpu_seconds
from plumbline.bench.proved_copy import ProvedRow, Signature
from plumbline.bench.report import Measured, number
from plumbline.bench.requests import Signed, sign_all, sign_together
from plumbline.bench.stats import TURNS, interleave
from plumbline.bench.world import Sender, World
from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.receipt import verify_receipt
from plumbline.exchange.origin import origin_bytes
from plumbline.exchange.signatures import Ed25519Signer, Signer
from plumbline.supervision.boot import DATABASE
from plumbline.supervision.journal.heads import log_origin
from plumbline.supervision.journal.keys import public_bytes

_TABLE = "public.bench_entry"
_COPY = f"COPY {_TABLE} (uid, sender_id, key_id, envelope, message, arrived_at) FROM STDIN (FORMAT BINARY)"


class Lost(RuntimeError):
    """An answer, an entry, a leaf or a receipt does not stand up: no figure counts then."""


@dataclass(slots=True)
class Accepting:
    """The legs of P1a on one world and what they have been told."""

    world: World
    count: int
    gateways: Gateways
    sent: dict[str, Signed] = field(default_factory=dict)
    accepted: list[dict[str, object]] = field(default_factory=list)
    server_s: float = 0.0
    generator_s: float = 0.0
    timed: int = 0
    limit_rows: list[ProvedRow] = field(default_factory=list)
    #: Who sends; the institution with its Ed25519 key unless given.
    sender: Sender | None = None
    #: How many messages go in one request.
    together: int = 1

    @property
    def party(self) -> Sender:
        """Whose keys sign."""
        return self.sender or self.world.senders["institution"]

    def sign(self, count: int) -> list[Signed]:
        """Fresh messages, signed now: a signature is good for 300 s."""
        now = datetime.now(UTC)
        signed = sign_all(self.party, mix.runs(self.world, count, now, len(self.sent) * 2))
        self.sent |= {str(each.message.uid): each for each in signed}
        return signed

    def requests(self) -> list[bytes]:
        """Fresh messages as they go over the wire: each alone, or so many together under one signature."""
        if self.together == 1:
            return [each.http() for each in self.sign(self.count)]
        now, made = datetime.now(UTC), len(self.sent) * 2
        messages = mix.runs(self.world, self.count, now, made)
        groups = [
            sign_together(self.party, messages[at : at + self.together])
            for at in range(0, self.count, self.together)
        ]
        self.sent |= {str(each.message.uid): each for group in groups for each in group.members}
        return [group.http() for group in groups]

    def told(self, leg: Leg) -> list[tuple[int, dict[str, object]]]:
        """(status, body) for each message that was answered."""
        if self.together == 1:
            return [(status, json.loads(body) if status < 300 else {}) for status, body in leg.answers]
        answers = [each for body in leg.accepted for each in cast("list[dict[str, object]]", body["answers"])]
        refused = [(status, {}) for status, _ in leg.answers if status >= 300]
        return [(int(str(each["status"])), each) for each in answers] + refused

    def servers(self) -> float:
        """Processor seconds of gateways and database so far."""
        return cpu_seconds([*self.gateways.pids, self.world.running.pid])

    def ours(self, round_: int) -> float:
        """Messages a second, accepted with 201."""
        requests = self.requests()
        self.world.settle()
        load = self.gateways.start_load(requests, self.connections)
        used = self.servers()
        load.go()
        leg = load.finish()
        told = self.note(leg)
        if len(told) != self.count or any(status != 201 for status, _ in told):
            raise Lost(f"{self.count} sent, answers: {Counter(status for status, _ in told)}")
        if round_ >= 0:
            self.server_s += self.servers() - used
            self.generator_s += leg.generator_s
            self.timed += self.count
        return self.count / leg.seconds

    @property
    def connections(self) -> int:
        """Of each generator: enough for full batches at both gateways, whoever fills them."""
        return max(4, CONNECTIONS // self.together)

    def note(self, leg: Leg) -> list[tuple[int, dict[str, object]]]:
        """What the answers of a leg say; those with 2xx are remembered."""
        told = self.told(leg)
        self.accepted += [body for status, body in told if 200 <= status < 300]
        return told

    def bare(self, _: int) -> list[float]:
        """Rows a second of raw COPY by 1, 2, 4 connections: same envelope and message bytes, same primary key, fsync on."""
        rows = [each.row for each in self._rows_of_limit()]

        def run(width: int) -> float:
            parts = [[load] for load in raw_copy.split(_COPY, rows, width)]
            return raw_copy.timed(self.world.connect, parts)

        return self._of_each(run)

    def limit(self, _: int) -> list[float]:
        """The same after the same signatures were verified and the same digests taken, by 1, 2, 4 processes."""
        rows, dsn = self._rows_of_limit(), self.world.running.dsn(DATABASE)
        folder = self.world.platform.folder("load")
        return self._of_each(lambda width: proved_copy.timed(folder, dsn, _COPY, rows, width))

    def _of_each(self, run: Callable[[int], float]) -> list[float]:
        """Rows a second of each width, each into an empty table."""

        def attempt(width: int) -> float:
            with self.world.connect() as conn:
                conn.execute(f"DROP TABLE IF EXISTS {_TABLE}".encode())
                conn.execute(f"CREATE TABLE {_TABLE} (LIKE journal.entry INCLUDING ALL)".encode())
            self.world.settle()
            took = run(width)
            with self.world.connect() as conn:
                row = conn.execute(
                    sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*_TABLE.split(".")))
                ).fetchone()
            if row != (self.count,):
                raise Lost(f"{self.count} rows, of which the limit stored {row}")
            return took

        return [self.count / attempt(width) for width in raw_copy.WIDTHS]

    def _rows_of_limit(self) -> list[ProvedRow]:
        """Messages of their own, signed once and never sent. Of every `together` the first one bears signatures."""
        if not self.limit_rows:
            messages = mix.runs(self.world, self.count, datetime.now(UTC), 900_000)
            self.limit_rows = [
                _proved_row(self.party, signed, is_first=number % self.together == 0)
                for number, signed in enumerate(sign_all(self.party, messages))
            ]
        return self.limit_rows

    def storm(self) -> tuple[int, int]:
        """Kill the postmaster in the middle of a load; (messages, answers with 2xx). Whatever was answered must be there afterwards."""
        requests = self.requests()
        before = self.world.counts()[0]
        load = self.gateways.start_load(requests, self.connections)
        load.go()
        deadline = time.monotonic() + 20
        while self.world.counts()[0] < before + self.count // 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.world.crash()
        leg = load.finish()
        return self.count, sum(200 <= status < 300 for status, _ in self.note(leg))


def _proved_row(party: Sender, signed: Signed, *, is_first: bool) -> ProvedRow:
    pending, transport = signed.pending(party.transport.key_id), signed.transport
    row = raw_copy.row(
        [
            pending.uid.bytes,
            pending.sender_id,
            pending.key_id.encode(),
            pending.envelope,
            pending.message,
            raw_copy.instant(pending.arrived_at),
        ]
    )
    signatures = [
        _by(party.transport, transport.base, transport.signature),
        _by(party.origin, origin_bytes(pending.message), b64decode(signed.origin.signature)),
    ]
    return ProvedRow(row, pending.envelope, pending.message, signatures if is_first else [])


def _by(signer: Signer, data: bytes, signature: bytes) -> Signature:
    if not isinstance(signer, Ed25519Signer):
        raise TypeError("the limit verifies Ed25519")
    return Signature(signer.algorithm, public_bytes(signer.key), data, signature)


def check_counts(accepting: Accepting, first: int) -> None:
    """Answers = entries = leaves = head, counted from `first`; raises :class:`Lost`."""
    entries, leaves, size = accepting.world.counts()
    answered = len({str(each["entry"]) for each in accepting.accepted})
    if not answered == entries - first == leaves - first == size - first:
        raise Lost(f"{answered} answers with 2xx, {entries - first} entries, {leaves - first} leaves")


def check_survivors(accepting: Accepting) -> int:
    """After a crash: every 2xx is an entry with its index, entries = leaves = head, every receipt verifies against the message.

    Returns how many receipts were verified; raises :class:`Lost`.
    """
    world = accepting.world
    entries, leaves, size = world.counts()
    if not entries == leaves == size:
        raise Lost(f"after the crash {entries} entries, {leaves} leaves, head {size}")
    with world.connect() as conn:
        stored: dict[str, int] = dict(conn.execute("SELECT uid::text, idx FROM journal.leaf").fetchall())
    origin = log_origin(world.platform.origin, 1)
    verifiers = [parse_verifier(world.signer.verifier_key(origin))]
    for each in accepting.accepted:
        uid = str(each["receipt_url"]).rpartition("/")[2]
        if stored.get(uid) != each["index"]:
            raise Lost(f"entry {uid} was answered with index {each['index']} and is not there")
        checked = verify_receipt(
            str(each["receipt"]), verifiers, accepting.sent[uid].data, origin=origin, uid=None
        )
        if not checked.ok:
            raise Lost(f"the receipt of {uid} does not verify: {checked.failure}")
    return len(accepting.accepted)


def measure(
    world: World, goals: dict[str, Goal], rounds: int, count: int, together: int = 1
) -> list[Measured]:
    """P1a with its correctness, `together` messages a request, beside its limit and, for information, beside bare COPY; raises
    :class:`Lost` when anything of it fails."""
    gateways, name = Gateways(world), "P1a" if together == 1 else "P1a-together"
    try:
        accepting = Accepting(world, count, gateways, together=together)
        first = world.counts()[0]
        comparison = interleave(accepting.limit, accepting.ours, rounds, warm=rounds > 1, turns=TURNS)
        bare = interleave(accepting.bare, accepting.ours, rounds, warm=False)
        check_counts(accepting, first)
        storm = accepting.storm()
    finally:
        gateways.stop()
    verified = check_survivors(accepting)
    size = sum(len(each.data) for each in accepting.sent.values()) // len(accepting.sent)
    signed = "each" if together == 1 else f"of every {together}"
    notes = [
        f"2 gateways, {accepting.connections} connections each, {count} messages a round of {number(size)} B, {together} a request, "
        f"Ed25519 transport and origin signature {signed}, HTTP",
        f"generator CPU {accepting.generator_s / accepting.timed * 1e6:.0f} µs/message on the same cores (not in ours' CPU)",
        f"postmaster killed under load: {storm[1]} of {storm[0]} answered; entries = leaves = head; "
        f"{number(verified)} receipts verified, 0 lost",
    ]
    cpu_us = accepting.server_s / accepting.timed * 1e6
    return [
        Measured(goal=goals[name], comparison=comparison, cpu_us=cpu_us, notes=notes),
        Measured(goal=goals[f"{name}-bare"], comparison=bare, notes=[]),
    ]
