"""Group commit (合批入账): one thread per gateway process collects at most 64 submissions or 5 ms and appends them together."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time

import psycopg

from plumbline.exchange.problems import Problem
from plumbline.supervision.journal.append import MAX_BATCH, Journal
from plumbline.supervision.journal.heads import SigningStopped
from plumbline.supervision.journal.model import Accepted, Outcome, Pending

BATCH_WAIT_S = 0.005
QUEUE_LIMIT = 2048
_log = logging.getLogger("plumbline.gateway")

_Waiting = tuple[Pending, "asyncio.Future[Outcome]", asyncio.AbstractEventLoop]


class Appender:
    """Hands pending submissions to the journal's thread; `append` returns when the batch is durable."""

    def __init__(self, journal: Journal, *, queue_limit: int = QUEUE_LIMIT) -> None:
        self._journal = journal
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(queue_limit)
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
        return self._queue.qsize()

    async def append(self, pending: Pending) -> Accepted:
        """The receipt, or :class:`Problem`; 429 when the queue is full, 503 when the outcome is unknown."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        try:
            self._queue.put_nowait((pending, future, loop))
        except queue.Full:
            raise Problem(slug="queue-full", retry_after_s=2) from None
        outcome = await future
        if isinstance(outcome, Problem):
            raise outcome
        return outcome

    def _collect(self) -> tuple[list[_Waiting], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        batch, until = [first], time.monotonic() + BATCH_WAIT_S
        while len(batch) < MAX_BATCH:
            try:
                item = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._collect()
            if batch:
                self._answer(batch, self._append([pending for pending, _, _ in batch]))

    def _append(self, batch: list[Pending]) -> list[Outcome]:
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
        def deliver(pairs: list[tuple[asyncio.Future[Outcome], Outcome]]) -> None:
            for future, outcome in pairs:
                if not future.done():
                    future.set_result(outcome)

        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Outcome], Outcome]]] = {}
        for (_, future, loop), outcome in zip(batch, outcomes, strict=True):
            by_loop.setdefault(loop, []).append((future, outcome))
        for loop, pairs in by_loop.items():
            loop.call_soon_threadsafe(deliver, pairs)
