"""Codes asked about at the same moment (同时查验): one question for many, none answered from before it asked, none lost with another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from plumbline.supervision.gateway.asked import AT_ONCE, MOST, WHOLE_ROW, AskedCodes, Row


class Asked(AskedCodes[Row]):
    """Questions kept; each waits until it may be answered. Its lines are connections to nothing."""

    def __init__(self) -> None:
        super().__init__(None, WHOLE_ROW)  # type: ignore[arg-type]
        self.questions: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: BaseException | None = None
        self.refusal: Exception | None = None
        self.lines: list[Wire] = []

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Any]:
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        self.lines.append(Wire(self))
        yield self.lines[-1]

    async def answers(self, codes: list[str]) -> dict[str, Row]:
        self.questions.append(codes)
        await self.gate.wait()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return {code: {"code": code, "question": len(self.questions)} for code in codes if code != "unknown"}


class Wire:
    """What stands for `Line`."""

    def __init__(self, asked: Asked) -> None:
        self.is_sound = True
        self.resting: asyncio.Future[None] | None = None
        self._asked = asked

    async def ask(self, codes: list[str]) -> dict[str, Row]:
        return await self._asked.answers(codes)

    def rest(self) -> asyncio.Future[None]:
        self.resting = asyncio.get_running_loop().create_future()
        return self.resting

    def lose(self) -> None:
        """The other end is gone."""
        self.is_sound = False
        assert self.resting is not None
        self.resting.set_result(None)


def run(story: Callable[[Asked], Awaitable[None]]) -> None:
    """The story on an event loop of its own."""

    async def whole() -> None:
        asked = Asked()
        await asyncio.wait_for(story(asked), 30)
        await asked.stop()
        assert not asked._tasks

    asyncio.run(whole())


async def find(asked: Asked, code: str) -> Row | None:
    """What one asker is told."""
    return await asked.find(code)


async def under_way(asked: Asked, code: str) -> asyncio.Task[Row | None]:
    """Somebody whose question has gone to the database."""
    before, task = len(asked.questions), asyncio.create_task(find(asked, code))
    while len(asked.questions) == before:
        await asyncio.sleep(0)
    return task


def test_one_question_serves_all_who_ask_while_another_is_under_way() -> None:
    async def story(asked: Asked) -> None:
        asked.gate.clear()
        first, second = await under_way(asked, "a"), await under_way(asked, "z")
        others = [asyncio.create_task(find(asked, code)) for code in ("b", "a", "unknown", "b")]
        await asyncio.sleep(0)
        asked.gate.set()
        assert [(await each or {})["code"] for each in (first, second)] == ["a", "z"]
        rows = await asyncio.gather(*others)
        # "a" again is a question of its own: the one under way may have looked before it was asked
        assert asked.questions == [["a"], ["z"], ["b", "a", "unknown"]]
        assert [row and row["code"] for row in rows] == ["b", "a", None, "b"]
        assert all(row is None or row["question"] == 3 for row in rows)

    run(story)


def test_a_question_holds_a_hundred_codes() -> None:
    async def story(asked: Asked) -> None:
        codes = [f"c{n}" for n in range(2 * MOST + 1)]
        rows = await asyncio.gather(*map(asked.find, codes))
        assert [row["code"] for row in rows if row] == codes
        assert [len(each) for each in asked.questions] == [MOST, MOST, 1]

    run(story)


def test_who_asks_in_the_moment_when_all_questions_end_is_asked_for() -> None:
    async def story(asked: Asked) -> None:
        asked.gate.clear()
        first, second = await under_way(asked, "a"), await under_way(asked, "z")

        async def late() -> Row | None:
            await asked.gate.wait()  # woken after both questions and before anything that their end calls
            return await asked.find("b")

        third = asyncio.create_task(late())
        await asyncio.sleep(0)
        asked.gate.set()
        assert [(await each or {})["code"] for each in (first, second, third)] == ["a", "z", "b"]

    run(story)


def test_who_goes_away_takes_nobody_with_them() -> None:
    async def story(asked: Asked) -> None:
        asked.gate.clear()
        gone, stays = (asyncio.create_task(find(asked, "a")) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        asked.gate.set()
        assert (await stays or {})["code"] == "a"
        assert gone.cancelled()

    run(story)


def test_a_question_that_fails_is_told_to_its_askers_and_to_nobody_else() -> None:
    async def story(asked: Asked) -> None:
        asked.failure = psycopg.OperationalError("the database is gone")
        told = await asyncio.gather(asked.find("a"), asked.find("b"), return_exceptions=True)
        assert all(isinstance(each, psycopg.OperationalError) for each in told)
        assert (await asked.find("a") or {})["code"] == "a"

    run(story)


def test_who_asks_for_a_line_in_vain_is_told_and_the_next_gets_one() -> None:
    async def story(asked: Asked) -> None:
        asked.refusal = psycopg.OperationalError("no connection")
        told = await asyncio.gather(find(asked, "a"), find(asked, "b"), return_exceptions=True)
        assert all(isinstance(each, psycopg.OperationalError) for each in told)
        assert (await find(asked, "a") or {})["code"] == "a"

    run(story)


def test_lines_are_held_between_questions_and_one_that_is_gone_is_replaced() -> None:
    async def story(asked: Asked) -> None:
        for number in range(3):
            assert (await find(asked, f"c{number}") or {})["code"] == f"c{number}"
        assert len(asked.lines) == 1
        await asyncio.sleep(0)
        asked.lines[0].lose()
        while asked._tasks:
            await asyncio.sleep(0)
        assert (await find(asked, "d") or {})["code"] == "d"
        assert len(asked.lines) == 2

    run(story)


def test_no_more_questions_are_under_way_than_may_be_at_once() -> None:
    async def story(asked: Asked) -> None:
        asked.gate.clear()
        tasks = [await under_way(asked, f"c{number}") for number in range(AT_ONCE)]
        tasks += [asyncio.create_task(find(asked, f"d{number}")) for number in range(5)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(asked.questions) == AT_ONCE
        asked.gate.set()
        assert all(await asyncio.gather(*tasks))
        assert len(asked.questions) == AT_ONCE + 1

    run(story)


def test_what_is_no_code_is_asked_of_nobody() -> None:
    async def story(asked: Asked) -> None:
        for typed in ("", 'A","B', "A\\", "{A}", "码", "A B"):
            assert await find(asked, typed) is None
        assert asked.questions == []

    run(story)


def test_a_process_that_ends_leaves_nobody_waiting() -> None:
    async def story(asked: Asked) -> None:
        asked.gate.clear()
        waiting = await under_way(asked, "a")
        for task in asked._tasks:
            task.cancel()
        with pytest.raises(psycopg.OperationalError):
            await waiting

    run(story)
