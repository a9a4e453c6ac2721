"""Statements on their way (在途语句): handed to the driver one after another, carried out while the projector does something else.

The driver's own pipeline waits at each statement until the socket takes it; sets are larger than what a socket holds, so the projector
would stand still for most of what the server does. Here a statement goes into the library's memory, and `pump` brings on what the
socket takes. Errors are told by `settle` alone.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from itertools import count
from weakref import WeakKeyDictionary

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

_BAD = frozenset({ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED, ExecStatus.BAD_RESPONSE})
#: Statement → its name on the server, for each connection that prepared it. The driver drops all that is prepared, ours as well, when a
#: transaction or a savepoint is taken back: see `forget`.
_prepared: WeakKeyDictionary[psycopg.Connection, dict[bytes, bytes]] = WeakKeyDictionary()
_numbers = count()
Pump = Callable[[], None]


def forget(conn: psycopg.Connection) -> None:
    """What was prepared on this connection is not there any more, or may not be: said by whoever has taken back a transaction."""
    _prepared.pop(conn, None)


class Sending:
    """What is sent to one connection in a transaction. Between the first `send` and `settle` nobody else may use the connection."""

    def __init__(self, conn: psycopg.Connection, *, is_prepared: bool = True) -> None:
        """`is_prepared`: statements are prepared and their names believed by the next set too, which whoever takes back a transaction or a
        savepoint ends by `forget`. Where parts are tried and taken back in turn, nothing is prepared."""
        self._conn = conn
        self._pg: PGconn = conn.pgconn
        self._names = _prepared.setdefault(conn, {}) if is_prepared else None
        #: Whether something was sent that is not settled.
        self._is_under_way = False

    def send(self, statement: bytes, value: bytes) -> None:
        """Carry out a statement of one parameter, `$1` as text, after those before it. Raises psycopg.OperationalError when the line is
        gone."""
        if not self._is_under_way:
            self._begin()
        if self._names is None:
            self._pg.send_query_params(statement, [value])
        else:
            name = self._names.get(statement)
            if name is None:
                name = b"projector_%d" % next(_numbers)
                self._pg.send_prepare(name, statement)
                self._names[statement] = name
            self._pg.send_query_prepared(name, [value])
        self.pump()

    def _begin(self) -> None:
        if self._pg.transaction_status != TransactionStatus.INTRANS:
            # The driver begins one for its own statements; what is sent past it would be kept at once.
            raise psycopg.ProgrammingError("nothing is sent outside of a transaction")
        self._pg.enter_pipeline_mode()
        self._is_under_way = True

    def pump(self) -> None:
        """Hand on what the socket takes without waiting; a line that is gone is told by `settle`."""
        try:
            self._pg.flush()
        except psycopg.OperationalError:
            return

    def settle(self) -> None:
        """Wait until all is carried out. Raises the error of the first statement that failed."""
        if not self._is_under_way:
            return
        self._is_under_way = False
        failed: PGresult | None = None
        try:
            self._pg.pipeline_sync()
            for result in self._results():
                if failed is None and result.status in _BAD:
                    failed = result
            self._pg.exit_pipeline_mode()
        except BaseException:  # interrupted in the middle: nobody knows what the line still brings
            self._conn.close()
            raise
        if failed is not None:
            raise error_from_result(failed, encoding=self._conn.info.encoding)

    def abandon(self) -> None:
        """Nobody waits for what was sent any more: its transaction is going to be taken back."""
        try:
            self.settle()
        except psycopg.Error:
            return

    def _results(self) -> Iterator[PGresult]:
        """All that come until the end of what was sent."""
        pg = self._pg
        line = select.poll()
        while True:
            has_more = pg.flush()
            line.register(pg.socket, select.POLLIN | select.POLLOUT if has_more else select.POLLIN)
            line.poll()
            pg.consume_input()
            ended = False
            while not pg.is_busy():
                result = pg.get_result()
                if result is None and ended:
                    break
                ended = result is None
                if result is not None:
                    if result.status == ExecStatus.PIPELINE_SYNC:
                        return
                    yield result
