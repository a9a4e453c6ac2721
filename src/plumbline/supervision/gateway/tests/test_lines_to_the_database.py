"""Lines to a real database (专线): a row that is no answer harms nobody else, and what waits for a line that is lost goes by the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from plumbline.supervision.gateway.asked import AskedCodes, PublicPool, public_pool
from plumbline.supervision.gateway.line import Line, Question

pytestmark = pytest.mark.service


def _told(names: tuple[str, ...]) -> Callable[[Sequence[Any]], str]:
    def make(row: Sequence[Any]) -> str:
        if row[0] == "NOANSWER":
            raise LookupError("a state that nobody knows")
        return str(dict(zip(names, row, strict=True))["pid"])

    return make


#: Any role may ask it; answered with the process of the server that did.
WHO = Question(
    b"who",
    b"SELECT code, CASE code WHEN 'NOVALUE' THEN timestamptz 'infinity' END AS at, "
    b"CASE code WHEN 'SLOW' THEN pg_sleep(0.3)::text END AS slept, pg_backend_pid() AS pid "
    b"FROM unnest($1::text[]) AS code WHERE code <> 'UNKNOWN'",
    _told,
)


class Asked(AskedCodes[str]):
    """Its lines are kept in the order in which they were had; no more of them once `is_closed`."""

    def __init__(self, pool: PublicPool) -> None:
        super().__init__(pool, WHO)
        self.lines: list[Line[str]] = []
        self.is_closed = False

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Line[str]]:
        if self.is_closed:
            await asyncio.Event().wait()
        async with super()._line() as line:
            self.lines.append(line)
            yield line

    async def with_two_lines(self) -> dict[str, Line[str]]:
        """By the process of the server; both rest."""
        slow = self.find("SLOW")
        while self._waiting:
            await asyncio.sleep(0)
        await asyncio.gather(slow, self.find("A"))
        while len(self._resting) < 2:
            await asyncio.sleep(0)
        return {str(line._pg.backend_pid): line for line in self.lines}


def run(conninfo: str, story: Callable[[Asked], Awaitable[None]]) -> None:
    """The story on an event loop of its own."""

    async def whole() -> None:
        async with public_pool(conninfo) as pool:
            asked = Asked(pool)
            await asyncio.wait_for(story(asked), 30)
            await asked.stop()

    asyncio.run(whole())


@pytest.fixture
def conninfo(untouched_platform) -> str:
    return untouched_platform.platform.conninfo("plumb_gateway")


def end(conninfo: str, pid: str) -> None:
    """That process of the server, while the event loop stands still."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        assert conn.execute("SELECT pg_terminate_backend(%s, 10000)", [int(pid)]).fetchone() == (True,)


@pytest.mark.parametrize(("bad", "error"), [("NOANSWER", LookupError), ("NOVALUE", psycopg.DataError)])
def test_a_row_that_is_no_answer_is_told_to_those_who_asked_for_it_alone(conninfo, bad, error) -> None:
    async def story(asked: Asked) -> None:
        codes = ["A", bad, "UNKNOWN", "B", bad]
        first, *told = await asyncio.gather(*map(asked.find, codes), return_exceptions=True)
        assert isinstance(first, str)
        assert [type(each) for each in told] == [error, type(None), str, error]
        assert told[2] == first  # in one question
        # the line goes on, for the same code too
        with pytest.raises(error):
            await asked.find(bad)
        assert await asked.find("A") == first

    run(conninfo, story)


def test_who_waits_for_a_line_that_is_lost_is_asked_for_by_the_other(conninfo) -> None:
    async def story(asked: Asked) -> None:
        lines = await asked.with_two_lines()
        called = asked._resting[-1]
        lost = next(pid for pid, line in lines.items() if line._resting is called)
        asked.is_closed = True  # no other line takes its place
        end(conninfo, lost)
        waiting = [asked.find(code) for code in ("A", "B")]
        assert called.done(), "the lost one was called"
        (other,) = lines.keys() - {lost}
        assert await asyncio.gather(*waiting) == [other] * 2
        assert not lines[lost].is_sound

    run(conninfo, story)


def test_who_waits_when_the_only_line_is_lost_is_asked_for_by_another(conninfo) -> None:
    async def story(asked: Asked) -> None:
        lost = await asked.find("A")
        assert lost is not None
        while not asked._resting:
            await asyncio.sleep(0)
        end(conninfo, lost)
        told = await asyncio.gather(asked.find("A"), asked.find("B"))
        assert not {lost, None} & set(told)

    run(conninfo, story)


def test_stopping_ends_at_whatever_moment_it_comes(conninfo) -> None:
    """Before the one who asks has begun, while it waits for a line, when it has one."""

    async def at(turns: int) -> None:
        async with public_pool(conninfo) as pool:
            asked = Asked(pool)
            asked.find("A")
            for _ in range(turns):
                await asyncio.sleep(0)
            await asyncio.wait_for(asked.stop(), 10)
            assert not any(not task.done() for task in asked._tasks)

    async def whole() -> None:
        for turns in range(12):
            await at(turns)

    asyncio.run(whole())
