"""Codes asked about at the same moment (同时查验): one question for many, none answered from before it asked, none lost with another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from plumbline.supervision.gateway.asked import MOST, AskedCodes, Row


class Asked(AskedCodes):
    """Questions kept; each waits until it may be answered."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.questions: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: BaseException | None = None

    async def _rows(self, codes: list[str]) -> dict[str, Row]:
        self.questions.append(codes)
        await self.gate.wait()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return {code: {"code": code, "question": len(self.questions)} for code in codes if code != "unknown"}


def run(story: Callable[[Asked], Awaitable[None]]) -> None:
    """The story on an event loop of its own."""

    async def whole() -> None:
        await asyncio.wait_for(story(Asked()), 30)

    asyncio.run(whole())


async def under_way(asked: Asked, code: str) -> asyncio.Task[Row | None]:
    """Somebody whose question has gone to the database."""
    before, task = len(asked.questions), asyncio.create_task(asked.find(code))
    while len(asked.questions) == before:
        await asyncio.sleep(0)
    return task


def test_one_question_serves_all_who_ask_while_another_is_under_way() -> None:
    async def story(asked: Asked) -> None:
        asked.gate.clear()
        first, second = await under_way(asked, "a"), await under_way(asked, "z")
        others = [asyncio.create_task(asked.find(code)) for code in ("b", "a", "unknown", "b")]
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
        gone, stays = (asyncio.create_task(asked.find("a")) for _ in range(2))
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


def test_a_process_that_ends_leaves_nobody_waiting() -> None:
    async def story(asked: Asked) -> None:
        asked.gate.clear()
        waiting = await under_way(asked, "a")
        for task in asked._tasks:
            task.cancel()
        with pytest.raises(ConnectionAbortedError):
            await waiting

    run(story)
