"""Waiting for the projection (等待入账): each who waits is answered about its own, however many wait, and whatever fails."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from plumbline.supervision.gateway.waiting import PositionWatch

LONG_S = 30.0


class _Watch(PositionWatch):
    """A watch whose tables are variables."""

    def __init__(self) -> None:
        super().__init__("", None)  # type: ignore[arg-type]
        self.at = 0
        self.states: dict[str, str] = {}
        self.errors: list[Exception] = []
        self.asked = 0

    async def position(self) -> int:
        self.asked += 1
        if self.errors:
            raise self.errors.pop()
        return self.at

    async def applications(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        self.asked += 1
        return {each: {"state": self.states[each], "code": each} for each in ids if each in self.states}

    async def _listen(self) -> None:
        await asyncio.Event().wait()

    def moved(self) -> None:
        self._moved.set()


def _run(told: Any) -> None:
    async def whole() -> None:
        watch = _Watch()
        watch.start()
        try:
            await told(watch)
        finally:
            await watch.stop()

    asyncio.run(asyncio.wait_for(whole(), LONG_S))


def test_each_is_answered_when_its_own_entry_has_passed() -> None:
    async def told(watch: _Watch) -> None:
        waiting = [asyncio.create_task(watch.passed(index, LONG_S)) for index in range(3)]
        watch.at = 2
        watch.moved()
        assert await waiting[0]
        assert await waiting[1]
        assert not waiting[2].done()
        watch.at = 3
        watch.moved()
        assert await waiting[2]
        assert await watch.passed(1, 0.0)
        assert not await watch.passed(9, 0.0)

    _run(told)


def test_each_is_told_its_own_decision_and_none_waits_for_an_application_that_was_not_taken() -> None:
    async def told(watch: _Watch) -> None:
        watch.states = {"a": "applied", "b": "released"}
        a, b = (asyncio.create_task(watch.decided(each, LONG_S)) for each in "ab")
        assert await watch.decided("gone", LONG_S) is None
        watch.states["b"] = "reserved"
        watch.moved()
        assert await b == {"state": "reserved", "code": "b"}
        assert not a.done()
        watch.states["a"] = "withheld"
        watch.moved()
        assert await a == {"state": "withheld", "code": "a"}

    _run(told)


def test_a_decision_that_stands_is_told_to_those_who_do_not_wait() -> None:
    async def told(watch: _Watch) -> None:
        watch.states = {"a": "reserved", "b": "applied"}
        assert await watch.decided("a", 0.0) == {"state": "reserved", "code": "a"}
        with pytest.raises(TimeoutError):
            await watch.decided("b", 0.0)

    _run(told)


@pytest.mark.parametrize("error", [psycopg.OperationalError("gone"), RuntimeError("unforeseen")])
def test_a_failure_ends_no_watch(error: Exception) -> None:
    async def told(watch: _Watch) -> None:
        watch.errors.append(error)
        waiting = asyncio.create_task(watch.passed(0, LONG_S))
        watch.at = 1
        assert await waiting

    _run(told)


def test_one_question_answers_all_who_wait() -> None:
    async def told(watch: _Watch) -> None:
        waiting = [asyncio.create_task(watch.passed(0, LONG_S)) for _ in range(100)]
        await asyncio.sleep(0)
        watch.at = 1
        watch.moved()
        assert all(await asyncio.gather(*waiting))
        assert watch.asked < 10

    _run(told)
