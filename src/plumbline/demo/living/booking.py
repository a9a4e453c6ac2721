"""When a machine is free (试验机排期): honest institutions test one group at a time on a machine."""

from __future__ import annotations

from datetime import datetime, timedelta

#: A group of three with cleaning and setting between the specimens.
SLOT = timedelta(minutes=15)


class Booking:
    """Slots of every machine that are taken; not shared by threads."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, datetime]] = set()

    def take(self, machine: str, wanted: datetime) -> datetime:
        """The free slot nearest to `wanted`, at first later, then earlier; it is taken when the call returns."""
        slot = wanted.replace(minute=wanted.minute // 15 * 15, second=0, microsecond=0)
        for away in range(96):
            for at in (slot + away * SLOT, slot - away * SLOT):
                if (machine, at) not in self._taken:
                    self._taken.add((machine, at))
                    return at
        raise ValueError(f"{machine} 在 {wanted} 前后一天没有空档")
