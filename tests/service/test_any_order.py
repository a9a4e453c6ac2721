"""Any order, any repetition (乱序与重复): what a set of messages becomes does not depend on how often they came, nor on how the messages of
several parties fell between each other (TRUST F7)."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from plumbline.evidence.leaf import entry_id
from plumbline.exchange.encode import encode_message
from plumbline.exchange.problems import Problem
from plumbline.supervision.config import ROLES
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.model import Pending
from plumbline.supervision.journal.submit import pending_from
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.projection.rebuild import audit_projection
from plumbline.supervision.projection.tables import TABLES

pytestmark = pytest.mark.service
#: Where an entry stands in the log and when it came: what an order may change.
PLACE = {"idx", "arrived_at", "logged_at", "pos"}
SET_SIZES = (1, 3, 7, 500)


@dataclass(frozen=True, kw_only=True)
class Written:
    """A message that is ready to be sent, by whom, and what of others it names."""

    message: Any
    who: Any

    @property
    def entry(self) -> str:
        """Its name in the log, known before it is sent."""
        return entry_id(bytes.fromhex(self.message.sender), self.message.uid).hex()

    @property
    def text(self) -> str:
        """What it says."""
        return encode_message(self.message).decode()

    def pending(self) -> Pending:
        """Signed, as it would wait for its place."""
        return pending_from(self.message, self.who.origin, channel="internal")

    def needs(self, other: Written) -> bool:
        """Whether it speaks of what the other one brings."""
        brought = [other.entry, *getattr(other.message, "tags", ())]
        return other is not self and any(each in self.text for each in brought)


@pytest.fixture
def written(quiet_world, monkeypatch) -> list[Written]:
    """All messages of two reports, by four parties, none of them sent."""
    made: list[Written] = []

    def record(message: Any, who: Any, _: Any = None) -> Any:
        made.append(Written(message=message, who=who))
        return SimpleNamespace(entry=made[-1].entry)

    monkeypatch.setattr(quiet_world, "append", record)
    for _ in range(2):
        quiet_world.apply(quiet_world.case().until_tested())
    quiet_world.close()  # its database is copied, and nobody may be connected to it
    return made


def as_clients_send(written: Sequence[Written], chance: random.Random) -> list[Written]:
    """One of the orders in which the messages may come in: each party sends its own one after the other, and nobody names what it has not
    been given; how the parties' messages fall between each other is left to chance."""
    left, order = list(written), []
    while left:
        ready = [
            each
            for at, each in enumerate(left)
            if not any(each.needs(other) for other in left)
            and all(other.who is not each.who for other in left[:at])
        ]
        order.append(chance.choice(ready))
        left.remove(order[-1])
    return order


def with_repeats(order: Sequence[Written], chance: random.Random) -> list[Written]:
    """The same, every other message once or twice more, somewhere after the first time."""
    sent = list(order)
    for each in chance.sample(list(order), len(order) // 2):
        for _ in range(chance.randint(1, 2)):
            sent.insert(chance.randint(sent.index(each) + 1, len(sent)), each)
    return sent


def appended(tested: Any, sent: Sequence[Written], chance: random.Random) -> None:
    """All of them in the log and projected; a repeated one has the place and the leaf of the first."""
    journal, places = Journal(tested.platform.conninfo("plumb_gateway"), tested.signer), {}
    try:
        for each in sent:
            got = journal.append([each.pending()])[0]
            assert not isinstance(got, Problem), got
            assert got.duplicate == (each.entry in places)
            assert places.setdefault(each.entry, got.index) == got.index
    finally:
        journal.close()
    projector = Projector(tested.platform.conninfo("plumb_projector"), set_size=chance.choice(SET_SIZES))
    try:
        projector.catch_up()
    finally:
        projector.close()


def leaves(platform: Any) -> list[tuple[str, str]]:
    """Entries of the log with the digest of their message."""
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        rows = conn.execute("SELECT sender_id, uid, message FROM journal.entry").fetchall()
        size = conn.execute("SELECT size FROM journal.head").fetchone()
    assert size is not None and size[0] == len(rows)
    return sorted((entry_id(bytes(sender), uid).hex(), bytes(message).hex()) for sender, uid, message in rows)


def facts(platform: Any) -> dict[str, list[str]]:
    """Every row of every table, without its place in the log."""
    found = {}
    with psycopg.connect(platform.conninfo("plumb_projector")) as conn:
        assert conn.execute("SELECT count(*) FROM fact.parked").fetchone() == (0,)
        for table in TABLES:
            rows = conn.execute(f"SELECT to_jsonb(t) FROM fact.{table} t".encode()).fetchall()
            kept = ({name: value for name, value in row[0].items() if name not in PLACE} for row in rows)
            found[table] = sorted(json.dumps(each, sort_keys=True) for each in kept)
    return found


@pytest.mark.clause("BJ 4.1.7-a", "CECS 6.0.4")
def test_however_the_messages_fall_and_repeat_nothing_is_lost_and_the_facts_are_the_same(
    quiet_world, written, copied
) -> None:
    """In orders that clients send, log and facts are the same; in others every message is there once, what came before what it names
    says so, and a reviewer is no stranger."""
    chance = random.Random(4)
    results = []
    for _ in range(4):
        with copied(quiet_world.platform) as tested:
            appended(tested, with_repeats(as_clients_send(written, chance), chance), chance)
            results.append((leaves(tested.platform), facts(tested.platform)))
    first_leaves, first = results[0]
    assert len({json.loads(each)["id"] for each in first["application"]}) == 2
    for other_leaves, other in results[1:]:
        assert other_leaves == first_leaves
        assert {table: rows for table, rows in other.items() if rows != first[table]} == {}

    expected = {(each.entry, each.pending().message.hex()) for each in written}
    for order in (list(reversed(written)), chance.sample(written, len(written))):
        with copied(quiet_world.platform) as tested:
            appended(tested, with_repeats(order, chance), chance)
            assert expected <= set(leaves(tested.platform))
            found = [json.loads(each) for each in facts(tested.platform)["finding"]]
            assert "custody.unknown_object" in {each["code"] for each in found}
            # a commission that came before its own sample stands for no project, and so does a reception by it
            accused = {each["subject_kind"] for each in found if each["code"] == "custody.foreign_sender"}
            assert accused <= {"receipt"}
            assert audit_projection({role: tested.platform.conninfo(role) for role in ROLES}) == []
