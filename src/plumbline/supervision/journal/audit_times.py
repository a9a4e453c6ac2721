"""The log's time under the audit (入账时间的核对): it steps back only where an entry corrects it, and that entry must be true."""

from __future__ import annotations

from datetime import datetime

import psycopg

from plumbline.evidence.position import EPOCH_SPAN, place_of, place_text
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.supervision.journal.corrections import Place, Run, faults, last_before, right_runs, wrong_range
from plumbline.supervision.journal.outside_times import Outside

_TIME = "SELECT logged_at FROM journal.leaf WHERE epoch = %s AND idx = %s"


class Times:
    """Goes along with the walk over the leaves, from epoch to epoch."""

    def __init__(self, conn: psycopg.Connection, notes: list[str], outside: Outside) -> None:
        self._conn = conn
        self._outside = outside
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
        objections: list[str],
    ) -> list[str]:
        """What is wrong with an entry `clock.corrected`; one with which nothing is wrong counts from here on.

        One at which time does not step back changes nothing, whatever it says: that it stands there is a note.
        """
        position = _position(*place)
        whole = [*self._whole, (_position(place[0], 0), position)]
        last = last_before(right_runs(whole, self._corrected), told.wrong_from)
        right = None if last is None else self._time_at(last)
        found = faults(told, Place(position=position, logged_at=logged_at, before=before, right=right))
        found += objections
        steps_back = before is not None and logged_at < before
        if steps_back and (against := self._outside.against(place, told.corrected_to)):
            found.append(against)
        if not found:
            self._corrected.append((told.wrong_from, position))
            said = wrong_range(told.wrong_from, position, told.last_wrong, told.corrected_to)
            doubt = self._outside.doubt(place, told.corrected_to) if steps_back else ""
            self._notes.append(f"{said}；{self._outside.for_(place)}{doubt}")
        elif not steps_back:
            self._notes.append(
                f"第 {place_text(position)} 条写着时钟更正，不成立（{'、'.join(found)}）；时间没有在这里倒退，不作数"
            )
            return []
        return found

    def _time_at(self, position: int) -> datetime | None:
        row = self._conn.execute(_TIME, place_of(position)).fetchone()
        return row[0] if row else None


def _position(epoch: int, index: int) -> int:
    """As `position_of`, and also for numbers that no log has: under the audit anything may stand in a table."""
    return (epoch - 1) * EPOCH_SPAN + index
