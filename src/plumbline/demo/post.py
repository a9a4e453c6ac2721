"""Sending one report's messages (发报): ids from seed and step, the demo's clock, key pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from plumbline.demo.cast import PartyKey
from plumbline.demo.clients import Clients
from plumbline.evidence.leaf import entry_id
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.header import Message, Picture
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.uids import derived_uid
from plumbline.lab.reporting.pictures import PictureKind, demo_picture
from plumbline.sdk.client import Refused, Sent

#: Kinds without a drawing of their own are drawn as the sealed sample that they show.
_DRAWN_AS: Mapping[str, PictureKind] = {"receipt": "sealed_sample", "scene": "placard"}


#: Takes the fields of a step's message and gives those that are sent; None: the message is never sent.
Change = Callable[[dict[str, Any]], dict[str, Any] | None]
#: Party and true time → the time that its device shows, or at which it reaches the platform.
Moment = Callable[[PartyKey, datetime], datetime]


def punctual(party: PartyKey, at: datetime) -> datetime:
    """A device whose clock is right and whose line is up."""
    del party
    return at


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be made (待发内容): its type, the step that it stands for, its fields."""

    kind: type[Message]
    step: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Post:
    """Sends in the name of the parties for one subject `key`."""

    clients: Clients
    key: str
    seed: int
    uid_at: datetime | None = None
    stated: bool = False
    #: Step → what its sender alters in the message.
    changes: Mapping[str, Change] = field(default_factory=dict)
    #: What a party's device shows (时钟漂移).
    clock: Moment = punctual
    #: When a message of a party reaches the platform (延迟上传).
    uploaded: Moment = punctual

    def make(
        self, party: PartyKey, kind: type[Message], at: datetime, step: str, /, **fields: Any
    ) -> Message:
        """A message of `party`; same seed, key, step and time give the same uid, so a repeat changes
        nothing."""
        sender = self.clients.parties[party].sender
        tag = str(kind.__struct_config__.tag)
        uid = derived_uid(tag, f"demo.{self.seed}", f"{self.key}/{step}", self.uid_at or at)
        fields = {"occurred_at": self.clock(party, at)} | fields
        return kind(v=1, uid=uid, sender=sender, **fields)

    def send(
        self,
        party: PartyKey,
        kind: type[Message],
        at: datetime,
        step: str,
        /,
        *,
        device: str | None = None,
        wait_s: float | None = None,
        **fields: Any,
    ) -> Sent:
        """Make and send; with `device` the message is signed by that machine's own key as its origin."""
        message, is_sent = self._made(party, at, Draft(kind, step, fields))
        if not is_sent:
            return self.unsent(message)
        origin = [sign_origin(self.clients.devices[device], encode_message(message))] if device else None
        return self.clients.parties[party].send(
            message, wait_s=wait_s, stated_at=self._stated(party, at), origin=origin
        )

    def send_together(self, party: PartyKey, at: datetime, *drafts: Draft) -> list[Sent]:
        """Make and send what a party's software enters in one go; raises the first refusal after all were sent."""
        sender, stated = self.clients.parties[party], self._stated(party, at)
        made = [self._made(party, at, draft) for draft in drafts]
        waiting = [sender.outgoing(message, stated_at=stated) for message, is_sent in made if is_sent]
        told = iter(sender.send_many(waiting) if waiting else ())
        answers = [next(told) if is_sent else self.unsent(message) for message, is_sent in made]
        for each in answers:
            if isinstance(each, Refused):
                raise each
        return [each for each in answers if isinstance(each, Sent)]

    def _made(self, party: PartyKey, at: datetime, draft: Draft) -> tuple[Message, bool]:
        """The message of a draft, and whether its sender sends it."""
        fields = draft.fields
        change = self.changes.get(draft.step)
        changed = change(fields) if change else fields
        fields = fields if changed is None else changed
        return self.make(party, draft.kind, at, draft.step, **fields), changed is not None

    def upload(self, party: PartyKey, data: bytes, media_type: str, at: datetime) -> str:
        """Send a file; its SHA-256 in hex."""
        return self.clients.parties[party].upload(data, media_type, stated_at=self._stated(party, at))

    def pictures(self, party: PartyKey, lines: Mapping[str, Sequence[str]], at: datetime) -> list[Picture]:
        """Draw, upload and name the key pictures; each carries a mark of its own, as photographs differ."""
        taken = []
        for kind, text in lines.items():
            mark = hashlib.sha256(f"{self.seed}/{self.key}/{kind}".encode()).hexdigest()[:8].upper()
            drawn = demo_picture(_DRAWN_AS.get(kind, cast("PictureKind", kind)), [*text, f"影像号 {mark}"])
            digest = self.upload(party, drawn, "image/png", at)
            seen = self.clock(party, at)
            taken.append(
                Picture(picture=kind, sha256=digest, captured_at=seen, media_type="image/png")  # type: ignore[arg-type]
            )
        return taken

    def _stated(self, party: PartyKey, at: datetime) -> datetime | None:
        return self.uploaded(party, at) if self.stated else None

    @staticmethod
    def unsent(message: Message) -> Sent:
        """What later messages refer to when a message was kept back: the id that its entry would have."""
        entry = entry_id(bytes.fromhex(message.sender), message.uid).hex()
        never = datetime(1970, 1, 1, tzinfo=UTC)
        return Sent(
            entry=entry, epoch=0, index=-1, logged_at=never, duplicate=False, receipt="", result=None, body={}
        )
