"""A connection that is asked one question again and again (专线): prepared once, each time one packet there and one back.

The driver's cursor is made for any statement: each time it looks up types, sets a timer and registers the socket anew, which costs more
than the question. Here the question is known, and the socket stays registered as long as the line is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, Error, OperationalError
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

Answer = TypeVar("Answer")
#: Until the rest of a question is tried again that the socket did not take at once: it has some kilobytes, so hardly ever.
_FLUSH_S = 0.001
_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
#: What each connection has been prepared for.
_prepared: WeakKeyDictionary[AsyncConnection[Any], set[bytes]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Question(Generic[Answer]):
    """What is asked of several codes at once."""

    #: What the server knows it by; another one for each statement.
    name: bytes
    #: Of one `text[]`; the first column of its rows is the code.
    statement: bytes
    #: From the names of the columns, what makes an answer of a row.
    maker: Callable[[tuple[str, ...]], Callable[[Sequence[Any]], Answer]]


class Line(Generic[Answer]):
    """A connection while one asker holds it, in autocommit and with nothing under way."""

    def __init__(self, conn: AsyncConnection[Any], question: Question[Answer]) -> None:
        """To be closed before the connection is given back."""
        self._pg = conn.pgconn
        self._question = question
        self._prepared = _prepared.setdefault(conn, set())
        self._values = Transformer(conn)
        self._make: Callable[[Sequence[Any]], Answer] | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = self._pg.socket
        self._is_watched = False
        self._arrival: asyncio.Future[None] | None = None
        self._resting: asyncio.Future[None] | None = None
        #: False while a question is under way, and for good once one has failed or the other end is gone.
        self.is_sound = True

    async def ask(self, codes: Sequence[str]) -> dict[str, Answer | Exception]:
        """The answer of each code that is there, as of after the call, or why its row cannot be answered. `codes` of letters and digits.

        Raises psycopg.Error.
        """
        self.is_sound = False
        name = self._question.name
        if name not in self._prepared:
            self._pg.send_prepare(name, self._question.statement)
            await self._result()
            self._prepared.add(name)
        self._pg.send_query_prepared(name, [('{"' + '","'.join(codes) + '"}').encode("ascii")])
        result = await self._result()
        self.is_sound = True
        return self._answers(result)

    def rest(self) -> asyncio.Future[None]:
        """Done when somebody says so, or when the other end is gone."""
        self._watch()
        self._resting = self._loop.create_future()
        return self._resting

    def close(self) -> None:
        """Let go of the socket."""
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._socket)

    def _answers(self, result: PGresult) -> dict[str, Answer | Exception]:
        if self._make is None:
            names = [result.fname(number) or b"" for number in range(result.nfields)]
            self._make = self._question.maker(tuple(name.decode() for name in names))
        make = self._make
        self._values.set_pgresult(result)
        try:
            return {row[0]: make(row) for row in self._values.load_rows(0, result.ntuples, tuple)}
        except Exception:
            return dict(self._one_by_one(result, make))

    def _one_by_one(
        self, result: PGresult, make: Callable[[Sequence[Any]], Answer]
    ) -> Iterator[tuple[str, Answer | Exception]]:
        """A row that is no answer is the misfortune of those who asked for its code, of nobody else."""
        for number in range(result.ntuples):
            code = (result.get_value(number, 0) or b"").decode("ascii", "replace")
            try:
                (row,) = self._values.load_rows(number, number + 1, tuple)
                yield code, make(row)
            except Exception as error:
                yield code, error

    async def _result(self) -> PGresult:
        """The one result of what was sent, everything after it taken off the line."""
        pg, first = self._pg, None
        while pg.flush():
            await asyncio.sleep(_FLUSH_S)
        while True:
            while pg.is_busy():
                await self._arrived()
                pg.consume_input()
            result = pg.get_result()
            if result is None:
                break
            first = first or result
        if first is None or first.status not in _GOOD:
            raise error_from_result(first) if first else OperationalError("no result came")
        return first

    def _watch(self) -> None:
        if not self._is_watched:
            self._is_watched = True
            self._loop.add_reader(self._socket, self._on_readable)

    async def _arrived(self) -> None:
        self._watch()
        self._arrival = self._loop.create_future()
        await self._arrival

    def _on_readable(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)
            return
        try:
            self._pg.consume_input()
        except Error:
            self.is_sound = False
            self.close()
            if self._resting is not None and not self._resting.done():
                self._resting.set_result(None)
