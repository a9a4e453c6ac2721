"""The log's time under the audit (入账时间的核对): it steps back only where an entry corrects it, and that entry must be true."""

from __future__ import annotations

from datetime import datetime

import psycopg

from plumbline.evidence.position import EPOCH_SPAN, place_of
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.supervision.journal.corrections import Place, Run, faults, last_before, right_runs, wrong_range

_TIME = "SELECT logged_at FROM journal.leaf WHERE epoch = %s AND idx = %s"


class Times:
    """Goes along with the walk over the leaves, from epoch to epoch."""

    def __init__(self, conn: psycopg.Connection, notes: list[str]) -> None:
        self._conn = conn
        self._notes = notes
        #: The epochs that are walked, and the ranges that are corrected.
        self._whole: list[Run] = []
        self._corrected: list[Run] = []

    def end_epoch(self, epoch: int, size: int) -> None:
        """An epoch is walked: so many entries of it are kept."""
        self._whole.append((_position(epoch, 0), _position(epoch, size)))

    def end_of(self, epoch: int | None) -> datetime | None:
        """Time of the last entry of a walked epoch."""
        for start, end in self._whole:
            if epoch is not None and start == _position(epoch, 0) and end > start:
                return self._time_at(end - 1)
        return None

    def correct(
        self,
        told: ClockCorrected,
        place: tuple[int, int],
        logged_at: datetime,
        before: datetime | None,
        *,
        is_platforms: bool,
    ) -> list[str]:
        """What is wrong with an entry `clock.corrected`; one with which nothing is wrong counts from here on."""
        position = _position(*place)
        whole = [*self._whole, (_position(place[0], 0), position)]
        last = last_before(right_runs(whole, self._corrected), told.wrong_from)
        right = None if last is None else self._time_at(last)
        found = faults(told, Place(position=position, logged_at=logged_at, before=before, right=right))
        if not is_platforms:
            found.append("不是平台用自己的密钥签的")
        if not found:
            self._corrected.append((told.wrong_from, position))
            self._notes.append(wrong_range(told.wrong_from, position, told.last_wrong, told.corrected_to))
        return found

    def _time_at(self, position: int) -> datetime | None:
        row = self._conn.execute(_TIME, place_of(position)).fetchone()
        return row[0] if row else None


def _position(epoch: int, index: int) -> int:
    """As `position_of`, and also for numbers that no log has: under the audit anything may stand in a table."""
    return (epoch - 1) * EPOCH_SPAN + index
