"""New messages (新消息): fills what every message carries, so that callers state only the facts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from plumbline.exchange.messages.header import Message
from plumbline.exchange.uids import new_uid

Kind = TypeVar("Kind", bound=Message)


def stamp(
    kind_class: type[Kind], *, sender: str, at: datetime, uid_at: datetime | None = None, **fields: Any
) -> Kind:
    """A message of `kind_class` with `v`, a fresh `uid`, `sender` (32 hex) and `occurred_at` = `at` (aware).

    The uid carries `uid_at`, else `at`: give the present time there when history is sent, since the door
    refuses a uid more than 400 days old. Field values are checked when the message is decoded at the door;
    ValueError only for a naive instant.
    """
    if at.tzinfo is None or (uid_at is not None and uid_at.tzinfo is None):
        raise ValueError("an instant must carry its time zone")
    return kind_class(v=1, uid=new_uid(uid_at or at), sender=sender, occurred_at=at, **fields)
