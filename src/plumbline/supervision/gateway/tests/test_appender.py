"""The queue before the journal (入账排队): what came in one request stays together, and a full queue says so."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.appender import Appender


class Journal:
    """Takes batches and remembers their sizes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def append(self, batch: list[Any]) -> list[Any]:
        self.sizes.append(len(batch))
        return [
            Problem(slug="claim-lost") if each.name == "lost" else SimpleNamespace(of=each.name)
            for each in batch
        ]

    def close(self) -> None:
        return


def group(*names: str) -> list[Any]:
    return [SimpleNamespace(name=name) for name in names]


def test_groups_are_never_split_and_every_answer_comes_to_its_sender() -> None:
    journal = Journal()
    appender = Appender(journal)  # type: ignore[arg-type]

    async def ask() -> list[Any]:
        waiting = [
            asyncio.ensure_future(appender.append_all(group(*[f"{letter}{n}" for n in range(count)])))
            for letter, count in (("a", 40), ("b", 30), ("c", 24), ("d", 64))
        ]
        await asyncio.sleep(0)
        appender.start()
        return await asyncio.gather(*waiting)

    answers = asyncio.run(ask())
    appender.stop()
    assert [answer[0].of for answer in answers] == ["a0", "b0", "c0", "d0"]
    assert [len(answer) for answer in answers] == [40, 30, 24, 64]
    assert sum(journal.sizes) == 158 and max(journal.sizes) <= 64 and journal.sizes[0] == 40
    assert appender.waiting == 0


def test_one_that_fails_is_told_alone() -> None:
    appender = Appender(Journal())  # type: ignore[arg-type]
    appender.start()
    first, lost, last = asyncio.run(appender.append_all(group("first", "lost", "last")))
    appender.stop()
    assert isinstance(lost, Problem) and not isinstance(first, Problem) and not isinstance(last, Problem)
    assert asyncio.run(appender.append_all([])) == []


def test_a_full_queue_turns_a_whole_request_away() -> None:
    appender = Appender(Journal(), queue_limit=2)  # type: ignore[arg-type]

    async def ask() -> None:
        first = asyncio.ensure_future(appender.append_all(group("a", "b", "c")))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as caught:
            await appender.append_all(group("d"))
        assert caught.value.slug == "queue-full" and caught.value.retry_after_s
        appender.start()
        assert len(await first) == 3

    asyncio.run(ask())
    appender.stop()
