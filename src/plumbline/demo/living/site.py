"""What the site itself records (现场记录): testing plan and its approval, pours, deliveries of steel."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from plumbline.demo.cast import PartyKey
from plumbline.demo.clients import Clients
from plumbline.demo.enrolment import Enrolment
from plumbline.demo.living.town import Team
from plumbline.demo.post import Post
from plumbline.domain.basics.calendar import local_date
from plumbline.evidence.leaf import entry_id
from plumbline.exchange.messages import project
from plumbline.exchange.messages.header import Message
from plumbline.exchange.uids import derived_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRecord:
    """One record of the contractor about a pour or a delivery; `entry` is known before it is sent."""

    team: Team
    key: str
    at: datetime
    kind: type[Message]
    fields: dict[str, Any]

    @property
    def entry(self) -> str:
        """Entry id that the record will have."""
        tag, cast = str(self.kind.__struct_config__.tag), self.team.cast
        uid = derived_uid(tag, f"demo.{cast.seed}", f"{self.key}/record", self.at)
        return entry_id(bytes.fromhex(cast.party("contractor")), uid).hex()

    def story(self, clients: Clients, enrolment: Enrolment) -> Generator[datetime, None, None]:
        """Sends the record at its time."""
        yield self.at
        post = Post(clients, self.key, self.team.cast.seed, stated=True)
        entry = enrolment.projects[self.team.works.key]
        post.send("contractor", self.kind, self.at, "record", project=entry, **self.fields)


def pour(team: Team, key: str, *, at: datetime, part: str, grade: str, volume_m3: float) -> SiteRecord:
    """A concrete pour (浇筑记录)."""
    fields = {
        "structural_part": part,
        "grade": grade,
        "volume_m3": f"{volume_m3:.1f}",
        "started_at": at - timedelta(minutes=50),
        "plant": team.plant.organisation.party,
    }
    return SiteRecord(team=team, key=key, at=at, kind=project.PourRecorded, fields=fields)


def arrival(team: Team, key: str, *, at: datetime, grade: str, diameter: int, tonnes: int) -> SiteRecord:
    """Steel that arrived (进场记录)."""
    fields = {
        "material": f"热轧带肋钢筋 φ{diameter}",
        "grade": grade,
        "quantity": str(tonnes),
        "unit": "t",
        "heat_number": f"L{at:%y%m%d}{diameter}",
        "manufacturer": "泾原钢铁（演示）",
        "arrived_on": local_date(at).isoformat(),
    }
    return SiteRecord(team=team, key=key, at=at, kind=project.ArrivalRecorded, fields=fields)


def groups_required(volume_m3: float) -> int:
    """Groups of standard-cured cubes that a pour of one grade asks for: one for each 100 m³ begun."""
    return max(1, math.ceil(volume_m3 / 100))


def schedule_story(
    team: Team, clients: Clients, enrolment: Enrolment, at: datetime, lines: list[tuple[str, str, int, date]]
) -> Generator[datetime, None, None]:
    """Testing plan of a project and the resident engineer's approval (检测计划).

    `lines`: category, part, groups, day.
    """
    yield at
    post = Post(clients, f"city/schedule/{team.works.key}", team.cast.seed, stated=True)
    firm: PartyKey = "resident_engineer_firm"
    sent = post.send(
        "contractor",
        project.ScheduleSubmitted,
        at,
        "schedule",
        project=enrolment.projects[team.works.key],
        lines=[
            project.ScheduleLine(
                category=category, structural_part=part, groups=groups, due_on=due.isoformat()
            )
            for category, part, groups, due in lines
        ],
    )
    later = at + timedelta(hours=5)
    yield later
    post.send(firm, project.ScheduleApproved, later, "approval", schedule=sent.entry, approved=True)
