"""A bucket asked by several threads at once (限速与线程): none of them finds it full again."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.limits import RateLimit


class _Slow(OrderedDict[str, tuple[float, float]]):
    """Lets the other thread run where a bucket has been taken out and not put back."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting = Barrier(2)

    def pop(self, key: str, default: object = None) -> object:  # type: ignore[override]
        taken = super().pop(key, default)  # type: ignore[arg-type]
        try:
            self.meeting.wait(0.2)
        except RuntimeError:  # nobody else came in: the lock holds them off
            self.meeting.reset()
        return taken


def test_two_threads_do_not_fill_a_bucket_between_them() -> None:
    limit = RateLimit(1e-9, 2)
    limit._buckets = _Slow()

    def ask(_: int) -> bool:
        try:
            limit.take("zhang")
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(ask, range(4))) == 2
