"""What an act leaves behind (一件事留下的痕迹): events of the audit trail and entries of the log, read before and after it.

An entry is signed evidence of who sent what; it is as good a trace as an event, and a message of a party leaves no other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import psycopg
from browsing import Browser, Office
from key_forms import Applicant, Visitor, answered, applied, sent

from plumbline.supervision.journal.own_acts import DERIVED

#: What the platform enters by itself out of earlier entries, whenever it comes to it. A file is entered while its sender waits.
BY_ITSELF = DERIVED - {"blob.stored"}
#: Tables that processes keep beside the acts: heartbeats, used nonces, the exchange monitor; and the visitor's own session.
BESIDE = {
    "ops.process", "ops.nonce_even", "ops.nonce_odd", "ops.exchange_request", "ops.exchange_body", "ops.exchange_last",
    "web.django_session",
}  # fmt: skip
#: Tables whose rows the patrol, or a look at a page, touches: only their number is held.
COUNTED = {"ops.file", "web.accounts_signin"}
_EVENTS = "SELECT action, actor, subject, outcome, request FROM ops.audit_event WHERE id > %s ORDER BY id"
_ENTRIES = (
    "SELECT convert_from(e.message, 'UTF8')::jsonb->>'kind', encode(e.sender_id, 'hex') FROM journal.leaf l "
    "JOIN journal.entry e USING (uid, sender_id) WHERE (l.epoch, l.idx) >= (%s, %s) ORDER BY l.epoch, l.idx"
)
_TABLES = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('ops', 'web') ORDER BY 1"
_serial = itertools.count(1)


class Event(NamedTuple):
    """One event as a test expects it; a subject of None is any: the number of what was only just made."""

    action: str
    actor: str
    subject: str | None
    outcome: str = "done"


def tried(action: str, actor: str, subject: str) -> tuple[Event, Event]:
    """The two events of an act that makes an entry of the log: what was meant, and what came of it."""
    return Event(action, actor, subject, "intended"), Event(action, actor, subject)


def _words() -> set[str]:
    """The actions for which readers have a word; Django has its settings by now."""
    from plumbline.supervision.administration.trail_words import WORDS

    return set(WORDS)


@dataclass
class Stage:
    """The platform with everybody who acts on it, and its books."""

    world: Any
    office: Office
    visitors: dict[str, Visitor]
    #: The address that is being tried, and how often its traces were looked at.
    address: str = ""
    looked: int = 0
    #: Applications for keys by how far they have come; a form about keys may be sent thirty times an hour.
    applicants: dict[str, Applicant] = field(default_factory=dict)

    # --- who acts ---

    @cached_property
    def one(self) -> Browser:
        """An officer of the city, trace.one."""
        return self.office.officer("trace.one")

    @cached_property
    def two(self) -> Browser:
        """Another one, trace.two."""
        return self.office.officer("trace.two")

    def account(self) -> str:
        """A new account without password and roles."""
        name = f"trace.{next(_serial)}"
        made = self.office.system.post("/accounts/new/", username=name, label="收发", division="610303")
        assert made.url.path == f"/accounts/{name}/", made.text[:500]
        return name

    def person(self, *, with_factor: bool = False) -> tuple[str, Browser]:
        """A new account whose owner is signed in."""
        name = f"trace.{next(_serial)}"
        owner = self.office.make(name)
        owner.sign_in(name)
        if with_factor:
            owner.take_second_factor()
        return name, owner

    @cached_property
    def plain(self) -> tuple[str, Browser]:
        """Somebody who is signed in, and stays as they are."""
        return self.person()

    @cached_property
    def guarded(self) -> tuple[str, Browser]:
        """The same, with a second factor."""
        return self.person(with_factor=True)

    def applicant(self, state: str = "applied") -> Applicant:
        """Somebody whose application for a key has come so far; a new one where there is none."""
        if state in self.applicants:
            return self.applicants.pop(state)
        who = applied(self.visitors)
        if state in ("new", "applied"):
            return who
        assert self.visitors["officer"].post(who.desk + "sandbox/").status_code == 200
        if state == "tried":
            answered(self.world, who, 200)
            for _ in range(5):
                assert sent(self.world, who).json()["sandbox"] is True
        return who

    # --- the books ---

    @cached_property
    def _web(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.world.platform.conninfo("plumb_web"), autocommit=True)

    @cached_property
    def _log(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.world.platform.conninfo("plumb_projector"), autocommit=True)

    @cached_property
    def _owner(self) -> psycopg.Connection[Any]:
        conn = psycopg.connect(self.world.platform.conninfo("plumb_migrate"), autocommit=True)
        conn.execute("SET ROLE plumb_owner")
        return conn

    def change_unseen(self, statement: str) -> None:
        """What an act would do that leaves no trace."""
        self._owner.execute(statement.encode())

    def close(self) -> None:
        """Close the connections that were opened."""
        for name in ("_web", "_log", "_owner"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def _place(self) -> tuple[int, tuple[int, int]]:
        """How far trail and log have come."""
        (last,) = self._web.execute("SELECT coalesce(max(id), 0) FROM ops.audit_event").fetchone()  # type: ignore[misc]
        return last, self._log.execute("SELECT epoch, size FROM journal.head").fetchone()  # type: ignore[return-value]

    def _entries(self, after: tuple[int, int]) -> list[tuple[str, str]]:
        """(kind, sender) of what was entered since, without what the platform enters by itself."""
        found = self._log.execute(_ENTRIES, after).fetchall()
        return [each for each in found if each[0] not in BY_ITSELF]

    def _state(self) -> dict[str, tuple[int, int]]:
        """Number of rows and newest transaction of every table that an act could touch beside the log."""
        tables = [row[0] for row in self._owner.execute(_TABLES) if row[0] not in BESIDE]
        parts = (
            f"SELECT '{name}', count(*), {'0' if name in COUNTED else 'coalesce(max(xmin::text::bigint), 0)'} FROM {name}"
            for name in tables
        )
        return {row[0]: (row[1], row[2]) for row in self._owner.execute(" UNION ALL ".join(parts).encode())}

    @contextmanager
    def leaves(self, *events: Event, entries: tuple[tuple[str, str], ...] = ()) -> Iterator[list[Any]]:
        """Exactly these events and these entries are there after the block. Yields what becomes the list of the events found."""
        last, after = self._place()
        found: list[Any] = []
        yield found
        found += self._web.execute(_EVENTS, [last]).fetchall()
        # on a slow machine a proof of identity may fall due in between; it is an event of its own
        told = [each for each in found if each[0] != "session.confirmed" or self.address in PROOFS]
        assert len(told) == len(events), (found, events)
        assert {each[0] for each in told} <= _words(), "readers of the trail have a word for it"
        for wanted, each in zip(events, told, strict=True):
            subject = each[2] if wanted.subject is None else wanted.subject
            assert each[:4] == (wanted.action, wanted.actor, subject, wanted.outcome), (found, events)
        if (
            told and " " not in self.address
        ):  # a page, not an operation of the gateway: the event names the address
            assert f"POST {self.address.partition('/')[0]}" in {each[4] for each in told}, found
        if entries:
            assert sorted(self._entries(after)) == sorted(entries)
        self.looked += 1

    @contextmanager
    def leaves_nothing(self, because: str) -> Iterator[None]:
        """No event, no entry, and no table of the platform is otherwise; `because`: why none is owed."""
        assert len(because) > 8
        (last, after), before = self._place(), self._state()
        yield
        assert self._web.execute(_EVENTS, [last]).fetchall() == []
        assert self._entries(after) == []
        assert self._state() == before
        self.looked += 1


#: Addresses whose very act is a proof of identity.
PROOFS = {"account_reauthenticate", "mfa_reauthenticate"}

Exercise = Callable[[Stage], None]
#: Address → what does its act rightly, and what is refused at it.
EXERCISES: dict[str, Exercise] = {}
REFUSALS: dict[str, Exercise] = {}


def exercise(*names: str) -> Callable[[Exercise], Exercise]:
    """Declares the exercise of addresses."""
    return _declared(EXERCISES, names)


def refusal(*names: str) -> Callable[[Exercise], Exercise]:
    """Declares what is refused at addresses that are open to everybody."""
    return _declared(REFUSALS, names)


def _declared(table: dict[str, Exercise], names: tuple[str, ...]) -> Callable[[Exercise], Exercise]:
    def declare(does: Exercise) -> Exercise:
        assert not set(names) & set(table)
        table.update(dict.fromkeys(names, does))
        return does

    return declare
