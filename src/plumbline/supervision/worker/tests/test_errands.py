"""Jobs that pages ordered (页面提出的任务): the process for them is started also where one was left half done."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from plumbline.supervision.worker import errands
from plumbline.supervision.worker.errands import RESCUE_EVERY_S, Errands


def test_a_job_left_running_is_looked_after_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, started, clock = [], [], [0.0]

    class Asked:
        def execute(self, statement: str, values: list[list[str]]) -> object:
            asked.append(values[0])
            there = "running" in values[0]
            return SimpleNamespace(fetchone=lambda: (1,) if there else None)

    def start(command: list[str], env: object) -> object:
        started.append(command[-1])
        return SimpleNamespace(poll=lambda: 0)

    monkeypatch.setattr(errands.subprocess, "Popen", start)
    each = Errands(SimpleNamespace(environment=dict), clock=lambda: clock[0])
    for seconds in (0.0, 1.0, RESCUE_EVERY_S):
        clock[0] += seconds
        each.look(Asked())
    assert asked == [["waiting", "running"], ["waiting"], ["waiting", "running"]]
    assert started == ["plumbline.supervision.jobs"] * 2
