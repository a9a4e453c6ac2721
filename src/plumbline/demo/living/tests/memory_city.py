"""A city told to a platform in memory (内存城市): every message decoded as at the door, no documents printed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from plumbline.demo.clients import PARTIES
from plumbline.demo.living.enrol import city_enrolment
from plumbline.demo.living.fill import Filled, fill
from plumbline.demo.living.frauds.planting import planted_truth, with_frauds
from plumbline.demo.living.senders import CitySenders
from plumbline.demo.living.story import Story, tell
from plumbline.demo.living.town import City, build_city
from plumbline.demo.tests.memory_platform import Kept, MemoryPlatform, MemorySender
from plumbline.evidence.leaf import entry_id
from plumbline.exchange.messages.custody import CommissionPlaced, SamplingRecorded
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.testing import RunRecorded

TODAY = date(2026, 11, 21)
END = datetime(2026, 11, 21, 4, tzinfo=UTC)
START = END - timedelta(days=92)
M = TypeVar("M", bound=Message)


def entry_of(message: Message) -> str:
    """Entry id of a message."""
    return entry_id(bytes.fromhex(message.sender), message.uid).hex()


@dataclass
class Told:
    """A city after its story was told, as lists and look-ups of messages."""

    city: City
    story: Story
    platform: MemoryPlatform
    filled: Filled
    truth: list[dict]

    def all(self, kind: type[M]) -> list[M]:
        return [each.message for each in self.platform.kept if isinstance(each.message, kind)]

    @cached_property
    def by_entry(self) -> dict[str, Kept]:
        return {entry_of(each.message): each for each in self.platform.kept}

    @cached_property
    def runs(self) -> list[RunRecorded]:
        return self.all(RunRecorded)

    @cached_property
    def project_of(self) -> dict[str, str]:
        """Sample's entry → project's entry."""
        return {entry_of(each): each.project for each in self.all(SamplingRecorded)}

    def sampling(self, entry: str) -> SamplingRecorded:
        found = self.by_entry[entry].message
        assert isinstance(found, SamplingRecorded)
        return found

    @cached_property
    def commission_of(self) -> dict[str, CommissionPlaced]:
        return {entry: each.message for entry, each in self.by_entry.items() if isinstance(each.message, CommissionPlaced)}  # fmt: skip

    def planted(self, pattern: str) -> set[str]:
        """Entries of a pattern's reports and site records."""
        (found,) = [each for each in self.truth if each["pattern"] == pattern]
        steps = {entry for entries in found["entries"].values() for entry in entries.values()}
        return steps | set(found["records"])

    def specimens(self) -> Iterator[tuple[RunRecorded, object]]:
        for run in self.runs:
            for specimen in run.specimens:
                yield run, specimen


def tell_in_memory(folder: Path, *, seed: int, scale: float, patterns: Sequence[str] | None) -> Told:
    """The city of a seed with the patterns named (None: all of them), its reports ending before they are printed."""
    city = build_city(seed, scale, TODAY)
    desk, honest = tell(city, start=START, end=END)
    story, planted = with_frauds(desk, honest, patterns)
    story = replace(story, placed=tuple(replace(each, plan=_unprinted(each.plan)) for each in story.placed))
    platform = MemoryPlatform()
    senders = CitySenders(folder, "http://127.0.0.1:8700")
    for team in (*city.teams, *(city.team_of(0, house.number) for house in city.houses)):
        for role in PARTIES:
            who = team.cast.organisations[role]
            senders.shared.setdefault(who.party, MemorySender(platform, role, who.party, who.role))
    filled = fill(story, senders, city_enrolment(city, folder, START), workers=2)
    return Told(city, story, platform, filled, planted_truth(planted, filled.results))


def _unprinted(plan):
    if plan.oddities.end != "registered":
        return plan
    return replace(plan, oddities=replace(plan.oddities, end="reserved"))


def grouped(pairs) -> dict:
    """Key → list of values."""
    found = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found
