"""The demo's parties as senders (演示发送方): the client that other vendors use, under the demo's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import httpx

from plumbline.demo.cast import Cast, PartyKey
from plumbline.demo.keys import PartyKeys, institution_folder, party_folder, party_keys, report_keys
from plumbline.demo.ledger import Ledger
from plumbline.exchange.messages.header import Message
from plumbline.exchange.signatures import Signer
from plumbline.exchange.submission import OriginSignature
from plumbline.lab.keys import InstitutionKeys
from plumbline.sdk.client import Client, Outgoing, Refused, Sent, SentBook
from plumbline.sdk.client.receipts import BOOK, ReceiptBook
from plumbline.sdk.client.transport import open_http

PARTIES: tuple[PartyKey, ...] = ("institution", "contractor", "owner", "resident_engineer_firm")


class Sender(Protocol):
    """What the chain needs of a party's client."""

    @property
    def sender(self) -> str:
        """Party id, 32 hex."""
        ...

    def send(
        self,
        message: Message,
        *,
        wait_s: float | None = None,
        stated_at: datetime | None = None,
        origin: Sequence[OriginSignature] | None = None,
    ) -> Sent:
        """Send one message; see `plumbline.sdk.client.Client.send`."""
        ...

    def outgoing(self, message: Message, *, stated_at: datetime | None = None) -> Outgoing:
        """A message with the party's signature, to be sent with others."""
        ...

    def send_many(
        self, messages: Sequence[Message | Outgoing], *, wait_s: float | None = None
    ) -> list[Sent | Refused]:
        """Send several messages together; see `plumbline.sdk.client.Client.send_many`."""
        ...

    def upload(self, data: bytes, media_type: str, *, stated_at: datetime | None = None) -> str:
        """Send a file and return its SHA-256 in hex."""
        ...


@dataclass(frozen=True, slots=True)
class Books:
    """What a party was acknowledged and what it sent, in its own folder: with both it can send again what a restore has lost."""

    receipts: ReceiptBook
    sent: SentBook

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The books of a folder, made at first use; reports lie beside them already."""
        # A city sends a hundred messages a second, and sends them again after a crash: a sync for each of them buys nothing.
        return cls(
            ReceiptBook(folder / BOOK, messages=False, synced=False),
            SentBook(folder / "sent", elsewhere=("application/pdf",), synced=False),
        )

    def close(self) -> None:
        """Close both."""
        self.receipts.close()
        self.sent.close()


class PartyClient:
    """A party's client; `stated_at` moves the clock of a demo log for files as it does for messages."""

    def __init__(
        self,
        base_url: str,
        party: str,
        keys: PartyKeys,
        ca: Path | None = None,
        books: Books | None = None,
    ) -> None:
        self._http: httpx.Client = open_http(base_url, ca)
        self._client = Client(
            base_url,
            sender=party,
            transport=keys.transport,
            origin=keys.origin,
            http=self._http,
            retries=8,
            receipts=books.receipts if books else None,
            sent=books.sent if books else None,
        )
        self.books = books

    @property
    def sender(self) -> str:
        """Party id, 32 hex."""
        return self._client.sender

    @property
    def http(self) -> httpx.Client:
        """The connection, for calls that are no submissions."""
        return self._http

    @property
    def base_url(self) -> str:
        """Public address of the platform."""
        return self._client.base_url

    def send(
        self,
        message: Message,
        *,
        wait_s: float | None = None,
        stated_at: datetime | None = None,
        origin: Sequence[OriginSignature] | None = None,
    ) -> Sent:
        """Send one message; see `plumbline.sdk.client.Client.send`."""
        return self._client.send(message, wait_s=wait_s, stated_at=stated_at, origin=origin)

    def outgoing(self, message: Message, *, stated_at: datetime | None = None) -> Outgoing:
        """A message with the party's signature, to be sent with others."""
        return self._client.outgoing(message, stated_at=stated_at)

    def send_many(
        self, messages: Sequence[Message | Outgoing], *, wait_s: float | None = None
    ) -> list[Sent | Refused]:
        """Send several messages together; see `plumbline.sdk.client.Client.send_many`."""
        return self._client.send_many(messages, wait_s=wait_s)

    def upload(self, data: bytes, media_type: str, *, stated_at: datetime | None = None) -> str:
        """Send a file and return its SHA-256 in hex."""
        # The platform logs a file's arrival as an entry of its own; without the stated time that entry would
        # be of today, and no later entry may lie before it.
        if stated_at is not None:
            self._http.headers["Plumb-Demo-Time"] = stated_at.isoformat(timespec="microseconds")
        try:
            return self._client.upload(data, media_type)
        finally:
            self._http.headers.pop("Plumb-Demo-Time", None)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Every party's sender, the institution's device and report keys, and its ledger. A context manager."""

    parties: dict[PartyKey, Sender]
    devices: dict[str, Signer]
    keys: InstitutionKeys
    ledger: Ledger
    #: Public address of the platform, as it stands in the QR code.
    public_url: str
    #: Folder of the institution's own copies of its reports.
    reports: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self.parties.values():
            if isinstance(client, PartyClient):
                client.close()
                if client.books is not None:
                    client.books.close()


def open_clients(cast: Cast, data_dir: Path, base_url: str, ca: Path | None = None) -> Clients:
    """Clients of all parties, with the keys in `data_dir`; `base_url` is the platform's public address."""
    keys = {party: party_keys(cast, data_dir, party) for party in PARTIES}
    return Clients(
        parties={
            party: PartyClient(
                base_url,
                cast.party(party),
                keys[party],
                ca,
                Books.open(party_folder(cast, data_dir, party)),
            )
            for party in PARTIES
        },
        devices=dict(keys["institution"].devices),
        keys=report_keys(cast, data_dir),
        ledger=open_ledger(cast, data_dir),
        public_url=base_url.rstrip("/"),
        reports=institution_folder(cast, data_dir) / "reports",
    )


def open_ledger(cast: Cast, data_dir: Path) -> Ledger:
    """The institution's ledger in its own folder."""
    return Ledger(institution_folder(cast, data_dir) / "ledger.json")
