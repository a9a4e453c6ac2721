"""Live streams (实时曲线): a publisher sends chunks of a running test, browsers follow by Server-Sent Events.

Nothing of a stream is kept: the recorded run is what counts. A stream ends with its publisher or after two hours.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from plumbline.exchange.problems import Problem

MAX_STREAMS = 200
MAX_FOLLOWERS = 200
MAX_BACKLOG = 4000
#: What a stream keeps, and what may wait for one reader.
MAX_STREAM_BYTES = 2 * 1024 * 1024
MAX_LIFE_S = 2 * 3600.0
TOKEN_LIFE_S = 60


@dataclass(eq=False, slots=True)
class _Follower:
    """One browser's queue; None ends it. The bytes that wait are counted: a reader that is too slow is let go."""

    queue: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    waiting: int = 0

    def give(self, text: str) -> bool:
        """Queue one event; False when this reader has fallen too far behind."""
        self.waiting += _size(text)
        if self.waiting > MAX_STREAM_BYTES:
            return False
        self.queue.put_nowait(text)
        return True


@dataclass(eq=False, slots=True)
class _Stream:
    events: deque[str] = field(default_factory=deque)
    bytes: int = 0
    followers: set[_Follower] = field(default_factory=set)
    began_at: float = field(default_factory=time.monotonic)
    changed_at: float = field(default_factory=time.monotonic)
    running: bool = False

    def begin(self) -> None:
        """Empty it for a new test."""
        self.events.clear()
        self.bytes = 0
        self.began_at = time.monotonic()
        self.running = True

    def add(self, text: str) -> None:
        """Keep one event for those who come later, at most 2 MB of them, and pass it on."""
        self.events.append(text)
        self.bytes += _size(text)
        while self.bytes > MAX_STREAM_BYTES or len(self.events) > MAX_BACKLOG:
            self.bytes -= _size(self.events.popleft())
        self.changed_at = time.monotonic()
        for follower in [each for each in self.followers if not each.give(text)]:
            self.let_go(follower)

    def let_go(self, follower: _Follower) -> None:
        """End one reader; its browser comes again by itself."""
        self.followers.discard(follower)
        follower.queue.put_nowait(None)

    def close(self) -> None:
        """End all readers."""
        for follower in list(self.followers):
            self.let_go(follower)


def _size(text: str) -> int:
    return len(text.encode())


class LiveHub:
    """Streams of one gateway process, by publishing party and name, so that nobody takes another's name.

    Other processes' followers reconnect to the one that has the stream.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._streams: dict[tuple[str, str], _Stream] = {}

    def token(self, stream: str, session: str, at: float | None = None, *, owner: str = "") -> str:
        """A 60-second token bound to session and stream, issued by web. `owner` is the party (32 hex) whose stream it opens;
        without it the token opens the first stream of that name."""
        expires = int((at or time.time()) + TOKEN_LIFE_S)
        return f"{expires}.{owner}.{self._mac(stream, session, expires, owner)}"

    def _mac(self, stream: str, session: str, expires: int, owner: str) -> str:
        text = f"{stream}\0{session}\0{expires}\0{owner}".encode()
        return hmac.digest(self._secret, text, hashlib.sha256).hex()[:32]

    def allows(self, token: str, stream: str, session: str) -> bool:
        """Whether a token opens this stream for this session now."""
        expires, _, rest = token.partition(".")
        owner, _, mac = rest.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 15) or int(expires) < time.time():
            return False
        wanted = self._mac(stream, session, int(expires), owner)
        return hmac.compare_digest(mac.encode(), wanted.encode())

    @staticmethod
    def owner_of(token: str) -> str:
        """The party that an allowed token names; empty when it names none."""
        return token.split(".")[1]

    def publish(self, name: str, owner: str, event: str, data: object) -> int:
        """Send one event; returns how many follow. Raises `forbidden` two hours after a stream began, until it begins anew."""
        self._end_old()
        stream = self._streams.get((owner, name)) or self._open(name, owner)
        if event == "start":
            stream.begin()
        elif time.monotonic() - stream.began_at > MAX_LIFE_S:
            raise Problem(slug="forbidden", detail="这个实时流已满两小时，请以 start 重新开始")
        if event == "end":
            stream.running = False
        stream.add(f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n")
        return len(stream.followers)

    def _open(self, name: str, owner: str) -> _Stream:
        while len(self._streams) >= MAX_STREAMS:
            oldest = min(self._streams, key=lambda key: self._streams[key].changed_at)
            self._streams.pop(oldest).close()
        stream = self._streams[owner, name] = _Stream()
        early = self._streams.pop(("", name), None) if owner else None
        if early:  # those who came before the first event, without knowing whose stream it would be
            stream.followers |= early.followers
        return stream

    def _end_old(self) -> None:
        """After two hours a test is over, whether its publisher said so or not: its readers are let go; what it sent goes later."""
        now = time.monotonic()
        for key, stream in list(self._streams.items()):
            if now - stream.began_at <= MAX_LIFE_S:
                continue
            stream.running = False
            stream.close()
            if now - stream.changed_at > MAX_LIFE_S:
                del self._streams[key]

    def _of(self, name: str, owner: str) -> _Stream | None:
        """The stream of a party; without a party the oldest of that name."""
        if owner:
            return self._streams.get((owner, name))
        return next((stream for key, stream in self._streams.items() if key[1] == name), None)

    def viewers(self, name: str) -> int:
        """How many follow streams of this name."""
        return sum(len(stream.followers) for key, stream in self._streams.items() if key[1] == name)

    def running(self) -> list[tuple[str, bool]]:
        """Streams that have sent something in the last five minutes, with whether a test is running."""
        self._end_old()
        now = time.monotonic()
        return [
            (key[1], stream.running)
            for key, stream in self._streams.items()
            if stream.events and now - stream.changed_at < 300
        ]

    def require_place(self, name: str) -> None:
        """Raise `queue-full` when a stream has as many followers as it may; before the answer has begun."""
        if self.viewers(name) >= MAX_FOLLOWERS:
            raise Problem(slug="queue-full", detail="看的人太多", retry_after_s=30)

    async def follow(self, name: str, owner: str = "") -> AsyncIterator[str]:
        """Events so far, then new ones; a comment every 15 s keeps the connection. Ends with the stream, at the latest after two
        hours."""
        self._end_old()
        stream = self._of(name, owner) or self._open(name, owner)
        follower, until = _Follower(), time.monotonic() + MAX_LIFE_S
        stream.followers.add(follower)
        try:
            for text in list(stream.events):
                yield text
            while time.monotonic() < until:
                try:
                    event = await asyncio.wait_for(follower.queue.get(), 15)
                except TimeoutError:
                    yield ": waiting\n\n"
                    continue
                if event is None:
                    return
                follower.waiting -= _size(event)
                yield event
        finally:
            for each in [stream, *self._streams.values()]:  # another stream may have taken it over since
                each.followers.discard(follower)
