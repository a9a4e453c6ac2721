"""When a machine or a witness is free (排期): honest institutions test one group at a time on a machine."""

from __future__ import annotations

from datetime import datetime, timedelta

#: A group of three with cleaning and setting between the specimens.
SLOT = timedelta(minutes=15)
#: A pour with the way there: nobody witnesses two of them within it.
WITNESS_SLOT = timedelta(hours=2)
#: Slots away from the one that was wanted: a small town's one witness is busy for weeks on end.
_FARTHEST = 600


class Booking:
    """Slots of machines and people that are taken; not shared by threads."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, datetime]] = set()

    def take(self, who: str, wanted: datetime, slot: timedelta = SLOT) -> datetime:
        """The free slot of a working day nearest to `wanted`, at first later, then earlier; it is taken on return."""
        midnight = wanted.replace(hour=0, minute=0, second=0, microsecond=0)
        nearest = midnight + (wanted - midnight) // slot * slot
        for away in range(_FARTHEST):
            for at in (nearest + away * slot, nearest - away * slot):
                if 8 <= at.hour < 18 and (who, at) not in self._taken:
                    self._taken.add((who, at))
                    return at
        raise ValueError(f"{who} 在 {wanted} 前后没有空档")
