"""Clocks that drift and lines that break (时钟漂移、断网补传), all honest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from plumbline.demo.cast import PartyKey
from plumbline.demo.living.names import digest


@dataclass(frozen=True, slots=True)
class DriftingClock:
    """A party's clock: so many seconds off at `since`, and so many more each day; within the platform's tolerance."""

    since: datetime
    off_s: dict[PartyKey, float]
    per_day_s: dict[PartyKey, float]

    def __call__(self, party: PartyKey, at: datetime) -> datetime:
        """What the party's device shows at the true time `at`."""
        days = (at - self.since) / timedelta(days=1)
        off = self.off_s.get(party, 0.0) + self.per_day_s.get(party, 0.0) * days
        return at + timedelta(seconds=round(max(-28.0, min(28.0, off)), 3))


def drifting_clock(seed: int, name: str, since: datetime) -> DriftingClock:
    """Clocks of one project's parties: a few seconds off, some of them drifting."""
    rng = np.random.default_rng(int.from_bytes(digest(seed, "clock", name)[:8], "big"))
    parties: tuple[PartyKey, ...] = ("institution", "contractor", "owner", "resident_engineer_firm")
    return DriftingClock(
        since,
        {party: round(float(rng.normal(0, 6)), 2) for party in parties},
        {party: round(float(rng.normal(0, 0.12)), 3) for party in parties},
    )


@dataclass(frozen=True, slots=True)
class Lines:
    """When a party's messages reach the platform.

    In an institution's outage all its messages wait until the end of it; a phone without network keeps what
    was entered on it for `phone` (the site's parties), with nobody having declared anything.
    """

    outages: tuple[tuple[datetime, datetime], ...] = ()
    phone: timedelta = timedelta(0)
    #: How long it takes until what waited has gone out.
    spread: timedelta = timedelta(minutes=18)

    def __call__(self, party: PartyKey, at: datetime) -> datetime:
        """The time at which what was made at `at` arrives."""
        if party != "institution":
            return at + self.phone
        for begins, ends in self.outages:
            if begins <= at < ends:
                # What waited goes out one after another once the line is back, in the order in which it was made.
                return ends + (at - begins) / (ends - begins) * self.spread
        return at
