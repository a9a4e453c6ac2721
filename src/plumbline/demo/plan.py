"""What one report of the demonstration is about, and when each of its steps happens (报告计划)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from plumbline.acquisition.recordings import Recording
from plumbline.demo.cast import PartyKey
from plumbline.demo.measure import duration_of
from plumbline.demo.post import Change, Moment, punctual
from plumbline.domain.basics.calendar import SHANGHAI

Category = Literal["concrete_cube", "rebar_tension"]
#: dropped: after the test nobody speaks of the sample any more.
End = Literal["registered", "reserved", "voided", "dropped"]
#: Between two specimens of a group the machine is cleaned and the next one is set.
BETWEEN_SPECIMENS = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The moments of one report, aware, in the order in which they must come; see `plausible_times`."""

    made: datetime
    #: The sampler's entry on the phone; more than 30 minutes after making is late in this city.
    entered: datetime
    witnessed: datetime
    commissioned: datetime
    received: datetime
    #: Start of each specimen's test.
    tested: tuple[datetime, ...]
    finished: datetime
    reviewed: datetime
    approved: datetime
    applied: datetime
    registered: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddities:
    """What departs from the ordinary course, each told honestly."""

    #: Nobody witnessed, with the reason that the sampler gave.
    unwitnessed: str | None = None
    #: A picture that could not be taken: its kind and the reason.
    missing_picture: tuple[str, str] | None = None
    #: The acquisition program lost the curves.
    without_curves: bool = False
    #: The institution takes the registered report back with this reason.
    withdrawn: str | None = None
    #: A second version replaces the first, with this reason.
    superseded: str | None = None
    #: Where the report ends: registered, code reserved and unused, number voided.
    end: End = "registered"
    voided: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One report."""

    #: Unique in the demo; the same key and seed give the same ids.
    key: str
    project: str
    category: Category
    grade: str | None
    unit_work: str
    part: str
    #: Specimens in order; called once, when the test takes place.
    recordings: Callable[[], tuple[Recording, ...]]
    count: int
    times: Times
    quantity: str | None = None
    required_age_d: int | None = None
    curing: Literal["standard", "field", "natural", "none"] = "none"
    technician: str = "technician"
    #: The instant that uids carry when history is sent; None: that of each step.
    uid_at: datetime | None = None
    oddities: Oddities = field(default_factory=Oddities)
    #: Who commissions.
    client: PartyKey = "owner"
    #: Entry id of the pour or arrival that the sample is of, where one is recorded.
    pour: str | None = None
    arrival: str | None = None
    #: Where sampler and witness stand: longitude, latitude; None: their phones state no place.
    place: tuple[str, str] | None = None
    witness_place: tuple[str, str] | None = None
    #: Whether key pictures are taken.
    pictures: bool = True
    #: Curing outside the laboratory (养护): room, in, out.
    cured: tuple[str, datetime, datetime] | None = None
    #: Whether a failing result is told and dealt with (不合格告知).
    told: bool = False
    #: Step → what its sender alters in the message.
    changes: Mapping[str, Change] = field(default_factory=dict)
    clock: Moment = punctual
    uploaded: Moment = punctual
    #: Steps beyond the ordinary: when, whose, what is done with the case.
    extras: tuple[tuple[datetime, PartyKey, Callable[[Any, datetime], None]], ...] = ()

    @property
    def lateness(self) -> timedelta:
        """From making to the sampler's entry."""
        return self.times.entered - self.times.made


def local(day: date, hour: int, minute: int = 0) -> datetime:
    """An instant of the city's clock."""
    return datetime.combine(day, time(hour, minute), SHANGHAI)


def plausible_times(
    made: datetime,
    tested: tuple[datetime, ...],
    finished: datetime,
    *,
    entered_after: timedelta = timedelta(minutes=11),
    turnaround: timedelta = timedelta(hours=22),
) -> Times:
    """Times around making and testing: witnessed at once, brought in before the test, signed after it."""
    first = tested[0]
    waiting = first - made
    received = first - min(timedelta(hours=20), waiting / 4)
    applied = finished + turnaround
    return Times(
        made=made,
        entered=made + entered_after,
        witnessed=made + entered_after + timedelta(minutes=8),
        commissioned=received - min(timedelta(hours=1), waiting / 8),
        received=received,
        tested=tested,
        finished=finished,
        reviewed=finished + turnaround * 0.3,
        approved=finished + turnaround * 0.8,
        applied=applied,
        registered=applied + timedelta(minutes=14),
    )


def starts_of(first: datetime, recordings: tuple[Recording, ...]) -> tuple[tuple[datetime, ...], datetime]:
    """Start of each specimen when they are tested one after another from `first`, and the end of the last."""
    starts, at = [], first
    for recording in recordings:
        starts.append(at)
        at += duration_of(recording) + BETWEEN_SPECIMENS
    return tuple(starts), at - BETWEEN_SPECIMENS
