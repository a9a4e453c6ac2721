"""Entries that the platform itself makes (平台入账): web forms and workers use the same append as the gateway.

They are signed by the web attestation key and shown as *platform-attested*, which is weaker than signed by the institution.
`submit` uses its own connection and commits by itself, never inside a request's transaction.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Literal

import msgspec
import psycopg

from plumbline.exchange.decode import decode_message
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Signer
from plumbline.exchange.submission import Envelope, encode_envelope
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import SigningStopped
from plumbline.supervision.journal.model import Accepted, Outcome, Pending, canonical_claim
from plumbline.supervision.journal.vault import SealedRecord

_ENCODER = msgspec.json.Encoder()
#: What entry 0 makes of the operator (projection of `log.opened`).
PLATFORM_ROLES = frozenset({"platform", "station"})


def encode_message(message: Message) -> bytes:
    """Wire bytes of a message that we make; fields that are absent are left out."""
    body = msgspec.to_builtins(message)
    return _ENCODER.encode({k: v for k, v in body.items() if v is not None})


def pending_from(
    message: Message,
    signer: Signer,
    *,
    channel: Literal["session", "internal"],
    session: str | None = None,
    personal: list[SealedRecord] | None = None,
    stated_at: datetime | None = None,
) -> Pending:
    """A pending entry with the platform's own origin signature; passes the same decoding as a stranger's message."""
    data = encode_message(message)
    decode_message(data)
    envelope = Envelope(
        v=1,
        channel=channel,
        key_id=signer.key_id,
        signature_base="",
        signature="",
        origin=[sign_origin(signer, data)],
        personal=[record.digest.hex() for record in personal or []],
        session=session,
    )
    return Pending(
        sender_id=bytes.fromhex(message.sender),
        uid=message.uid,
        key_id=signer.key_id,
        envelope=encode_envelope(envelope),
        message=data,
        arrived_at=datetime.now(UTC),
        claims=[canonical_claim(kind, value) for kind, value in kind_of(message).claims(message)],
        personal=personal or [],
        stated_at=stated_at,
    )


class PlatformSender:
    """`submit` for web and worker: one journal connection, one lock, bounded retries."""

    def __init__(self, journal: Journal, signer: Signer, *, roles: frozenset[str] = PLATFORM_ROLES) -> None:
        self._journal = journal
        self._signer = signer
        self._roles = roles
        self._lock = threading.Lock()

    def in_demo_time(self, message: Message) -> Message:
        """The message as of a demo's present; itself in every other log."""
        at = self.present()
        return msgspec.structs.replace(message, occurred_at=at) if at else message

    def present(self) -> datetime | None:
        """A demo's present; None in every other log. Raises :class:`Problem` where the log is not to be had."""
        try:
            with self._lock:
                return self._journal.present()
        except psycopg.Error as error:
            raise Problem(slug="unavailable", retry_after_s=5) from error
        except SigningStopped as stopped:
            self._forget()
            raise Problem(slug="unavailable", detail=str(stopped), retry_after_s=60) from stopped

    def submit(
        self,
        message: Message,
        *,
        session: str | None = None,
        personal: list[SealedRecord] | None = None,
        stated_at: datetime | None = None,
    ) -> Accepted:
        """Append one message and return its receipt; raises :class:`Problem` when it is refused.

        A host that must not sign is `unavailable`: callers wait as they do for a lost database.
        """
        pending = self.pending(message, session=session, personal=personal, stated_at=stated_at)
        outcome = self.append([pending])[0]
        if isinstance(outcome, Problem):
            raise outcome
        return outcome

    def pending(
        self,
        message: Message,
        *,
        session: str | None = None,
        personal: list[SealedRecord] | None = None,
        stated_at: datetime | None = None,
    ) -> Pending:
        """The platform's own entry, ready to be appended; raises :class:`Problem` for a kind that it does not send."""
        kind = kind_of(message)
        if not kind.senders & self._roles:
            raise Problem(slug="kind-not-allowed", detail=f"{kind.title}（{kind.tag}）不由平台发送")
        return pending_from(
            message,
            self._signer,
            channel="session" if session else "internal",
            session=session,
            personal=personal,
            stated_at=stated_at,
        )

    def append(self, batch: list[Pending]) -> list[Outcome]:
        """Append at most 64 entries in one transaction; what became of each, in the order given."""
        for attempt in range(5):
            try:
                with self._lock:
                    return self._journal.append(batch)
            except psycopg.Error:
                time.sleep(0.1 * 2**attempt)
                continue
            except SigningStopped as stopped:
                self._forget()
                raise Problem(slug="unavailable", detail=str(stopped), retry_after_s=60) from stopped
            except BaseException:  # the outcome is unknown; nothing more may run on this connection
                self._forget()
                raise
        raise Problem(slug="unavailable", retry_after_s=5)

    def _forget(self) -> None:
        with self._lock:
            self._journal.close()
