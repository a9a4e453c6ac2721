"""Who sends in the drill (报送方): parties with keys, books and clients of their own, and the drill's own memory of every answer."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.drill.kill.site import Site
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import KeyEnrolled, PartyRegistered
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.sdk.client import Client, ReceiptBook, SentBook
from plumbline.sdk.client.answering import Answered, Answerer
from plumbline.sdk.client.problems import Refused, Unreachable
from plumbline.supervision.journal.keys import public_bytes


@dataclass(slots=True)
class Acknowledged:
    """One answer that a sender got: the drill's own note, apart from every book and table."""

    entry: str
    uid: str
    sender: str
    message: bytes
    at: float


@dataclass(slots=True)
class Sender:
    """A party that sends, keeps its receipts and what it sent, and answers by itself when it is asked."""

    name: str
    party: str
    transport: Ed25519Signer
    origin: Ed25519Signer
    folder: Path
    acknowledged: list[Acknowledged] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _receipts: ReceiptBook | None = None
    _sent: SentBook | None = None

    @property
    def receipts(self) -> ReceiptBook:
        """What it was acknowledged."""
        if self._receipts is None:
            self._receipts = ReceiptBook(self.folder / "receipts.db", messages=False)
        return self._receipts

    @property
    def sent(self) -> SentBook:
        """What it sent."""
        if self._sent is None:
            self._sent = SentBook(self.folder / "sent")
        return self._sent

    def client(self, site: Site, *, retries: int = 6, gateway: int = 0) -> Client:
        """A client of one gateway, for one thread."""
        return Client(
            f"http://127.0.0.1:{site.ports[gateway % len(site.ports)]}",
            sender=self.party,
            transport=self.transport,
            origin=self.origin,
            retries=retries,
            receipts=self.receipts,
            sent=self.sent,
            pause=lambda seconds: time.sleep(min(seconds, 0.3)),
        )

    def send(
        self,
        client: Client,
        message: Message,
        personal: tuple[PersonalRecord, ...] = (),
        wait_s: float | None = None,
    ) -> tuple[str, dict[str, object]]:
        """Send and note the answer; entry id and what the platform made of it."""
        answer = client.send(message, personal=personal, wait_s=wait_s)
        self.acknowledged.append(
            Acknowledged(
                entry=answer.entry,
                uid=str(message.uid),
                sender=self.party,
                message=encode_message(message),
                at=time.monotonic(),
            )
        )
        return answer.entry, answer.result or {}

    def answer_until(self, site: Site, stop: threading.Event, patience_s: float) -> None:
        """Look into the feed again and again until stopped, as a sender's own program does."""
        with self.client(site) as client:
            answerer = Answerer(client, self.sent, self.receipts, patience_s=patience_s, pause=_short)
            while not stop.is_set():
                try:
                    self.answered += answerer.answer()
                except (Unreachable, Refused) as error:
                    self.errors.append(f"{type(error).__name__} {error}")
                stop.wait(0.2)

    def close(self) -> None:
        """Close the books."""
        for book in (self._receipts, self._sent):
            if book is not None:
                book.close()
        self._receipts = self._sent = None


def _short(seconds: float) -> None:
    time.sleep(min(seconds, 0.3))


def new_key(name: str) -> Ed25519Signer:
    """A fresh key."""
    return Ed25519Signer(f"drill.{name}.{uuid.uuid4().hex[:8]}", Ed25519PrivateKey.generate())


def enrol_key(site: Site, party: str, key: Ed25519Signer, use: str) -> None:
    """The station enrols a key."""
    now = datetime.now(UTC)
    site.desk(
        site.message(
            site.station,
            KeyEnrolled,
            party=party,
            key_id=key.key_id,
            algorithm="ed25519",
            use=use,
            public_key=base64.b64encode(public_bytes(key.key)).decode(),
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=30),
        )
    )


def enrol(site: Site, name: str, base: str, roles: list[str], folder: Path) -> Sender:
    """A party with two keys; `base` are the first 17 characters of its credit code."""
    uscc = base + uscc_check_character(base)
    made = Sender(name, party_id(uscc).hex(), new_key("transport"), new_key("origin"), folder / name)
    site.desk(
        site.message(
            site.station,
            PartyRegistered,
            party=made.party,
            uscc=uscc,
            name=name,
            roles=roles,
            division="610300",
        )
    )
    for use, key in (("transport", made.transport), ("origin", made.origin)):
        enrol_key(site, made.party, key, use)
    return made
