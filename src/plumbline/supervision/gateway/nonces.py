"""Nonces of calls that no uid makes harmless (一次性随机数): two halves of ten minutes, truncated in turn.

A signature counts for 300 s before and after its time. A half therefore holds the nonces of one period of
ten minutes, and when the next period of the same half begins, none of the old ones could be used any more.
"""

from __future__ import annotations

from psycopg import errors
from psycopg_pool import AsyncConnectionPool

from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import SignedRequest

PERIOD_S = 600
_HALVES = ("ops.nonce_even", "ops.nonce_odd")
#: The row that says which period a half holds; no key has the empty id.
_MARK = ""


class Nonces:
    """Remembers nonces for all gateway processes, in the database."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._opened: dict[str, int] = {}

    async def take(self, signed: SignedRequest) -> None:
        """Use up the nonce of a verified request; raises `signature-invalid` when it was used before.

        A request without a nonce passes: its sender wanted none.
        """
        if not signed.nonce:
            return
        period = signed.created // PERIOD_S
        table = _HALVES[period % 2]
        if self._opened.get(table) != period:
            await self._open(table, period)
        async with self._pool.connection() as conn:
            try:
                await conn.execute(
                    f"INSERT INTO {table} (key_id, nonce) VALUES (%s, %s)".encode(),  # noqa: S608 - own names
                    [signed.key_id, signed.nonce[:200]],
                )
            except errors.UniqueViolation:
                detail = "这个请求已经收到过一次，签名里的 nonce 不能再用"
                raise Problem(slug="signature-invalid", detail=detail) from None

    async def _open(self, table: str, period: int) -> None:
        """Empty a half whose period is over; the first process of a period does it, under the table's lock."""
        async with self._pool.connection() as conn, conn.transaction():
            await conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            found = await conn.execute(
                f"SELECT nonce FROM {table} WHERE key_id = %s".encode(),  # noqa: S608 - own names
                [_MARK],
            )
            row = await found.fetchone()
            if row is None or int(row[0]) < period:
                await conn.execute(f"TRUNCATE {table}".encode())
                await conn.execute(
                    f"INSERT INTO {table} (key_id, nonce) VALUES (%s, %s)".encode(),  # noqa: S608 - own names
                    [_MARK, str(period)],
                )
        self._opened[table] = period
