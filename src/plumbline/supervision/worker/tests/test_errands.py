"""Jobs that pages ordered (页面提出的任务): the process for them is started also where one was left half done."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from plumbline.supervision.worker import errands
from plumbline.supervision.worker.errands import AFTER_TROUBLE_S, RESCUE_EVERY_S, Errands


def test_a_job_left_running_is_looked_after_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, started, clock = [], [], [0.0]

    class Asked:
        def execute(self, statement: str, values: list[list[str]]) -> object:
            asked.append(values[0])
            there = "running" in values[0]
            return SimpleNamespace(fetchone=lambda: (1,) if there else None)

    def start(command: list[str], env: object) -> object:
        started.append(command[-1])
        return SimpleNamespace(poll=lambda: 0, returncode=0)

    monkeypatch.setattr(errands.subprocess, "Popen", start)
    each = Errands(SimpleNamespace(environment=dict), clock=lambda: clock[0])
    for seconds in (0.0, 1.0, RESCUE_EVERY_S):
        clock[0] += seconds
        each.look(Asked())
    assert asked == [["waiting", "running"], ["waiting"], ["waiting", "running"]]
    assert started == ["plumbline.supervision.jobs"] * 2


def test_a_process_that_ended_in_trouble_is_not_started_over_and_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, clock = [], [0.0]
    waits = SimpleNamespace(execute=lambda statement, values: SimpleNamespace(fetchone=lambda: (1,)))

    def start(command: list[str], env: object) -> object:
        started.append(clock[0])
        return SimpleNamespace(poll=lambda: 1, returncode=1)

    monkeypatch.setattr(errands.subprocess, "Popen", start)
    each = Errands(SimpleNamespace(environment=dict), clock=lambda: clock[0])
    for _ in range(int(AFTER_TROUBLE_S) + 2):
        each.look(waits)
        clock[0] += 1.0
    assert started == [0.0, 1.0 + AFTER_TROUBLE_S]
