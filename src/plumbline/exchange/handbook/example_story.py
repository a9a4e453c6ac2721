"""The story that the examples tell (示例故事): each step is told once and named by those after it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from plumbline.exchange.handbook.example_cast import PARTY, entry, uid
from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.header import Message


class Story:
    """Examples in the order of events; a later one names an earlier one by its kind."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.entries: dict[str, str] = {}

    def tell(self, kind: str, role: str, when: datetime, /, **fields: Any) -> None:
        """Add the example of `kind`, sent by the party in `role` at `when`."""
        identifier = uid(kind, when)
        self.messages[kind] = KINDS[kind].type(
            v=1, uid=identifier, sender=PARTY[role], occurred_at=when, **fields
        )
        self.entries[kind] = entry(PARTY[role], identifier)
