"""The demo's clock at the gateway (网关的演示时钟): how far ahead it is, and whether the platform is stopped in a simulation."""

from __future__ import annotations

import contextlib
import time

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from plumbline.supervision.journal.demo_clock import READ, DemoClock, clock_of

_EVERY_S = 0.5
_STOPPED = "平台停机（演示）：停机期间不收数据，恢复以后请用原来的 uid 重发。"


class DemoTime:
    """Asks at most twice a second; nothing is asked where the platform is no demo."""

    def __init__(self, pool: AsyncConnectionPool, *, is_demo: bool) -> None:
        self._pool = pool
        self._is_demo = is_demo
        self._known = DemoClock()
        self._asked = float("-inf")

    def fresh(self) -> DemoClock | None:
        """The clock where nothing has to be asked for it."""
        is_due = self._is_demo and time.monotonic() - self._asked > _EVERY_S
        return None if is_due else self._known

    async def look(self) -> DemoClock:
        """The clock as it was set within the last half second; what is known stays when the database does not answer."""
        if self.fresh() is None:
            self._asked = time.monotonic()
            with contextlib.suppress(psycopg.Error, PoolTimeout):
                async with self._pool.connection() as conn:
                    row = await (await conn.execute(READ)).fetchone()
                self._known = clock_of(row)
        return self._known


def may_be_stopped(scope: Scope) -> bool:
    """Whether :class:`StoppedDoor` keeps this request back, or has to ask."""
    clock = scope["app"].state.context.demo_time.fresh()
    return clock is None or clock.stopped_since is not None


class StoppedDoor:
    """ASGI middleware of a demo: while the platform is stopped, everything but /healthz answers 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["path"] != "/healthz":
            clock = await scope["app"].state.context.demo_time.look()
            if clock.stopped_since is not None:
                answer = PlainTextResponse(_STOPPED, status_code=503)
                MutableHeaders(raw=answer.raw_headers)["Retry-After"] = "1"
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
