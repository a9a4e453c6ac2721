"""Many reports under way at once (时间线): their steps in one global order of time."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

T = TypeVar("T")
#: Yields the time of its next step; the step happens when it is resumed; returns what came of it.
Steps = Generator[datetime, None, T]


def in_order(stories: Iterable[tuple[datetime, Steps[T]]]) -> Iterator[tuple[datetime, T | None]]:
    """Resume stories so that steps happen in order of time; yields (time, None), or (time, result) at an end.

    `stories` come with a time not after their first step; among equal times the story that came first goes
    first. A step that its story puts before the present happens at once: its lateness is the story's own
    affair.
    """
    waiting: list[tuple[datetime, int, Steps[T]]] = []
    for number, (begins, story) in enumerate(stories):
        waiting.append((begins, number, story))
    heapq.heapify(waiting)
    while waiting:
        at, number, story = heapq.heappop(waiting)
        try:
            following = next(story)
        except StopIteration as ended:
            yield at, ended.value
        else:
            heapq.heappush(waiting, (following, number, story))
            yield at, None
