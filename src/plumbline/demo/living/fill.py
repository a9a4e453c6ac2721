"""Filling a platform with the city (生成演示城市): enrolment, then everything that happens, over the real gateway."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.enrolment import Enrolment
from plumbline.demo.living.flow import Order, side_by_side
from plumbline.demo.living.senders import CitySenders
from plumbline.demo.living.site import schedule_story
from plumbline.demo.living.story import Story
from plumbline.demo.printing import Press, when_asked
from plumbline.demo.timeline import Steps
from plumbline.domain.basics.calendar import local_date

#: Steps that run side by side: most of them wait for the platform's answer, and a group commit gains by company.
WORKERS = 192
#: How far the order of the log may depart from that of the stated times: a narrower window makes the run wait for single
#: answers, three months of city time long, however fast the machine is. The last steps of an evening may lie further
#: behind, but no more than a night and few: the next day does not wait for their answers.
WINDOW, NIGHT, REPORTS_A_STRAGGLER = timedelta(hours=4), timedelta(hours=16), 250


@dataclass(slots=True)
class Filled:
    """What came of it."""

    results: dict[str, ChainResult] = field(default_factory=dict)
    under_way: int = 0
    seconds: float = 0.0

    @property
    def states(self) -> Counter[str]:
        """State → how many reports ended so."""
        return Counter(each.state for each in self.results.values())


class Ended:
    """Reports that came to their end, one line each in a file; without a file only in memory.

    A line that a crash cut off is passed over: that report is sent again, and nothing changes by it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.results: dict[str, ChainResult] = {}
        if path is not None and path.exists():
            for line in path.read_text("utf-8").splitlines():
                with suppress(msgspec.DecodeError):
                    result = msgspec.json.decode(line, type=ChainResult)
                    self.results[result.key] = result

    def keep(self, result: ChainResult) -> None:
        """Remember a report."""
        self.results[result.key] = result
        if self._path is not None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(msgspec.json.encode(result).decode() + "\n")


def fill(
    story: Story,
    senders: CitySenders,
    enrolment: Enrolment,
    *,
    progress: Callable[[str], None] = lambda text: None,
    workers: int = WORKERS,
    ended: Ended | None = None,
    press: Press = when_asked,
) -> Filled:
    """Send everything in order of time, the demo's clock following.

    Sending a thing again changes nothing; `ended` remembers what came to its end in an earlier run, so that it
    is not sent again at all.
    """
    began, filled = time.monotonic(), Filled()
    ended = ended or Ended()
    filled.results.update(ended.results)
    senders.reserve(story.placed)
    for team in story.city.teams:
        Chain(senders.clients(team), team.cast, enrolment, stated=True).work.ensure_contract(
            team.works.key, story.start
        )
    total, told = len(story.placed), 0.0
    for at, came in side_by_side(
        _stories(story, senders, enrolment, ended, press),
        until=story.end,
        workers=workers,
        order=Order(WINDOW, total // REPORTS_A_STRAGGLER, NIGHT),
        under_way=senders.gathering.under_way,
    ):
        if isinstance(came, ChainResult):
            filled.results[came.key] = came
            ended.keep(came)
        now = time.monotonic()
        if now - told > 1:
            told = now
            progress(f"{local_date(at)} 报告 {len(filled.results)}/{total}，已用 {now - began:.0f} 秒")
    filled.under_way = total - len(filled.results)
    filled.seconds = time.monotonic() - began
    return filled


def _stories(
    story: Story, senders: CitySenders, enrolment: Enrolment, ended: Ended, press: Press
) -> Iterator[tuple[datetime, Steps[Any]]]:
    by_project: dict[str, list[tuple[str, str, int, Any]]] = {}
    for each in story.placed:
        plan, team = each.plan, each.team
        if plan.key not in ended.results:
            chain = Chain(senders.clients(team), team.cast, enrolment, stated=True, press=press)
            yield plan.times.made - timedelta(hours=1), chain.steps(plan)
        line = (plan.category, f"{plan.unit_work} {plan.part}", 1, local_date(plan.times.made))
        by_project.setdefault(plan.project, []).append(line)
    for record in story.records:
        yield record.at, record.story(senders.clients(record.team), enrolment)
    for team in story.city.teams:
        lines = by_project.get(team.works.key, [])[:40]
        if lines:
            at = story.start + timedelta(hours=2)
            yield at, schedule_story(team, senders.clients(team), enrolment, at, lines)
