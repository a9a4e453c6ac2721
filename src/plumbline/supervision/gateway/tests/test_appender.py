"""The queue before the journal (入账排队): what came in one request stays together, and a full queue says so."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway import appender as appending
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


HOUR = 3600.0


def started(monkeypatch: pytest.MonkeyPatch, longest: float) -> tuple[Appender, Journal]:
    monkeypatch.setattr(appending, "BATCH_WAIT_S", longest)
    journal = Journal()
    appender = Appender(journal)  # type: ignore[arg-type]
    appender.start()
    return appender, journal


def test_who_comes_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    appender, journal = started(monkeypatch, HOUR)

    async def ask() -> None:
        for name in "abc":
            with appender.coming():
                await asyncio.sleep(0)
            await asyncio.wait_for(appender.append_all(group(name)), 10)

    asyncio.run(ask())
    appender.stop()
    assert journal.sizes == [1, 1, 1]


def test_a_batch_waits_for_those_at_the_door_and_goes_with_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    appender, journal = started(monkeypatch, HOUR)
    arrived = [asyncio.Event() for _ in range(3)]

    async def one(number: int) -> None:
        with appender.coming():
            await arrived[number].wait()
        await appender.append_all(group(str(number)))

    async def ask() -> None:
        tasks = [asyncio.ensure_future(one(number)) for number in range(3)]
        await asyncio.sleep(0)
        for event in arrived:
            assert journal.sizes == []
            event.set()
            await asyncio.sleep(0.05)  # long enough for a thread that does not wait
        await asyncio.wait_for(asyncio.gather(*tasks), 10)

    asyncio.run(ask())
    appender.stop()
    assert journal.sizes == [3]


def test_half_a_batch_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    appender, journal = started(monkeypatch, HOUR)

    async def ask() -> None:
        with appender.coming():
            few = asyncio.ensure_future(appender.append_all(group(*map(str, range(appending.ENOUGH - 1)))))
            await asyncio.sleep(0.05)
            assert journal.sizes == []
            await asyncio.wait_for(asyncio.gather(few, appender.append_all(group("one"))), 10)

    asyncio.run(ask())
    appender.stop()
    assert journal.sizes == [appending.ENOUGH]


def test_one_that_is_turned_away_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    appender, journal = started(monkeypatch, HOUR)
    refused = asyncio.Event()

    async def refuse() -> None:
        with appender.coming():
            await refused.wait()
            raise Problem(slug="schema")

    async def ask() -> None:
        at_door = asyncio.ensure_future(refuse())
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(appender.append_all(group("a")))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        refused.set()
        await asyncio.wait_for(waiting, 10)
        with pytest.raises(Problem):
            await at_door

    asyncio.run(ask())
    appender.stop()
    assert journal.sizes == [1]


def test_one_that_stays_at_the_door_holds_a_batch_up_so_long_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    appender, journal = started(monkeypatch, 0.05)

    async def ask() -> None:
        with appender.coming():
            await asyncio.wait_for(appender.append_all(group("a")), 10)

    asyncio.run(ask())
    appender.stop()
    assert journal.sizes == [1]


def test_the_end_comes_while_somebody_is_still_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    appender, journal = started(monkeypatch, HOUR)

    async def ask() -> None:
        with appender.coming():
            waiting = asyncio.ensure_future(appender.append_all(group("a")))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(appender.stop)
            await asyncio.wait_for(waiting, 10)

    asyncio.run(ask())
    assert journal.sizes == [1] and not appender._thread.is_alive()
