"""Corrections of the log's time (时钟更正): what an entry `clock.corrected` must say so that time may step back at its place.

Every correction names a range of entries that a wrong clock has dated. The log's time is in order when, without the ranges that are
named, it never goes back; anybody can see that from the leaves and these entries alone. Pure: no database, no clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from plumbline.domain.basics.calendar import local_text
from plumbline.evidence.position import place_text
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.supervision.journal.clock import MAX_STEP_BACK

#: Positions [start, end).
Run = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry `clock.corrected` stands, and what the leaves around it say."""

    position: int
    logged_at: datetime
    #: Time of the entry right before it; None at the beginning of the log.
    before: datetime | None
    #: Time of the last entry before `wrong_from` that lies in no corrected range; None where there is none.
    right: datetime | None


def right_runs(whole: Iterable[Run], corrected: Iterable[Run]) -> list[Run]:
    """What is left of the log without the corrected ranges, in order. A later correction may reach over an earlier one."""
    runs = [(start, end) for start, end in whole if start < end]
    for wrong_from, position in corrected:
        parts = [
            part
            for start, end in runs
            for part in ((start, min(end, wrong_from)), (max(start, position), end))
        ]
        runs = [(start, end) for start, end in parts if start < end]
    return runs


def last_before(runs: Sequence[Run], position: int) -> int | None:
    """The last position below another one, None where there is none."""
    return max((min(end, position) - 1 for start, end in runs if start < position), default=None)


def first_later(runs: Sequence[Run], time_at: Callable[[int], datetime], present: datetime) -> int | None:
    """The first position whose time lies after the present: in these runs time never goes back, so that few are asked."""
    for start, end in runs:
        place = range(start, end)
        if time_at(place[-1]) > present:
            return place[bisect_right(place, present, key=time_at)]
    return None


def faults(told: ClockCorrected, place: Place) -> list[str]:
    """Why time may not step back at this place; empty when it may. Whose entry it is, and who signed it, is looked at elsewhere."""
    found = []
    if told.position != place.position:
        found.append("说的不是自己的位置")
    if not 1 <= told.wrong_from < place.position or place.right is None:
        found.append("时间走错的一段不在它前面")
    if place.before is None or told.last_wrong != place.before:
        found.append("前一条的入账时间不是它说的")
    if told.corrected_to != place.logged_at:
        found.append("它的入账时间不是它更正到的时间")
    if told.last_wrong - told.corrected_to <= MAX_STEP_BACK:
        found.append("没有走错的时间可更正")
    if place.right is not None and place.right > told.corrected_to:
        found.append("更正到的时间早于没有走错的一条")
    if told.first_person == told.second_person:
        found.append("办理和复核是同一个人")
    return found


def wrong_range(wrong_from: int, position: int, last_wrong: datetime, corrected_to: datetime) -> str:
    """One plain sentence: which entries a wrong clock has dated, and where that ended."""
    last = f"到第 {place_text(position - 1)} 条" if position - 1 > wrong_from else ""
    return (
        f"第 {place_text(wrong_from)} 条{last}按走错的时钟入账，最后记到 {local_text(last_wrong)}；"
        f"第 {place_text(position)} 条更正到 {local_text(corrected_to)}，以前各条照原样留着"
    )
