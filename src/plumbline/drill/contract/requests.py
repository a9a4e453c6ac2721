"""Requests before they are signed (请求): by whom they are sent decides keys, sender, uid and kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from plumbline.drill.contract.description import Operation
from plumbline.drill.contract.line import Headers, Line
from plumbline.drill.contract.senders import Sender
from plumbline.drill.contract.verdict import Answered, Asked
from plumbline.exchange.places import places_of, request_bytes
from plumbline.exchange.uids import new_uid


class _Part(msgspec.Struct):
    message: msgspec.Raw


class _Several(msgspec.Struct):
    submissions: list[msgspec.Raw]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One request to come. `operation` is None where nothing is described; `is_loose`: served, and not part of the description."""

    operation: Operation | None
    method: str
    address: str
    body: bytes = b""
    headers: Headers = ()
    how: str = ""
    #: A JSON body whose messages are to be the sender's own, of now.
    is_own: bool = False
    #: Signed before `headers` are added, which may spoil it.
    is_signed: bool = False
    is_loose: bool = False


def message_of(body: bytes) -> bytes:
    """What the message digest covers: the message part, what stands for several, or the body itself."""
    try:
        return bytes(msgspec.json.decode(body, type=_Part).message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        items = msgspec.json.decode(body, type=_Several).submissions
        parts = [bytes(msgspec.json.decode(bytes(each), type=_Part).message) for each in items]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body
    return request_bytes(places_of(parts)[0], len(parts)) if parts else body


def own_body(body: bytes, sender: Sender) -> bytes:
    """The same with `sender`, `uid` and `occurred_at` of this sender and of now; what cannot be read stays as it is."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    for each in value.get("submissions", [value]) if isinstance(value, dict) else []:
        message = each.get("message") if isinstance(each, dict) else None
        if isinstance(message, dict):
            now = datetime.now(UTC)
            message |= {"sender": sender.party, "uid": str(new_uid(now)), "occurred_at": now.isoformat()}
            message |= {"v": 1} if "v" in message else {}
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


@dataclass(kw_only=True)
class Asking:
    """Sends what is planned in the name of a sender over one line; `signs_for` is the address that signatures cover."""

    line: Line
    signs_for: str
    asked: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    def send(self, planned: Planned, sender: Sender) -> tuple[Asked, Answered]:
        """One request with what became of it."""
        if planned.is_own:
            planned = replace(planned, body=own_body(planned.body, sender))
        headers: list[tuple[str, str]] = []
        if planned.is_signed:
            message = message_of(planned.body)
            signed = sender.signed(planned.method, self.signs_for + planned.address, planned.body, message)
            spoilt = {name.lower() for name, _ in planned.headers}
            headers += [(name, value) for name, value in signed.items() if name.lower() not in spoilt]
        headers += planned.headers
        answered = self.line.ask(planned.method, planned.address, headers, planned.body)
        self.asked += 1
        self.statuses[answered.status] = self.statuses.get(answered.status, 0) + 1
        asked = Asked(
            sender=sender.name,
            operation=planned.operation,
            method=planned.method,
            address=planned.address,
            headers=dict(headers),
            body=planned.body,
            how=planned.how,
            is_loose=planned.is_loose,
        )
        return asked, answered


def json_bytes(value: Any) -> bytes:
    """JSON as a careless program writes it: lone surrogates included."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def good_values(known: Mapping[str, str]) -> dict[str, str]:
    """A value for each parameter of a path that leads somewhere, with what the platform is known to hold."""
    made = {"epoch": "1", "old": "1", "new": "2", "level": "0", "index": "000", "kind": "run.recorded"}
    made |= {"slug": "schema", "code": "0", "upload": "0" * 32, "entry": "0" * 32}
    made |= {"sender": "0" * 32, "uid": "0193a000-0000-7000-8000-000000000000"}
    return made | dict(known)
