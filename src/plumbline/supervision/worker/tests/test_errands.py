"""Jobs that pages ordered (页面提出的任务): a process for each kind, started also where a job was left half done or is past its time."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from plumbline.supervision.worker import errands
from plumbline.supervision.worker.errands import AFTER_TROUBLE_S, RESCUE_EVERY_S, SWEEP_EVERY_S, Errands


class Jobs:
    """What the table says: kinds by state, and whether something is past its time."""

    def __init__(self, kinds: dict[str, list[str]], is_past: bool = False) -> None:
        self.kinds, self.is_past = kinds, is_past
        self.asked: list[list[str]] = []

    def execute(self, statement: str, values: Sequence[list[str]] = ()) -> object:
        if not values:
            return SimpleNamespace(fetchone=lambda: (1,) if self.is_past else None)
        self.asked.append(values[0])
        found = [(kind,) for state in values[0] for kind in self.kinds.get(state, [])]
        return SimpleNamespace(fetchall=lambda: found)


def errands_of(
    monkeypatch: pytest.MonkeyPatch, code: int | None
) -> tuple[Errands, list[float], list[tuple[float, str]]]:
    """Errands on a clock of their own; a process that was started has ended with `code`, or goes on (None)."""
    clock, started = [0.0], []

    def start(command: list[str], env: object) -> object:
        assert command[-2] == "plumbline.supervision.jobs"
        started.append((clock[0], command[-1]))
        return SimpleNamespace(poll=lambda: code, returncode=code)

    monkeypatch.setattr(errands.subprocess, "Popen", start)
    return Errands(SimpleNamespace(environment=dict), clock=lambda: clock[0]), clock, started


def test_a_job_left_running_is_looked_after_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    each, clock, started = errands_of(monkeypatch, 0)
    jobs = Jobs({"running": ["volume"]})
    for seconds in (0.0, 1.0, RESCUE_EVERY_S):
        clock[0] += seconds
        each.look(jobs)
    assert jobs.asked == [["waiting", "running"], ["waiting"], ["waiting", "running"]]
    assert started == [(0.0, "volume"), (1.0 + RESCUE_EVERY_S, "volume")]


def test_a_list_does_not_wait_for_a_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    each, clock, started = errands_of(monkeypatch, None)
    each.look(Jobs({"waiting": ["volume"]}))
    clock[0] = 1.0
    each.look(Jobs({"waiting": ["list_export", "volume"]}))
    assert started == [(0.0, "volume"), (1.0, "list_export")]


def test_a_process_that_ended_in_trouble_is_not_started_over_and_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each, clock, started = errands_of(monkeypatch, 1)
    for _ in range(int(AFTER_TROUBLE_S) + 2):
        each.look(Jobs({"waiting": ["volume"]}))
        clock[0] += 1.0
    assert started == [(0.0, "volume"), (1.0 + AFTER_TROUBLE_S, "volume")]


def test_what_is_past_its_time_is_swept_though_nobody_orders_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each, clock, started = errands_of(monkeypatch, 0)
    for seconds in (0.0, SWEEP_EVERY_S / 2, SWEEP_EVERY_S / 2):
        clock[0] += seconds
        each.look(Jobs({}, is_past=True))
    assert [at for at, _ in started] == [0.0, SWEEP_EVERY_S]
