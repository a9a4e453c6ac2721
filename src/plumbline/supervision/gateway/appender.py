"""Group commit (合批入账): one thread per gateway process collects at most 64 submissions and appends them together.

It waits for others only while the event loop has some at the door, until half of a batch is there, and never longer than 20 ms
(decision 0040): who comes alone waits for nobody, and where many come a transaction, a mark and a signature serve more of them.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto

import psycopg

from plumbline.exchange.problems import Problem
from plumbline.supervision.journal.append import MAX_BATCH, Journal
from plumbline.supervision.journal.heads import SigningStopped
from plumbline.supervision.journal.model import Accepted, Outcome, Pending

BATCH_WAIT_S = 0.020
#: From so many on nobody is waited for: while they are appended the loop reads the other half.
ENOUGH = MAX_BATCH // 2
QUEUE_LIMIT = 2048
_log = logging.getLogger("plumbline.gateway")

#: What came in one request stays together: it is appended in one transaction.
_Waiting = tuple[Sequence[Pending], "asyncio.Future[list[Outcome]]", asyncio.AbstractEventLoop]


class _Nobody(Enum):
    """Put where the last one at the door has come in or was turned away: whoever waits for more need not."""

    COMING = auto()


class Appender:
    """Hands pending submissions to the journal's thread; `append` returns when the batch is durable."""

    def __init__(self, journal: Journal, *, queue_limit: int = QUEUE_LIMIT) -> None:
        self._journal = journal
        self._queue: queue.SimpleQueue[_Waiting | _Nobody | None] = queue.SimpleQueue()
        self._limit, self._count, self._lock = queue_limit, 0, threading.Lock()
        #: Requests at the door; only event loops change it.
        self._at_door = 0
        #: Taken from the queue, but too large for the batch that was being collected.
        self._held: _Waiting | None = None
        self._thread = threading.Thread(target=self._run, name="append", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then end."""
        self._queue.put(None)
        self._thread.join(10)
        self._journal.close()

    @property
    def waiting(self) -> int:
        """How many submissions wait."""
        return self._count

    @contextmanager
    def coming(self) -> Iterator[None]:
        """While a request whose body is there is checked: the batch that is being collected waits for what it brings, 20 ms at most."""
        self._at_door += 1
        try:
            yield
        finally:
            self._at_door -= 1
            if not self._at_door:
                self._queue.put(_Nobody.COMING)

    async def append(self, pending: Pending) -> Accepted:
        """The receipt, or :class:`Problem`; 429 when the queue is full, 503 when the outcome is unknown."""
        (outcome,) = await self.append_all([pending])
        if isinstance(outcome, Problem):
            raise outcome
        return outcome

    async def append_all(self, group: Sequence[Pending]) -> list[Outcome]:
        """What became of each of at most 64 submissions, which go into one transaction; 429 for all of them when the queue is full."""
        if not group:
            return []
        if len(group) > MAX_BATCH:
            raise ValueError(f"a group holds at most {MAX_BATCH}")
        with self._lock:
            if self._count >= self._limit:
                raise Problem(slug="queue-full", retry_after_s=2)
            self._count += len(group)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Outcome]] = loop.create_future()
        self._queue.put((group, future, loop))
        return await future

    def _collect(self) -> tuple[list[_Waiting], bool]:
        first: _Waiting | _Nobody | None = self._held or self._queue.get()
        self._held = None
        while isinstance(first, _Nobody):
            first = self._queue.get()
        if first is None:
            return [], True
        batch, size, until = [first], len(first[0]), time.monotonic() + BATCH_WAIT_S
        while size < MAX_BATCH:
            is_worth_it = bool(self._at_door) and size < ENOUGH
            try:
                item = self._queue.get(timeout=max(0.0, until - time.monotonic()) if is_worth_it else 0.0)
            except queue.Empty:
                break
            if item is None:
                return batch, True
            if isinstance(item, _Nobody):
                continue
            if size + len(item[0]) > MAX_BATCH:
                self._held = item
                break
            batch.append(item)
            size += len(item[0])
        return batch, False

    def _run(self) -> None:
        ended = False
        while not ended or self._held:
            batch, is_last = self._collect()
            ended = ended or is_last
            if batch:
                pending = [each for group, _, _ in batch for each in group]
                self._answer(batch, self._append(pending))

    def _append(self, batch: list[Pending]) -> list[Outcome]:
        with self._lock:
            self._count -= len(batch)
        try:
            return self._journal.append(batch)
        except SigningStopped as error:
            _log.error("signing stopped: %s", error)
            return [Problem(slug="unavailable", detail=str(error), retry_after_s=60)] * len(batch)
        except (psycopg.Error, OSError) as error:
            _log.error("append failed, outcome unknown: %s %s", type(error).__name__, error)
        except Exception:
            _log.exception("append failed in a way that nobody foresaw")
        self._journal.close()
        return [Problem(slug="unavailable", retry_after_s=2)] * len(batch)

    @staticmethod
    def _answer(batch: list[_Waiting], outcomes: list[Outcome]) -> None:
        def deliver(pairs: list[tuple[asyncio.Future[list[Outcome]], list[Outcome]]]) -> None:
            for future, outcome in pairs:
                if not future.done():
                    future.set_result(outcome)

        by_loop: dict[
            asyncio.AbstractEventLoop, list[tuple[asyncio.Future[list[Outcome]], list[Outcome]]]
        ] = {}
        at = 0
        for group, future, loop in batch:
            by_loop.setdefault(loop, []).append((future, outcomes[at : at + len(group)]))
            at += len(group)
        for loop, pairs in by_loop.items():
            loop.call_soon_threadsafe(deliver, pairs)
