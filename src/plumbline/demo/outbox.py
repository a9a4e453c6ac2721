"""What waits while a line is cut (待传队列): messages and files of a party in the order in which they were made, kept on disk.

A message keeps its own uid and capture time, so that sending it later, or twice, enters it once and says when it was made.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from plumbline.demo.cast import PartyKey
from plumbline.demo.clients import Sender
from plumbline.demo.post import Post
from plumbline.exchange.decode import parse_message
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.submission import OriginSignature
from plumbline.sdk.client import Outgoing, Refused, Sent, Unreachable


class Outbox:
    """One institution's queue, with the queues of those who work with it; shared by processes under a file lock."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "outbox.jsonl"
        self._plans = folder / "unfinished.jsonl"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, party: PartyKey, **content: Any) -> None:
        """Add to the end; durable on return."""
        with self._locked():
            _append(self._path, {"party": party, **content})

    def parties(self) -> set[str]:
        """Who has something waiting."""
        with self._locked():
            return {str(each["party"]) for each in _lines(self._path)}

    def waiting(self) -> int:
        """How many messages and files wait."""
        with self._locked():
            return len(_lines(self._path))

    def remember(self, ends_at: datetime, number: int) -> None:
        """A report that came as far as it could without the platform's answer."""
        with self._locked():
            _append(self._plans, {"ends_at": ends_at.isoformat(), "number": number})

    def unfinished(self) -> list[tuple[datetime, int]]:
        """Reports that still want their code."""
        with self._locked():
            return [
                (datetime.fromisoformat(each["ends_at"]), int(each["number"])) for each in _lines(self._plans)
            ]

    def finished(self, reports: Sequence[tuple[datetime, int]]) -> None:
        """These have it; what was remembered meanwhile stays."""
        done = {(ends_at.isoformat(), number) for ends_at, number in reports}
        with self._locked():
            left = [each for each in _lines(self._plans) if (each["ends_at"], each["number"]) not in done]
            _replace(self._plans, left)

    def drain(self, parties: Mapping[PartyKey, Sender]) -> list[Sent]:
        """Send what waits, in order, messages of one party together. What is sent twice because a run was broken off is recognised by
        its uid. Raises :class:`Refused` after those that go along; all stay in the queue then."""
        sent: list[Sent] = []
        with self._locked():
            for (party, is_file), group in groupby(
                _lines(self._path), key=lambda each: (each["party"], "file" in each)
            ):
                if is_file:
                    for each in group:
                        parties[party].upload(base64.b64decode(each["file"]), each["media_type"])
                else:
                    sent += _sent(parties[party].send_many([_outgoing(each) for each in group]))
            self._path.unlink(missing_ok=True)
        return sent

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _outgoing(line: Mapping[str, Any]) -> Outgoing | Message:
    """A queued message; one without a signature of its own is signed as it is sent."""
    data = base64.b64decode(line["message"])
    origin = [OriginSignature(**one) for one in line["origin"]]
    return Outgoing(data=data, origin=origin) if origin else parse_message(data)


def _sent(answers: Sequence[Sent | Refused]) -> list[Sent]:
    for each in answers:
        if isinstance(each, Refused):
            raise each
    return [each for each in answers if isinstance(each, Sent)]


def _append(path: Path, content: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, contents: list[dict[str, Any]]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    for each in contents:
        _append(temporary, each)
    if contents:
        os.replace(temporary, path)
    else:
        path.unlink(missing_ok=True)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueingSender:
    """A sender whose messages wait while its line is cut, or while others of its own wait before them."""

    inner: Sender
    party: PartyKey
    outbox: Outbox
    is_cut: Callable[[], bool]

    @property
    def sender(self) -> str:
        """Party id, 32 hex."""
        return self.inner.sender

    def send(
        self,
        message: Message,
        *,
        wait_s: float | None = None,
        stated_at: datetime | None = None,
        origin: Sequence[OriginSignature] | None = None,
    ) -> Sent:
        """Send, or keep; what is kept has the entry id that it will have. `wait_s` is of no use without a line."""
        if not self._must_wait():
            try:
                return self.inner.send(message, wait_s=wait_s, stated_at=stated_at, origin=origin)
            except Unreachable:
                pass
        return self._keep(message, encode_message(message), origin or [])

    def _keep(self, message: Message, data: bytes, origin: Sequence[OriginSignature]) -> Sent:
        signed = [{"key_id": o.key_id, "algorithm": o.algorithm, "signature": o.signature} for o in origin]
        self.outbox.put(self.party, message=base64.b64encode(data).decode(), origin=signed)
        return Post.unsent(message)

    def outgoing(self, message: Message, *, stated_at: datetime | None = None) -> Outgoing:
        """A message with the party's signature, to be sent with others."""
        return self.inner.outgoing(message, stated_at=stated_at)

    def send_many(
        self, messages: Sequence[Message | Outgoing], *, wait_s: float | None = None
    ) -> list[Sent | Refused]:
        """Send together, or keep each; see :meth:`send`."""
        if not self._must_wait():
            try:
                return self.inner.send_many(messages, wait_s=wait_s)
            except Unreachable:
                pass
        return [
            self._keep(parse_message(each.data), each.data, each.origin)
            if isinstance(each, Outgoing)
            else self._keep(each, encode_message(each), [])
            for each in messages
        ]

    def upload(self, data: bytes, media_type: str, *, stated_at: datetime | None = None) -> str:
        """Send or keep a file; its SHA-256 in hex."""
        if not self._must_wait():
            try:
                return self.inner.upload(data, media_type, stated_at=stated_at)
            except Unreachable:
                pass
        self.outbox.put(self.party, file=base64.b64encode(data).decode(), media_type=media_type)
        return hashlib.sha256(data).hexdigest()

    def _must_wait(self) -> bool:
        return self.is_cut() or self.party in self.outbox.parties()
