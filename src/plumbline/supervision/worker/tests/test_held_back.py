"""Applications that are held back after a loss (暂不扣留): they take a moment of a round, and those behind them are decided all the same.

The table of applications is a list here, and time goes by as looks are made: ten thousand real ones would take minutes to make.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from plumbline.supervision.worker import due
from plumbline.supervision.worker.due import BATCH, MOMENT_S, Worker


class Town:
    """Applications by number; `held` of them are held back whenever they are looked at, which takes `cost_s`."""

    def __init__(self, held: int, honest: int, cost_s: float) -> None:
        self.now, self.cost_s = 1000.0, cost_s
        self.held = {f"{number:032x}" for number in range(held)}
        self.open = [f"{number:032x}" for number in range(held + honest)]
        self.looks: list[str] = []

    def execute(self, statement: str, parameters: list[Any]) -> SimpleNamespace:
        """The one query of the round: those that are not left alone, in order."""
        alone, most = set(parameters[0]), parameters[1]
        found = [name for name in self.open if name not in alone][:most]
        rows = [{"id": name, "entry": name, "idx": 1, "state": "applied", "version": 1} for name in found]
        return SimpleNamespace(fetchall=lambda: rows)

    def look(self, worker: Worker, row: dict[str, Any]) -> list[Any]:
        """What deciding does to an application that is held back, and to another."""
        name = row["id"]
        self.looks.append(name)
        self.now += self.cost_s
        if name in self.held:
            worker._hold_back(name)
            return []
        self.open.remove(name)
        return [name]


@pytest.fixture
def town(monkeypatch, request) -> tuple[Town, Worker]:
    made = Town(*request.param)
    monkeypatch.setattr(due, "time", SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(due, "awaiting_codes", lambda conn: [])
    monkeypatch.setattr(Worker, "_decide", lambda worker, conn, row: made.look(worker, row))
    monkeypatch.setattr(Worker, "_enter_all", lambda worker, made_, what: len(made_))
    worker = Worker(
        conninfo="", sender=cast(Any, None), issuer=cast(Any, None), operator="", files=cast(Any, None), roots=(), demo=False
    )  # fmt: skip
    return made, worker


@pytest.mark.parametrize("town", [(1000, 0, 0.04), (6000, 0, 0.01), (200, 0, 0.0)], indirect=True)
def test_a_round_ends_after_a_moment_and_looks_at_each_once(town: tuple[Town, Worker]) -> None:
    city, worker = town
    began = city.now
    assert worker.decisions(cast(Any, city)) == 0
    assert city.now - began <= MOMENT_S + BATCH * city.cost_s
    assert len(set(city.looks)) == len(city.looks)


@pytest.mark.parametrize("town", [(1000, 3, 0.01), (6000, 3, 0.01)], indirect=True)
def test_those_behind_them_are_reached_and_most_of_the_time_is_left_to_other_work(
    town: tuple[Town, Worker],
) -> None:
    city, worker = town
    rounds = 0
    while set(city.open) - city.held:
        worker.decisions(cast(Any, city))
        rounds += 1
        city.now += 0.5  # as long as a worker waits that has nothing to do
        assert rounds < 150
    assert len(city.looks) < 1.5 * len(city.held) + BATCH
