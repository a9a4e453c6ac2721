"""The client of the exchange (客户端): one sender, one transport key, one connection to one platform."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx
import msgspec

from plumbline.evidence.leaf import entry_id
from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.messages.header import Message
from plumbline.exchange.origin import sign_batch, sign_origin
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.signatures import Signer
from plumbline.exchange.submission import OriginSignature
from plumbline.sdk.client.batches import Outgoing, rfc3339, send_waiting
from plumbline.sdk.client.problems import Refused
from plumbline.sdk.client.receipts import ReceiptBook, ReceiptStore
from plumbline.sdk.client.sent import SentBook
from plumbline.sdk.client.transport import Call, Transport, open_http
from plumbline.sdk.client.uploads import announce, upload

_NOT_FOUND = 404
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What the platform answered to a message that is now in the log (已入账)."""

    #: entry id, 32 hex: names the entry and the object that it created
    entry: str
    epoch: int
    index: int
    #: aware
    logged_at: datetime
    #: the same uid and bytes had been logged before; the receipt is of that entry
    duplicate: bool
    #: C2SP tlog-proof, checked offline by `plumbline verify`
    receipt: str
    #: what the projection made of it; None unless a wait was asked for and it came in time
    result: dict[str, Any] | None
    #: the whole answer
    body: dict[str, Any]


