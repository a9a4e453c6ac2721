"""Handlers of message kinds (各类消息的投影): one function a kind, pure but for the state that it is given."""

from __future__ import annotations

from collections.abc import Callable

from plumbline.supervision.projection.arrival import Projection
from plumbline.supervision.projection.handlers import (
    accounts,
    clock,
    cosigners,
    custody,
    decisions,
    records,
    registry,
    reports,
    resending,
    testing,
)

Handler = Callable[[Projection], str]

HANDLERS: dict[str, Handler] = {
    **registry.HANDLERS,
    **accounts.HANDLERS,
    **clock.HANDLERS,
    **cosigners.HANDLERS,
    **custody.HANDLERS,
    **testing.HANDLERS,
    **reports.HANDLERS,
    **decisions.HANDLERS,
    **resending.HANDLERS,
}


def handler_of(kind: str) -> Handler:
    """The handler of a kind; those without one of their own are kept as records."""
    return HANDLERS.get(kind, records.keep)
