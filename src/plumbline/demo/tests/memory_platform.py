"""A platform in memory for the demo's own tests (内存平台): decodes every message as the door does, and keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from plumbline.demo.cast import Cast, PartyKey, build_cast
from plumbline.demo.clients import PARTIES, Clients, open_ledger
from plumbline.demo.enrolment import Enrolment, project_entry
from plumbline.demo.keys import party_keys, report_keys
from plumbline.domain.reporting.code import new_code
from plumbline.evidence.leaf import entry_id
from plumbline.exchange.decode import decode_message, parse_message
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.reports import ReportApplied, ReportRegistered
from plumbline.exchange.submission import OriginSignature
from plumbline.sdk.client import Outgoing, Refused, Sent

TODAY = date(2026, 11, 21)
ENROLLED = datetime(2026, 8, 20, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Kept:
    """One message as it was sent."""

    party: PartyKey
    message: Message
    stated_at: datetime | None
    origin: tuple[str, ...]
    #: When it arrived, by the platform's clock.
    logged_at: datetime = ENROLLED


@dataclass
class MemoryPlatform:
    """Takes every message that decodes; gives a code to each application unless `withhold` says why not."""

    withhold: str | None = None
    now: Callable[[], datetime] = lambda: ENROLLED
    kept: list[Kept] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def kinds(self) -> list[str]:
        """Wire names in the order of arrival."""
        return [kind_of(each.message).tag for each in self.kept]

    def one(self, kind: type[Message]) -> Message:
        """The only message of a kind."""
        (found,) = [each.message for each in self.kept if isinstance(each.message, kind)]
        return found


@dataclass
class MemorySender:
    """A party's sender to a platform in memory."""

    platform: MemoryPlatform
    party: PartyKey
    sender: str
    role: str

    def send(
        self,
        message: Message,
        *,
        wait_s: float | None = None,
        stated_at: datetime | None = None,
        origin: Sequence[OriginSignature] | None = None,
    ) -> Sent:
        data = encode_message(message)
        decoded = decode_message(data)
        assert {self.role} & kind_of(decoded).senders
        assert decoded.sender == self.sender
        keys = tuple(each.key_id for each in origin or [])
        logged_at = stated_at or self.platform.now()
        self.platform.kept.append(Kept(self.party, decoded, stated_at, keys, logged_at))
        entry = entry_id(bytes.fromhex(self.sender), decoded.uid).hex()
        return Sent(
            entry=entry, epoch=1, index=len(self.platform.kept), logged_at=logged_at, duplicate=False,
            receipt="", result=self._result(decoded) if wait_s else None, body={},
        )  # fmt: skip

    def outgoing(self, message: Message, *, stated_at: datetime | None = None) -> Outgoing:
        return Outgoing(data=encode_message(message), stated_at=stated_at)

    def send_many(
        self, messages: Sequence[Message | Outgoing], *, wait_s: float | None = None
    ) -> list[Sent | Refused]:
        return [
            self.send(parse_message(each.data), origin=each.origin, stated_at=each.stated_at)
            if isinstance(each, Outgoing)
            else self.send(each)
            for each in messages
        ]

    def upload(self, data: bytes, media_type: str, *, stated_at: datetime | None = None) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.platform.files[digest] = data
        return digest

    def _result(self, message: Message) -> dict[str, object] | None:
        if isinstance(message, ReportApplied) and self.platform.withhold:
            return {"decision": {"state": "withheld", "reasons": [{"sentence": self.platform.withhold}]}}
        if isinstance(message, ReportApplied):
            code = new_code(date(2026, 11, 1), "HC0", lambda bits: message.uid.int & (1 << bits) - 1)
            return {"decision": {"state": "reserved", "code": code, "claims": "ABCDEF234567", "reasons": []}}
        if isinstance(message, ReportRegistered):
            return {"registration": {"state": "registered", "code": message.code}, "findings": []}
        return None


def memory_clients(
    tmp_path: Path, platform: MemoryPlatform, seed: int = 7
) -> tuple[Cast, Clients, Enrolment]:
    """The whole cast at a platform in memory, with real keys in a temporary folder."""
    cast = build_cast(seed, TODAY)
    senders = {
        party: MemorySender(platform, party, cast.party(party), cast.organisations[party].role)
        for party in PARTIES
    }
    keys = party_keys(cast, tmp_path, "institution")
    clients = Clients(
        parties=dict(senders), devices=dict(keys.devices), keys=report_keys(cast, tmp_path), ledger=open_ledger(cast, tmp_path),
        public_url="http://127.0.0.1:8700", reports=tmp_path / "reports",
    )  # fmt: skip
    projects = {works: project_entry(cast, works, ENROLLED) for works in cast.projects}
    return cast, clients, Enrolment(projects=projects, root_pem=keys.folder / "root.cert.pem")
