"""A party's lines to the platform (报送线路): messages gather for a moment and go together, as an institution's front end sends them.

The moment ends when everything that is under way waits for an answer, so that a small city loses no time by it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from plumbline.exchange.submission import MAX_SUBMISSIONS
from plumbline.sdk.client import Outgoing, Refused, Sent

#: How long a message waits for others at most, seconds.
GATHER_S = 0.4
SendMany = Callable[[Sequence[Outgoing]], Sequence[Sent | Refused]]


class Gathering:
    """Knows how many steps are under way and how many of them wait for an answer; shared by all lines of a city."""

    def __init__(self, longest_s: float = GATHER_S) -> None:
        self._longest_s = longest_s
        self._over = threading.Condition()
        self._under_way = self._waiting = 0

    def under_way(self, count: int) -> None:
        """So many steps are under way; 0, as in the beginning, when nobody counts: then nothing waits for others."""
        with self._over:
            self._under_way = count
            self._look()

    def _look(self) -> None:
        if self._waiting >= self._under_way:
            self._over.notify_all()

    def hurry(self) -> None:
        """A line has as much as a request takes."""
        with self._over:
            self._over.notify_all()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Whoever is inside waits for an answer."""
        with self._over:
            self._waiting += 1
            self._look()
        try:
            yield
        finally:
            with self._over:
                self._waiting -= 1

    def wait(self, is_full: Callable[[], bool]) -> None:
        """Until it is time to send: nobody is left who could add anything, a request is full, or the moment is over."""
        with self._over:
            self._over.wait_for(lambda: self._waiting >= self._under_way or is_full(), self._longest_s)


@dataclass(slots=True)
class _Letter:
    """A message that somebody waits for."""

    message: Outgoing
    #: None: its sender is to send what has gathered; else what became of the message.
    told: queue.SimpleQueue[Sent | BaseException | None] = field(default_factory=queue.SimpleQueue)
    #: Its sender has been asked to send.
    leads: bool = False

    def lead(self) -> None:
        """Ask its sender to send what has gathered."""
        self.leads = True
        self.told.put(None)


class Line:
    """One line of a party with so many requests on their way at once: one of those who wait sends for all of them."""

    def __init__(self, gathering: Gathering, *, places: int) -> None:
        self._gathering = gathering
        self._lock = threading.Lock()
        self._free = places
        self._gathered: list[_Letter] = []

    def send(self, messages: Sequence[Outgoing], send_many: SendMany) -> list[Sent | Refused]:
        """What became of messages that go together where they fit into one request; raises as
        `plumbline.sdk.client.Client.send_many` does."""
        own = [_Letter(each) for each in messages]
        with self._lock:
            self._gathered.extend(own)
            if self._free and own:
                self._free -= 1
                own[0].lead()
        if self._is_full():
            self._gathering.hurry()
        with self._gathering.waiting():
            return [self._told(each, send_many) for each in own]

    def _told(self, letter: _Letter, send_many: SendMany) -> Sent | Refused:
        while (told := letter.told.get()) is None:
            self._send(send_many)
        if isinstance(told, Sent | Refused):
            return told
        raise told

    def _is_full(self) -> bool:
        return len(self._gathered) >= MAX_SUBMISSIONS

    def _send(self, send_many: SendMany) -> None:
        """One request; then another one of those who wait goes on."""
        self._gathering.wait(self._is_full)
        with self._lock:
            taken = self._gathered[:MAX_SUBMISSIONS]
            del self._gathered[:MAX_SUBMISSIONS]
        answers: Sequence[Sent | BaseException]
        try:
            answers = send_many([each.message for each in taken]) if taken else ()
        except BaseException as error:
            answers = [error] * len(taken)
        with self._lock:
            following = next((each for each in self._gathered if not each.leads), None)
            if following is None:
                self._free += 1
            else:
                following.lead()
        for each, answer in zip(taken, answers, strict=True):
            each.told.put(answer)
