"""What a request of several messages may not do (成批报送的界限): overtake, hide, hold an answer up."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from psycopg_pool import PoolTimeout

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway import batches
from plumbline.supervision.gateway.door import Admitted, Turned
from plumbline.supervision.gateway.limits import RateLimit
from plumbline.supervision.gateway.refusals import audit_refusals


def admitted() -> Any:
    return Admitted(received=None, pending=None, message=None)  # type: ignore[arg-type]


class Leaky:
    """Refuses the third one only, as a bucket does that has filled again by the fourth."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self, name: str) -> None:
        self.taken += 1
        if self.taken == 3:
            raise Problem(slug="rate-limited", retry_after_s=1)


def test_from_the_first_beyond_the_rate_on_none_overtakes_another() -> None:
    turned = Turned(received=None, problem=Problem(slug="schema"))  # type: ignore[arg-type]
    found = [admitted(), turned, admitted(), admitted(), turned, admitted()]
    context: Any = SimpleNamespace(uploads=Leaky())
    within = batches._within_rate(context, SimpleNamespace(key_id="k"), found)  # type: ignore[arg-type]
    told = [each.problem.slug if isinstance(each, Turned) else "in" for each in within]
    assert told == ["in", "schema", "in", "rate-limited", "schema", "rate-limited"]


def test_a_full_queue_is_told_to_each_message() -> None:
    async def full(group: Any) -> Any:
        raise Problem(slug="queue-full", retry_after_s=2)

    context: Any = SimpleNamespace(appender=SimpleNamespace(append_all=full))
    outcomes = asyncio.run(batches._appended(context, [None, None]))  # type: ignore[list-item]
    assert [each.slug for each in outcomes if isinstance(each, Problem)] == ["queue-full"] * 2


def test_refusals_of_one_request_ask_for_one_connection_and_a_lost_database_holds_nothing_up() -> None:
    asked: list[float] = []

    @asynccontextmanager
    async def connection(timeout: float) -> Any:
        asked.append(timeout)
        raise PoolTimeout
        yield

    context = SimpleNamespace(audits=RateLimit(10, 100), pool=SimpleNamespace(connection=connection))
    state = SimpleNamespace(context=context)
    request: Any = SimpleNamespace(app=SimpleNamespace(state=state), headers={}, method="POST")
    refused = [(Problem(slug="sender-mismatch"), f"n{i}") for i in range(64)]
    asyncio.run(audit_refusals(request, refused))
    assert asked == [1]
