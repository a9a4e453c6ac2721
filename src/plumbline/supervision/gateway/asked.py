"""Codes that the public asks about at the same moment (同时查验) go to the database in one question.

Planning and the round trips of one look-up cost several times what the look-up costs; among a hundred they cost
nothing. Whoever asks alone is asked for at once: nobody waits for company, only for the questions under way.
"""

from __future__ import annotations

import asyncio
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

#: What the functions take.
MOST = 100
#: Questions under way at a time: while the database answers one, this process handles the answers of the other.
AT_ONCE = 2
Row = dict[str, Any]
PublicPool = AsyncConnectionPool[AsyncConnection[Row]]


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


class AskedCodes:
    """The masked row of a code, or None; one instance a process, on its event loop."""

    def __init__(self, pool: PublicPool, *, function: str = "verify") -> None:
        """`pool` of the public's role; `function` of schema ops: `verify` for pages, `verify_briefly` for programs."""
        self._pool = pool
        self._question = (
            sql.SQL("SELECT * FROM {}(%s)").format(sql.Identifier("ops", function)).as_bytes(None)
        )
        self._waiting: dict[str, asyncio.Future[Row | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, code: str) -> Row | None:
        """The row as of after the call: a question that was under way before is not listened to. Raises psycopg.Error, PoolTimeout."""
        found = self._waiting.get(code)
        if found is None:
            found = self._waiting[code] = asyncio.get_running_loop().create_future()
            # Those that have ended take no more, though they stand there until the loop comes round.
            if sum(not each.done() for each in self._tasks) < AT_ONCE:
                task = asyncio.create_task(self._ask())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        # Shielded: somebody who goes away takes nobody's answer with them.
        return await asyncio.shield(found)

    async def _ask(self) -> None:
        while self._waiting:
            codes = list(self._waiting)[:MOST]
            asked = {code: self._waiting.pop(code) for code in codes}
            try:
                rows = await self._rows(codes)
            except Exception as error:
                _fail(asked, error)
                continue
            except BaseException:
                _fail(asked, ConnectionAbortedError("the process ends"))
                raise
            for code, found in asked.items():
                found.set_result(rows.get(code))

    async def _rows(self, codes: list[str]) -> dict[str, Row]:
        async with self._pool.connection() as conn:
            found = await conn.execute(self._question, [codes])
            return {row["code"]: row for row in await found.fetchall()}


def _fail(asked: dict[str, asyncio.Future[Row | None]], error: Exception) -> None:
    for found in asked.values():
        found.set_exception(error)
        found.exception()  # whoever asked may be gone: an exception that nobody fetched is no news