class Client:
    """Sends messages and files of one sender; a context manager. Use one client a thread.

    `sender` is the party id (32 hex); `transport` signs requests; `origin`, an asymmetric key, signs the
    messages themselves, so that a third party can be shown who made them. Repeats of a message carry the
    same uid and bytes, so nothing is logged twice.
    """

    def __init__(
        self,
        base_url: str,
        *,
        sender: str,
        transport: Signer,
        origin: Signer | None,
        http: httpx.Client | None = None,
        retries: int = 5,
        ca: Path | str | None = None,
        receipts: ReceiptStore | ReceiptBook | None = None,
        sent: SentBook | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.sender = sender
        self.origin = origin
        self.receipts = receipts
        self.sent = sent
        self._owns_http = http is None
        self._transport = Transport(
            base_url, transport, http or open_http(base_url, ca), retries=retries, pause=pause
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, unless the caller brought it."""
        if self._owns_http:
            self._transport.http.close()

    @property
    def base_url(self) -> str:
        """Public address of the platform, without a slash at the end."""
        return self._transport.base_url

    @property
    def clock_offset_s(self) -> float:
        """Platform's clock minus ours in seconds, as learned from a refusal as stale; 0 until then."""
        return self._transport.clock_offset_s

    def send(
        self,
        message: Message,
        *,
        personal: Sequence[PersonalRecord] = (),
        wait_s: float | None = None,
        stated_at: datetime | None = None,
        origin: Sequence[OriginSignature] | None = None,
    ) -> Sent:
        """Send a message and return its place in the log and its receipt.

        `wait_s` asks the platform to answer only when it has drawn its conclusions, at most so many seconds
        later (RFC 7240). `stated_at` moves the clock of a demo log. `origin` replaces the client's own
        origin signature, for instance by a device's.
        Raises :class:`Refused` with the remedy, or :class:`Unreachable` after bounded attempts.
        """
        data = encode_message(message)
        if origin is None:
            origin = [sign_origin(self.origin, data)] if self.origin else []
        return self.send_bytes(data, personal=personal, wait_s=wait_s, stated_at=stated_at, origin=origin)

    def send_bytes(
        self,
        data: bytes,
        *,
        origin: Sequence[OriginSignature],
        personal: Sequence[PersonalRecord] = (),
        wait_s: float | None = None,
        stated_at: datetime | None = None,
    ) -> Sent:
        """Like :meth:`send` for message bytes that exist already, such as those of a spool after a
        restart."""
        body = encode_submission(data, origin=origin, personal=personal)
        if self.sent is not None:
            self.sent.keep(_entry_of(data), data, origin, personal)
        headers = dict(_JSON)
        if wait_s is not None:
            headers["Prefer"] = f"wait={max(1, round(wait_s))}"
        if stated_at is not None:
            headers["Plumb-Demo-Time"] = rfc3339(stated_at)
        call = Call(
            method="POST",
            path="/x/v1/entries",
            body=body,
            message=data,
            headers=headers,
            extra_s=wait_s or 0.0,
        )
        sent = _sent(self._transport.call(call))
        if self.receipts is not None:
            self.receipts.keep(sent.entry, sent.receipt, data)
        if self.sent is not None and (claims := _claims_in(sent)):
            self.sent.keep_claims(sent.entry, claims)
        return sent

    def send_batch(
        self, messages: Sequence[Message], *, wait_s: float | None = None, stated_at: datetime | None = None
    ) -> list[Sent]:
        """Send several messages under one origin signature, one request each, in order; stops at the first
        that fails.

        Those sent before stay in the log; sending all of them again is harmless.
        """
        encoded = [encode_message(each) for each in messages]
        if not encoded:
            return []
        signatures = (
            [[each] for each in sign_batch(self.origin, encoded)] if self.origin else [[] for _ in encoded]
        )
        return [
            self.send_bytes(data, origin=origin, wait_s=wait_s, stated_at=stated_at)
            for data, origin in zip(encoded, signatures, strict=True)
        ]

    def outgoing(
        self,
        message: Message,
        *,
        personal: Sequence[PersonalRecord] = (),
        stated_at: datetime | None = None,
        origin: Sequence[OriginSignature] | None = None,
    ) -> Outgoing:
        """A message as :meth:`send_many` takes it, signed by the client's own origin key unless `origin` is given."""
        data = encode_message(message)
        if origin is None:
            origin = [sign_origin(self.origin, data)] if self.origin else []
        return Outgoing(data=data, origin=origin, personal=personal, stated_at=stated_at)

    def send_many(
        self, messages: Sequence[Message | Outgoing], *, wait_s: float | None = None
    ) -> list[Sent | Refused]:
        """Send several messages in as few requests as they fit in: what waited while the line was cut, for instance.

        What became of each, in the order given; one that is refused holds up none of the others. What the platform could not take
        yet is sent again. Raises :class:`Unreachable`, or :class:`Refused` when a whole request was refused (a revoked key); those
        sent before stay in the log, and sending all of them again is harmless.
        """
        waiting = [each if isinstance(each, Outgoing) else self.outgoing(each) for each in messages]
        if self.sent is not None:
            self.sent.keep_all(
                (_entry_of(each.data), each.data, each.origin, each.personal) for each in waiting
            )

        def read(body: dict[str, Any], status: int, each: Outgoing) -> Sent:
            sent = _sent_of(body, status)
            if self.receipts is not None:  # at once: the next request may find the line cut
                self.receipts.keep(sent.entry, sent.receipt, each.data)
            if self.sent is not None and (claims := _claims_in(sent)):
                self.sent.keep_claims(sent.entry, claims)
            return sent

        return send_waiting(self._transport, waiting, read, wait_s=wait_s)

    def dry_run(self, message: Message) -> dict[str, Any]:
        """What the platform would say about a message, without logging it (试报)."""
        data = encode_message(message)
        body = encode_submission(data, origin=[sign_origin(self.origin, data)] if self.origin else [])
        return _object(
            self._transport.call(
                Call(method="POST", path="/x/v1/dry-run", body=body, message=data, headers=_JSON)
            )
        )

    def upload(self, data: bytes, media_type: str, *, stated_at: datetime | None = None) -> str:
        """Send a file by resumable upload and return its SHA-256 in hex; at once when the platform holds it
        already."""
        headers = {} if stated_at is None else {"Plumb-Demo-Time": rfc3339(stated_at)}
        if self.sent is not None:
            self.sent.keep_file(data, media_type)
        return upload(self._transport, data, media_type, headers=headers)

    def announce(self, sha256: str, length: int, media_type: str) -> bool:
        """Announce a file without its bytes; whether the platform holds it already, and has entered it."""
        return announce(self._transport, sha256, length, media_type)

    def has_entry(self, entry: str) -> bool:
        """Whether an entry, of whomever, is on the platform and taken into its tables."""
        try:
            self._transport.call(Call(method="GET", path=f"/x/v1/entries/{entry}"))
        except Refused as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            return False
        return True

    def receipt(self, uid: UUID | str) -> str:
        """The newest receipt of the entry that this sender sent as `uid`, cosigned by whoever has cosigned
        so far."""
        answer = self._transport.call(
            Call(method="GET", path=f"/x/v1/receipts/{self.sender}/{UUID(str(uid))}")
        )
        if answer.headers.get("content-type", "").partition(";")[0] == "application/json":
            return str(_object(answer)["receipt"])
        return answer.text

    def changes(self, after: int = -1) -> Iterator[dict[str, Any]]:
        """What happened to this sender's objects after log index `after`, oldest first, until there is no
        more."""
        while True:
            answer = self._transport.call(Call(method="GET", path=f"/x/v1/changes?after={after}"))
            page = _object(answer)
            yield from page["items"]
            following = int(page["next"])
            if not page["items"] or following <= after:
                return
            after = following


class _Named(msgspec.Struct):
    uid: UUID
    sender: str


def _entry_of(data: bytes) -> str:
    """The entry id that message bytes will have."""
    named = msgspec.json.decode(data, type=_Named)
    return entry_id(bytes.fromhex(named.sender), named.uid).hex()


def _claims_in(sent: Sent) -> str | None:
    """Claims of the code that the platform gave with its answer."""
    decision = (sent.result or {}).get("decision") or {}
    claims = decision.get("claims")
    return str(claims) if claims else None


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise Refused({"title": "平台的答复不能解析", "remedy": "核对平台地址"}, answer.status_code)
    return body


def _sent(answer: httpx.Response) -> Sent:
    return _sent_of(_object(answer), answer.status_code)


def _sent_of(body: dict[str, Any], status: int) -> Sent:
    try:
        return Sent(
            entry=str(body["entry"]),
            epoch=int(body["epoch"]),
            index=int(body["index"]),
            logged_at=datetime.fromisoformat(str(body["logged_at"])),
            duplicate=bool(body["duplicate"]),
            receipt=str(body["receipt"]),
            result=body.get("result"),
            body=body,
        )
    except (KeyError, ValueError) as error:
        raise Refused({"title": "平台的答复缺少内容", "detail": str(error)}, status) from error
