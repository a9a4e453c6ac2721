"""Fair use (限速): a token bucket per key, so that one busy sender does not keep the others waiting."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import partial

from plumbline.exchange.problems import Problem


class Room:
    """Memory for large bodies (大报文的内存): so many bytes at a time, of one process, a quarter of them for one sender; the next one is
    to come again. Of one event loop alone, hence without a lock."""

    def __init__(self, size: int) -> None:
        self._most_of_one = size // 4
        self._left = size
        self._taken: Counter[str] = Counter()

    def take(self, name: str, size: int) -> Callable[[], None]:
        """Take `size` bytes for a sender, or raise `queue-full`; whoever is done calls what is returned, once."""
        if size > self._left or self._taken[name] + size > self._most_of_one:
            raise Problem(slug="queue-full", detail="同时在收的大报文太多", retry_after_s=2)
        self._left -= size
        self._taken[name] += size
        return partial(self._give_back, name, size)

    def _give_back(self, name: str, size: int) -> None:
        self._left += size
        self._taken[name] -= size
        if not self._taken[name]:
            del self._taken[name]


class RateLimit:
    """`rate` requests a second with `burst` in one go, for each name; the oldest names are forgotten."""

    def __init__(self, rate: float, burst: int, *, names: int = 10_000, told: str = "") -> None:
        """`told` is the sentence of a refusal, "每秒最多 N 次" unless given."""
        self._told = told or f"每秒最多 {rate:g} 次"
        self._rate = rate
        self._burst = burst
        self._names = names
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Take one token or raise `rate-limited` with Retry-After. Safe between threads: two at once do not make a bucket full again."""
        with self._lock:
            self._take(name, time.monotonic())

    def _take(self, name: str, now: float) -> None:
        tokens, at = self._buckets.pop(name, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        if tokens < 1:
            self._buckets[name] = (tokens, now)
            wait = max(1, round((1 - tokens) / self._rate + 0.5))
            raise Problem(slug="rate-limited", detail=self._told, retry_after_s=wait)
        self._buckets[name] = (tokens - 1, now)
        while len(self._buckets) > self._names:
            self._buckets.popitem(last=False)
