"""Many stories at once (并行推进): steps run side by side as long as their times lie close together."""

from __future__ import annotations

import heapq
import queue
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from plumbline.demo.timeline import Steps

T = TypeVar("T")
_Item = tuple[datetime, int, Steps[T]]


@dataclass(frozen=True, slots=True)
class Order:
    """How far the order of the log may depart from that of the stated times (先后次序).

    A step starts only while no more than `stragglers` are under way that lie more than `window` before it, and none
    that lies more than `furthest` before it.
    """

    window: timedelta
    stragglers: int = 0
    furthest: timedelta = timedelta.max

    def holds_back(self, at: datetime, begun: Sequence[datetime]) -> bool:
        """Whether a step at `at` has to wait; `begun` are the times of those under way, the earliest first."""
        if not begun or at - begun[0] <= self.window:
            return False
        return at - begun[0] > self.furthest or bisect_left(begun, at - self.window) > self.stragglers


def side_by_side(
    stories: Iterable[tuple[datetime, Steps[T]]],
    *,
    until: datetime,
    workers: int,
    order: Order,
    under_way: Callable[[int], None] = lambda count: None,
) -> Iterator[tuple[datetime, T | None]]:
    """Resume stories in order of time, up to `workers` at once; yields (time, None), or (time, result) at an end.

    Steps after `until` do not happen: their stories are still under way when the city is looked at. `under_way` is
    told how many steps are, whenever that changes.
    """
    waiting: list[_Item[T]] = [(begins, number, story) for number, (begins, story) in enumerate(stories)]
    heapq.heapify(waiting)
    busy: dict[int, _Item[T]] = {}
    # Times of those that are busy, the earliest first.
    begun: list[datetime] = []
    crew: _Crew[T] = _Crew(workers)
    try:
        while waiting or busy:
            while waiting and len(busy) < workers and not order.holds_back(waiting[0][0], begun):
                item = heapq.heappop(waiting)
                insort(begun, item[0])
                busy[item[1]] = item
                crew.give(item[1], item[2], len(busy))
            under_way(len(busy))
            number, came = crew.next()
            at, _, story = busy.pop(number)
            del begun[bisect_left(begun, at)]
            if isinstance(came, BaseException):
                raise came
            if isinstance(came, _Ended):
                yield at, came.value
                continue
            if came <= until:
                heapq.heappush(waiting, (came, number, story))
            yield at, None
    finally:
        under_way(0)
        crew.dismiss()


class _Ended(Generic[T]):
    """The value that a story returned."""

    def __init__(self, value: T) -> None:
        self.value = value


@dataclass(slots=True)
class _Crew(Generic[T]):
    """Threads that take stories from one queue and put what came of the step into another; hired as needed."""

    most: int
    _tasks: queue.SimpleQueue[tuple[int, Steps[T]] | None] = field(default_factory=queue.SimpleQueue)
    _done: queue.SimpleQueue[tuple[int, datetime | _Ended[T] | BaseException]] = field(
        default_factory=queue.SimpleQueue
    )
    _threads: list[threading.Thread] = field(default_factory=list)

    def give(self, number: int, story: Steps[T], under_way: int) -> None:
        """Have a story's next step done, `under_way` of them counting this one."""
        self._tasks.put((number, story))
        if len(self._threads) < min(under_way, self.most):
            thread = threading.Thread(target=self._work, name=f"city-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def next(self) -> tuple[int, datetime | _Ended[T] | BaseException]:
        """Number and outcome of the next step that ends."""
        return self._done.get()

    def dismiss(self) -> None:
        """End the threads after the steps that are under way."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            number, story = task
            try:
                self._done.put((number, _resume(story)))
            except BaseException as error:
                self._done.put((number, error))


def _resume(story: Steps[T]) -> datetime | _Ended[T]:
    try:
        return next(story)
    except StopIteration as ended:
        return _Ended(ended.value)
