"""Notes of the exchange monitor (监控记录): a flood of one sender does not crowd the others out, and a batch that fails is counted."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.door import Seen
from plumbline.supervision.gateway.monitor import Monitor


def request(party: str = "") -> Request:
    seen = Seen(key=SimpleNamespace(party=party), is_identified=True) if party else Seen()  # type: ignore[arg-type]
    received = SimpleNamespace(seen=seen, body=b"{}", headers={})
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/x/v1/entries",
            "headers": [],
            "state": {"received": received},
        }
        | {"query_string": b"", "server": ("h", 80), "scheme": "http"}
    )


def noted(monitor: Monitor, party: str, times: int) -> int:
    before = len(monitor._notes)
    for _ in range(times):
        monitor.note(request(party), began=0.0, status=422, problem=Problem(slug="schema"), number="1")
    return len(monitor._notes) - before


def test_a_flood_of_refusals_leaves_room_for_the_other_senders() -> None:
    monitor = Monitor("", "op")
    assert 1000 <= noted(monitor, "ab", 3000) < 2000
    assert 1000 <= noted(monitor, "", 3000) < 2000
    assert noted(monitor, "cd", 10) == 10
    assert monitor.dropped > 2000


def test_a_batch_that_cannot_be_written_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = Monitor("", "op")
    noted(monitor, "ab", 3)

    def broken(self: Monitor, batch: list[Any]) -> list[Any]:
        raise ValueError("broken")

    monkeypatch.setattr(Monitor, "_rows", broken)
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(monitor._flush(None))
    assert monitor.dropped == 3 and not monitor._notes
