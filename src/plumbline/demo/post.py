"""Sending one report's messages (发报): ids from seed and step, the demo's clock, key pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from plumbline.demo.cast import PartyKey
from plumbline.demo.clients import Clients
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.header import Message, Picture
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.uids import derived_uid
from plumbline.lab.reporting.pictures import PictureKind, demo_picture
from plumbline.sdk.client import Sent

#: Kinds without a drawing of their own are drawn as the sealed sample that they show.
_DRAWN_AS: Mapping[str, PictureKind] = {"receipt": "sealed_sample", "scene": "placard"}


@dataclass(frozen=True, slots=True)
class Post:
    """Sends in the name of the parties for one subject `key`."""

    clients: Clients
    key: str
    seed: int
    uid_at: datetime | None = None
    stated: bool = False

    def make(
        self, party: PartyKey, kind: type[Message], at: datetime, step: str, /, **fields: Any
    ) -> Message:
        """A message of `party`; same seed, key, step and time give the same uid, so a repeat changes
        nothing."""
        sender = self.clients.parties[party].sender
        tag = str(kind.__struct_config__.tag)
        uid = derived_uid(tag, f"demo.{self.seed}", f"{self.key}/{step}", self.uid_at or at)
        return kind(v=1, uid=uid, sender=sender, occurred_at=at, **fields)

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
        message = self.make(party, kind, at, step, **fields)
        origin = [sign_origin(self.clients.devices[device], encode_message(message))] if device else None
        return self.clients.parties[party].send(
            message, wait_s=wait_s, stated_at=self._stated(at), origin=origin
        )

    def upload(self, party: PartyKey, data: bytes, media_type: str, at: datetime) -> str:
        """Send a file; its SHA-256 in hex."""
        return self.clients.parties[party].upload(data, media_type, stated_at=self._stated(at))

    def pictures(self, party: PartyKey, lines: Mapping[str, Sequence[str]], at: datetime) -> list[Picture]:
        """Draw, upload and name the key pictures; each carries a mark of its own, as photographs differ."""
        taken = []
        for kind, text in lines.items():
            mark = hashlib.sha256(f"{self.seed}/{self.key}/{kind}".encode()).hexdigest()[:8].upper()
            drawn = demo_picture(_DRAWN_AS.get(kind, cast("PictureKind", kind)), [*text, f"影像号 {mark}"])
            digest = self.upload(party, drawn, "image/png", at)
            taken.append(
                Picture(picture=kind, sha256=digest, captured_at=at, media_type="image/png")  # type: ignore[arg-type]
            )
        return taken

    def _stated(self, at: datetime) -> datetime | None:
        return at if self.stated else None
