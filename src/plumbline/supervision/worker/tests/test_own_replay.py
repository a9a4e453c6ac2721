"""When the platform's own lost acts are looked for (平台决定的补入)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from plumbline.exchange.messages.platform import LostRange
from plumbline.supervision.journal.own_acts import OwnActs, Replayed
from plumbline.supervision.worker import own_replay
from plumbline.supervision.worker.own_replay import LATE_LOOK_S, LOOK_S, OwnReplay


class _Days:
    """What the database says at each moment, and when acts were entered again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.opened, self.entered = 1000.0, False, list[float]()
        monkeypatch.setattr(own_replay, "recent_loss", lambda _: 7 if self.opened else None)
        monkeypatch.setattr(own_replay, "lost_ranges", lambda _: [LostRange(epoch=1, first=3)])
        monkeypatch.setattr(own_replay, "replay_own", self._replay)
        monkeypatch.setattr(own_replay.time, "monotonic", lambda: self.now)

    def _replay(self, *_: Any, **__: Any) -> Replayed:
        self.entered.append(self.now)
        return Replayed()

    def pass_by(self, own: OwnReplay, seconds: float) -> None:
        """A worker's rounds, ten a second."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            own.look(cast("Any", None))


def test_an_epoch_that_is_opened_beside_a_running_worker_is_seen_within_a_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It waited for the next late look, up to a minute, and with it every institution whose code a lost release had given."""
    days, own = _Days(monkeypatch), OwnReplay(OwnActs(tmp_path), cast("Any", None))
    days.pass_by(own, 5)
    days.entered.clear()
    days.opened, opened_at = True, days.now
    days.pass_by(own, 3 * LOOK_S)
    assert days.entered
    assert days.entered[0] - opened_at <= LOOK_S + 0.2
    assert len(days.entered) >= 2


def test_a_loss_of_long_ago_is_looked_at_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    days, own = _Days(monkeypatch), OwnReplay(OwnActs(tmp_path), cast("Any", None))
    days.pass_by(own, 3 * LATE_LOOK_S)
    assert 3 <= len(days.entered) <= 4
