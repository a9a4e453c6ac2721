"""Project, contract, custodians, plan, tags and site events (工程与现场类消息)."""

from __future__ import annotations

from typing import Literal

from plumbline.exchange.messages.header import Environment, Message, Part, Picture, Position
from plumbline.exchange.wire import (
    Code,
    Count,
    Day,
    Digest,
    Division,
    EntryRef,
    Instant,
    Label,
    Measured,
    PartyRef,
    PersonRef,
    Prose,
)


class ProjectRegistered(Message, tag="project.registered", frozen=True, kw_only=True):
    """A construction project (工程项目), created by the supervision station."""

    name: Label
    code: Code
    permit_number: Code | None = None
    division: Division
    owner: PartyRef
    contractor: PartyRef
    resident_engineer_firm: PartyRef
    unit_works: list[Label] = []
    position: Position | None = None
    fence_m: Measured | None = None


class ScopeLine(Part, frozen=True, kw_only=True):
    """Category and parameters that a contract covers."""

    category: Code
    parameters: list[Code]


class ContractSigned(Message, tag="contract.signed", frozen=True, kw_only=True):
    """A testing contract between owner and institution (检测合同)."""

    project: EntryRef
    number: Code
    client: PartyRef
    client_role: Literal["owner", "contractor", "resident_engineer_firm", "other"]
    institution: PartyRef
    signed_on: Day
    scope: list[ScopeLine]
    file_sha256: Digest | None = None
    client_person: PersonRef | None = None


class CustodiansConfirmed(Message, tag="custodians.confirmed", frozen=True, kw_only=True):
    """Samplers and witnesses of a project, checked by the station (取样、见证人员备案核验)."""

    project: EntryRef
    samplers: list[PersonRef]
    witnesses: list[PersonRef]


class ScheduleLine(Part, frozen=True, kw_only=True):
    """Planned testing of one part of the works."""

    category: Code
    structural_part: Label
    groups: Count
    due_on: Day | None = None


class ScheduleSubmitted(Message, tag="schedule.submitted", frozen=True, kw_only=True):
    """A testing plan (检测计划), drafted by the contractor."""

    project: EntryRef
    lines: list[ScheduleLine]


class ScheduleApproved(Message, tag="schedule.approved", frozen=True, kw_only=True):
    """The resident engineer's approval of a plan (检测计划审批)."""

    schedule: EntryRef
    approved: bool
    note: Prose | None = None


class TagIssued(Message, tag="tag.issued", frozen=True, kw_only=True):
    """Tags handed out for a project (标识领用)."""

    project: EntryRef
    tags: list[Code]
    medium: Literal["qr", "rfid", "nfc", "barcode"]
    issued_to: PersonRef


class PourRecorded(Message, tag="pour.recorded", frozen=True, kw_only=True):
    """A concrete pour (浇筑记录)."""

    project: EntryRef
    structural_part: Label
    grade: Code
    volume_m3: Measured
    started_at: Instant
    plant: PartyRef | None = None


class ArrivalRecorded(Message, tag="arrival.recorded", frozen=True, kw_only=True):
    """Material that arrived on site (进场记录)."""

    project: EntryRef
    material: Label
    grade: Code
    quantity: Measured
    unit: Code
    heat_number: Code | None = None
    manufacturer: Label | None = None
    arrived_on: Day


class InsituItemRegistered(Message, tag="insitu.registered", frozen=True, kw_only=True):
    """An in-situ test item of the structure with its own code (实体检测项目)."""

    project: EntryRef
    code: Code
    category: Code
    structural_part: Label


class DutyAppointed(Message, tag="duty.appointed", frozen=True, kw_only=True):
    """An appointment of a person to a duty at a time (到岗预约)."""

    project: EntryRef
    person: PersonRef
    duty: Literal["sampling", "witnessing", "on_site_testing"]
    from_at: Instant
    until_at: Instant


class CheckInRecorded(Message, tag="checkin.recorded", frozen=True, kw_only=True):
    """A person's presence at a place (签到)."""

    project: EntryRef
    person: PersonRef
    position: Position | None = None
    pictures: list[Picture] = []


class EnvironmentRecorded(Message, tag="environment.recorded", frozen=True, kw_only=True):
    """Temperature and humidity of a room over time (温湿度记录)."""

    site: Code
    room: Label
    environment: Environment
    sample: EntryRef | None = None
