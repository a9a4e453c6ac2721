"""Many stories at once (并行推进): steps run side by side as long as their times lie close together."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from plumbline.demo.timeline import Steps

T = TypeVar("T")
_Item = tuple[datetime, int, Steps[T]]


def side_by_side(
    stories: Iterable[tuple[datetime, Steps[T]]],
    *,
    until: datetime,
    workers: int,
    window: timedelta,
) -> Iterator[tuple[datetime, T | None]]:
    """Resume stories in order of time, up to `workers` at once; yields (time, None), or (time, result) at an end.

    A step never starts while one is under way that lies more than `window` before it, so that the log's order
    departs from that of the stated times by no more than that. Steps after `until` do not happen: their
    stories are still under way when the city is looked at.
    """
    waiting: list[_Item[T]] = [(begins, number, story) for number, (begins, story) in enumerate(stories)]
    heapq.heapify(waiting)
    busy: dict[Future[datetime | _Ended[T]], _Item[T]] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="city") as pool:
        try:
            while waiting or busy:
                _start(pool, waiting, busy, workers, window)
                done, _ = wait(busy, return_when=FIRST_COMPLETED)
                for future in done:
                    at, number, story = busy.pop(future)
                    came = future.result()
                    if isinstance(came, _Ended):
                        yield at, came.value
                        continue
                    if came <= until:
                        heapq.heappush(waiting, (came, number, story))
                    yield at, None
        finally:
            pool.shutdown(cancel_futures=True)


class _Ended(Generic[T]):
    """The value that a story returned."""

    def __init__(self, value: T) -> None:
        self.value = value


def _start(
    pool: ThreadPoolExecutor,
    waiting: list[_Item[T]],
    busy: dict[Future[datetime | _Ended[T]], _Item[T]],
    workers: int,
    window: timedelta,
) -> None:
    earliest = min((item[0] for item in busy.values()), default=None)
    while waiting and len(busy) < workers:
        if earliest is not None and waiting[0][0] > earliest + window:
            return
        item = heapq.heappop(waiting)
        earliest = item[0] if earliest is None else min(earliest, item[0])
        busy[pool.submit(_resume, item[2])] = item


def _resume(story: Steps[T]) -> datetime | _Ended[T]:
    try:
        return next(story)
    except StopIteration as ended:
        return _Ended(ended.value)
