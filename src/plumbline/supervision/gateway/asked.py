"""Codes that the public asks about at the same moment (同时查验) go to the database in one question.

Planning and the round trips of one look-up cost several times what the look-up costs; among a hundred they cost
nothing. Whoever asks alone is asked for at once: nobody waits for company but for those who are already at the door, only for
the questions under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain, islice
from typing import Any, Generic

from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from plumbline.supervision.gateway.line import Answer, Line, Question

#: What the functions take.
MOST = 100
#: Questions under way at a time: while the database answers one, this process handles the answers of the other.
AT_ONCE = 2
#: Turns of the event loop before a question goes: who has come with the first is handed in one by one, a turn each, and a question for one
#: costs as much as for eight.
TURNS = 2
#: Questions until a connection goes back to its pool, which may renew it.
HELD = 1000
Row = dict[str, Any]
PublicPool = AsyncConnectionPool[AsyncConnection[Row]]
_Askers = dict[str, list[asyncio.Future[Answer | None]]]


def _as_mapping(names: tuple[str, ...]) -> Callable[[Sequence[Any]], Row]:
    return lambda values: dict(zip(names, values, strict=True))


#: What a page is made of.
WHOLE_ROW: Question[Row] = Question(b"verify", b"SELECT * FROM ops.verify($1)", _as_mapping)


def public_pool(conninfo: str) -> PublicPool:
    """Connections for look-ups of the public only: they take its role as they begin and never have another, so that a question is one
    round trip and not four."""
    return PublicPool(
        make_conninfo(conninfo, options="-c role=plumb_public"),
        min_size=1,
        max_size=2 * AT_ONCE,
        kwargs={"autocommit": True, "row_factory": dict_row},
        open=False,
    )


class AskedCodes(Generic[Answer]):
    """The answer to a code, or None; one instance a process and question, on its event loop."""

    def __init__(self, pool: PublicPool, question: Question[Answer]) -> None:
        """`pool` of the public's role."""
        self._pool = pool
        self._question = question
        self._loop = asyncio.get_running_loop()
        self._waiting: _Askers[Answer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting: list[asyncio.Future[None]] = []
        self._is_called = False

    def find(self, code: str) -> asyncio.Future[Answer | None]:
        """The answer as of after the call: a question that was under way before is not listened to. Raises psycopg.Error, PoolTimeout.

        Everybody has a future of their own: somebody who goes away takes nobody's answer with them.
        """
        asker: asyncio.Future[Answer | None] = self._loop.create_future()
        waiting = self._waiting.get(code)
        if waiting is not None:
            waiting.append(asker)
        elif code.isascii() and code.isalnum():
            self._waiting[code] = [asker]
            if not self._is_called:
                self._call()
        else:
            asker.set_result(None)
        return asker

    async def stop(self) -> None:
        """Give the connections back; nobody is asked for any more."""
        # Once more until they end: waiting for a connection that comes in that very moment swallows a cancellation (CPython 3.11).
        while tasks := [task for task in self._tasks if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)

    def _call(self) -> None:
        """Somebody to ask for those who wait, where not everybody is at it."""
        while self._resting:
            resting = self._resting.pop()
            if not resting.done():
                resting.set_result(None)
                self._is_called = True
                return
        if len(self._tasks) < AT_ONCE:
            self._tasks.add(self._loop.create_task(self._ask()))
            self._is_called = True

    def _pass_on(self) -> None:
        """The one who was called cannot ask: the other one, if there is one."""
        self._is_called = False
        if self._waiting:
            self._call()

    async def _ask(self) -> None:
        """What one of those who ask does: as long as its line holds, and longer while somebody waits."""
        try:
            while True:
                async with self._line() as line:
                    await self._ask_over(line)
                if not self._waiting:
                    return
        except Exception as error:  # no connection is to be had; another one who has a line asks for them
            if len(self._tasks) == 1:
                _fail(self._taken(), error)
        except BaseException:
            _fail(self._taken(), OperationalError("the process ends"))
            raise
        finally:
            # Here and not in a callback, which comes later: until then nobody would be called for who asks now.
            self._tasks.discard(asyncio.current_task())
            self._is_called = False
            if self._waiting and self._resting:
                self._call()

    async def _called(self, line: Line[Answer]) -> None:
        """Until somebody waits, and those who come with them have come; or until the line is lost."""
        while not self._waiting:
            resting = line.rest()
            self._resting.append(resting)
            await resting
            if not line.is_sound:
                self._resting = [each for each in self._resting if not each.done()]
                return
        self._is_called = True  # whoever comes now goes with this one
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def _ask_over(self, line: Line[Answer]) -> None:
        for _ in range(HELD):
            await self._called(line)
            if not line.is_sound:
                self._pass_on()
                return
            asked = self._taken(MOST)
            if self._waiting:
                self._call()
            if not asked:  # the other one was quicker
                continue
            try:
                answers = await line.ask(list(asked))
            except Exception as error:
                _fail(asked, error)
                return
            except BaseException:
                _fail(asked, OperationalError("the process ends"))
                raise
            for code, askers in asked.items():
                answer = answers.get(code)
                if isinstance(answer, Exception):
                    _fail({code: askers}, answer)
                    continue
                for asker in askers:
                    if not asker.done():
                        asker.set_result(answer)

    def _taken(self, most: int | None = None) -> _Askers[Answer]:
        """Those who have waited longest, who wait no more; all unless told how many."""
        self._is_called = False
        waiting = self._waiting
        if most is None or len(waiting) <= most:
            self._waiting = {}
            return waiting
        return {code: waiting.pop(code) for code in list(islice(waiting, most))}

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Line[Answer]]:
        conn = await self._pool.getconn()
        line = Line(conn, self._question)
        try:
            yield line
        finally:
            line.close()
            if not line.is_sound:
                await conn.close()
            await self._pool.putconn(conn)


def _fail(asked: Mapping[str, list[asyncio.Future[Answer | None]]], error: Exception) -> None:
    for asker in chain.from_iterable(asked.values()):
        if not asker.done():
            asker.set_exception(error)
            asker.exception()  # whoever asked may be gone: an exception that nobody fetched is no news
