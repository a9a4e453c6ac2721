"""Waiting for the projection (等待入账): one watcher in each gateway process asks the database for all who wait.

A notification is only a hint that something has moved; what is answered is what the tables say.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

CHANNEL = "plumb_projected"
#: How long a lost notification may hold somebody up, seconds.
LOST_HINT_S = 0.25
_DECISIONS = (
    "SELECT a.id, a.state, a.code, a.reasons, c.claims, c.dies_at::text FROM fact.application a "
    "LEFT JOIN fact.code c ON c.id = a.code WHERE a.id = ANY(%s)"
)
#: States of an application that wait for the worker.
_UNDECIDED = ("applied", "released")
Decision = dict[str, Any]
_log = logging.getLogger("plumbline.gateway")


class PositionWatch:
    """How far the projector has come, and which applications have been decided."""

    def __init__(self, conninfo: str, pool: AsyncConnectionPool) -> None:
        self._conninfo = conninfo
        self._pool = pool
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._seen = 0
        #: Something moved while nobody waited: what was seen may be out of date.
        self._missed = True
        self._passing: list[tuple[int, asyncio.Future[bool]]] = []
        self._deciding: list[tuple[str, asyncio.Future[Decision | None]]] = []

    def start(self) -> None:
        """Begin to listen and to answer."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._answer())]

    async def stop(self) -> None:
        """Stop both."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as conn:
                    await conn.execute(f"LISTEN {CHANNEL}".encode())
                    async for _ in conn.notifies():
                        self._moved.set()
            except psycopg.Error:
                await asyncio.sleep(0.5)

    async def _answer(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), LOST_HINT_S)
            self._moved.clear()
            try:
                await self._answer_all()
            except psycopg.Error:
                await asyncio.sleep(0.5)
            except Exception:  # whatever it was, those who wait later are answered again
                _log.exception("those who wait could not be answered")
                await asyncio.sleep(0.5)

    async def _answer_all(self) -> None:
        self._passing = [each for each in self._passing if not each[1].done()]
        self._deciding = [each for each in self._deciding if not each[1].done()]
        if self._passing:
            await self._answer_passing()
        else:
            self._missed = True
        if self._deciding:
            await self._answer_deciding()

    async def _answer_passing(self) -> None:
        self._missed = False
        self._seen = await self.position()
        for index, future in self._passing:
            if index < self._seen and not future.done():
                future.set_result(True)

    async def _answer_deciding(self) -> None:
        asked = list(self._deciding)
        rows = await self.applications([application for application, _ in asked])
        for application, future in asked:
            row = rows.get(application)
            if not future.done() and (row is None or row["state"] not in _UNDECIDED):
                future.set_result(row)

    async def applications(self, ids: list[str]) -> dict[str, Decision]:
        """State, code and reasons of the applications that are projected, by id."""
        async with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
            await cur.execute(_DECISIONS, [ids])
            return {row.pop("id"): row for row in await cur.fetchall()}

    async def position(self) -> int:
        """First index that is not projected yet."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute("SELECT pos FROM fact.position")).fetchone()
        return int(row[0]) if row else 0

    async def passed(self, index: int, wait_s: float) -> bool:
        """Wait until the projector passed `index`, at most `wait_s`."""
        if index < self._seen:
            return True
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._passing.append((index, future))
        if self._missed:
            self._moved.set()
        try:
            return await asyncio.wait_for(future, wait_s)
        except TimeoutError:
            return await self.position() > index

    async def decided(self, application: str, wait_s: float) -> Decision | None:
        """The decision about an application whose entry is projected, None when there is no such object. Raises TimeoutError
        when it is not decided after `wait_s`."""
        future: asyncio.Future[Decision | None] = asyncio.get_running_loop().create_future()
        self._deciding.append((application, future))
        self._moved.set()
        try:
            return await asyncio.wait_for(future, wait_s)
        except TimeoutError:
            row = (await self.applications([application])).get(application)
            if row is None or row["state"] not in _UNDECIDED:
                return row
            raise
