"""The city's parties as senders (各方发送): a few connections for each party, shared by all its projects."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from plumbline.demo.casework import number_series
from plumbline.demo.cast import Organisation, PartyKey
from plumbline.demo.clients import PARTIES, Books, Clients, PartyClient, Sender
from plumbline.demo.keys import PartyKeys, institution_folder, party_folder, party_keys, report_keys
from plumbline.demo.ledger import MemoryLedger
from plumbline.demo.living.drafts import Placed
from plumbline.demo.living.lines import Gathering, Line
from plumbline.demo.living.town import Team
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.submission import OriginSignature
from plumbline.lab.keys import InstitutionKeys
from plumbline.sdk.client import Outgoing, Refused, Sent

#: Connections of one party that may be busy at the same time.
CONNECTIONS = 8


class SharedSender:
    """Several clients of one party, lent to one thread at a time; a client itself serves one thread only."""

    def __init__(
        self,
        base_url: str,
        party: str,
        keys: PartyKeys,
        ca: Path | None = None,
        books: Books | None = None,
        *,
        gathering: Gathering | None = None,
    ) -> None:
        self.sender = party
        self._books, self._origin = books, keys.origin
        self._make = partial(PartyClient, base_url, party, keys, ca, books)
        self._made: list[PartyClient] = []
        self._free: queue.LifoQueue[PartyClient | None] = queue.LifoQueue()
        for _ in range(CONNECTIONS):
            self._free.put(None)
        #: What does not wait for the platform's conclusions does not wait for what does either.
        gathering = gathering or Gathering()
        self._lines = {False: Line(gathering, places=1), True: Line(gathering, places=2)}

    def send(
        self,
        message: Message,
        *,
        wait_s: float | None = None,
        stated_at: datetime | None = None,
        origin: Sequence[OriginSignature] | None = None,
    ) -> Sent:
        """Send one message, together with whatever else the party has to send by then; see `plumbline.sdk.client.Client.send`."""
        outgoing = self.outgoing(message, stated_at=stated_at, origin=origin)
        (told,) = self.send_many([outgoing], wait_s=wait_s)
        if isinstance(told, Refused):
            raise told
        return told

    def outgoing(
        self,
        message: Message,
        *,
        stated_at: datetime | None = None,
        origin: Sequence[OriginSignature] | None = None,
    ) -> Outgoing:
        """A message with the party's signature, to be sent with others."""
        data = encode_message(message)
        if origin is None:
            origin = [sign_origin(self._origin, data)] if self._origin else []
        return Outgoing(data=data, origin=origin, stated_at=stated_at)

    def send_many(
        self, messages: Sequence[Message | Outgoing], *, wait_s: float | None = None
    ) -> list[Sent | Refused]:
        """Send several messages, together with whatever else the party has to send by then."""
        waiting = [each if isinstance(each, Outgoing) else self.outgoing(each) for each in messages]
        return self._lines[wait_s is not None].send(waiting, partial(self._request, wait_s=wait_s))

    def _request(self, messages: Sequence[Outgoing], *, wait_s: float | None) -> list[Sent | Refused]:
        client = self._take()
        try:
            return client.send_many(messages, wait_s=wait_s)
        finally:
            self._free.put(client)

    def upload(self, data: bytes, media_type: str, *, stated_at: datetime | None = None) -> str:
        """Send a file and return its SHA-256 in hex."""
        client = self._take()
        try:
            return client.upload(data, media_type, stated_at=stated_at)
        finally:
            self._free.put(client)

    def close(self) -> None:
        """Close every connection."""
        for client in self._made:
            client.close()
        if self._books is not None:
            self._books.close()

    def _take(self) -> PartyClient:
        client = self._free.get()
        if client is None:
            client = self._make()
            self._made.append(client)
        return client


@dataclass(slots=True)
class CitySenders:
    """Clients for every team of a city; a context manager."""

    data_dir: Path
    base_url: str
    ca: Path | None = None
    #: Party id → its sender; filled as teams ask for theirs, or beforehand where another kind of sender serves.
    shared: dict[str, Sender] = field(default_factory=dict)
    _keys: dict[str, PartyKeys] = field(default_factory=dict)
    _reports: dict[str, InstitutionKeys] = field(default_factory=dict)
    ledgers: dict[int, MemoryLedger] = field(default_factory=dict)
    _clients: dict[tuple[str, int], Clients] = field(default_factory=dict)
    #: When what has gathered at the parties' lines is sent.
    gathering: Gathering = field(default_factory=Gathering)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sender in self.shared.values():
            if isinstance(sender, SharedSender):
                sender.close()

    def ledger(self, house: int) -> MemoryLedger:
        """The ledger of an institution."""
        return self.ledgers.setdefault(house, MemoryLedger())

    def clients(self, team: Team) -> Clients:
        """The clients of a team; teams share those of the parties that they share."""
        name = (team.works.key, team.house.number)
        if name not in self._clients:
            cast = team.cast
            institution = cast.party("institution")
            if institution not in self._reports:
                self._reports[institution] = report_keys(cast, self.data_dir)
            self._clients[name] = Clients(
                parties={role: self._sender(team, role, cast.organisations[role]) for role in PARTIES},
                devices=dict(self._keys_of(team, "institution").devices),
                keys=self._reports[institution],
                ledger=self.ledger(team.house.number),
                public_url=self.base_url.rstrip("/"),
                reports=institution_folder(cast, self.data_dir) / "reports",
            )
        return self._clients[name]

    def reserve(self, placed: Iterable[Placed]) -> None:
        """Numbers of commissions, reports and tags in the order in which they will be taken."""
        plans = list(placed)
        for each in sorted(plans, key=lambda p: p.plan.times.made):
            for i in range(each.plan.count):
                self.ledger(each.team.house.number).serial("tag", f"{each.plan.key}/{i}")
        for kind in ("commission", "report"):
            for each in sorted(plans, key=lambda p, k=kind: _taken_at(p, k)):  # type: ignore[misc]
                series = number_series(kind, each.plan.category, _taken_at(each, kind))
                self.ledger(each.team.house.number).serial(series, each.plan.key)

    def _sender(self, team: Team, role: PartyKey, who: Organisation) -> Sender:
        if who.party not in self.shared:
            self.shared[who.party] = SharedSender(
                self.base_url,
                who.party,
                self._keys_of(team, role),
                self.ca,
                Books.open(party_folder(team.cast, self.data_dir, role)),
                gathering=self.gathering,
            )
        return self.shared[who.party]

    def _keys_of(self, team: Team, role: PartyKey) -> PartyKeys:
        party = team.cast.party(role)
        if party not in self._keys:
            self._keys[party] = party_keys(team.cast, self.data_dir, role)
        return self._keys[party]


def _taken_at(placed: Placed, kind: str) -> datetime:
    times = placed.plan.times
    return times.commissioned if kind == "commission" else times.received
