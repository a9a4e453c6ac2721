"""Numbers, application for a code, registration and what follows (报告类消息)."""

from __future__ import annotations

from typing import Literal

from plumbline.exchange.messages.header import Message, Part
from plumbline.exchange.wire import (
    Base32Text,
    BigCount,
    Code,
    Count,
    Day,
    Digest,
    EntryRef,
    Instant,
    Label,
    Measured,
    PartyRef,
    PersonRef,
    Prose,
    SerialNumber,
)

Conclusion = Literal["PASS", "FAIL", "NOT_JUDGED", "VOID"]
DocumentKind = Literal["commission", "raw_record", "report", "contract"]
SupervisionCodeText = Code


class NumberTaken(Message, tag="number.taken", frozen=True, kw_only=True):
    """A number of a yearly consecutive series, taken at acceptance (受理即取号).

    Series = institution × document kind × category prefix × site × year. The number is claimed: nobody gets it twice.
    """

    document_kind: DocumentKind
    prefix: Code
    site: Code
    year: Count
    serial: Count
    number: SerialNumber
    commission: EntryRef | None = None


class NumberVoided(Message, tag="number.voided", frozen=True, kw_only=True):
    """A taken number that will not be used (作废), with reason."""

    number_entry: EntryRef
    because: Prose


class ReportedValue(Part, frozen=True, kw_only=True):
    """One value as the report prints it (报告值)."""

    symbol: Code
    name: Label
    value: Measured | None = None
    text: Label | None = None
    unit: Code | None = None
    ordinal: Count | None = None


class ReportedParameter(Part, frozen=True, kw_only=True):
    """A parameter that the report states, and the runs it rests on."""

    parameter: Code
    method: Code
    edition: Code
    runs: list[EntryRef]
    requirement: Label | None = None
    values: list[ReportedValue]
    conclusion: Conclusion


class ReportApplied(Message, tag="report.applied", frozen=True, kw_only=True):
    """The structured report with its final data: the application for a supervision code (申请监管码)."""

    commission: EntryRef
    number_entry: EntryRef
    number: SerialNumber
    version: Count = 1
    replaces_code: SupervisionCodeText | None = None
    title: Label
    site: Code
    category: Code
    samples: list[EntryRef]
    parameters: list[ReportedParameter]
    conclusion: Conclusion
    conclusion_text: Prose
    tested_by: list[PersonRef]
    reviewer: PersonRef
    reviewed_at: Instant
    approver: PersonRef
    approved_at: Instant
    issued_on: Day
    remarks: Prose | None = None


class GateReason(Part, frozen=True, kw_only=True):
    """One reason for which a code is withheld, or a remark."""

    code: Code
    clause: Label
    sentence: Prose
    remedy: Prose | None = None


class CodeReserved(Message, tag="code.reserved", frozen=True, kw_only=True):
    """The platform reserved a supervision code for an application (预留)."""

    application: EntryRef
    institution: PartyRef
    code: SupervisionCodeText
    claims: Base32Text
    dies_at: Instant
    notes: list[GateReason] = []


class CodeWithheld(Message, tag="code.withheld", frozen=True, kw_only=True):
    """The platform withholds the code, with every reason, clause and remedy (暂不发码)."""

    application: EntryRef
    institution: PartyRef
    reasons: list[GateReason]


class CodeReleased(Message, tag="code.released", frozen=True, kw_only=True):
    """An officer released a withheld code with reason and a second person (人工放行); the mark stays."""

    application: EntryRef
    officer: PersonRef
    second_officer: PersonRef
    because: Prose


class ReportRegistered(Message, tag="report.registered", frozen=True, kw_only=True):
    """The final, signed bytes (登记终稿): only now is the code valid. The code is claimed."""

    application: EntryRef
    code: SupervisionCodeText
    pdf_sha256: Digest
    pdf_bytes: BigCount
    pages: Count
    signed_at: Instant
    certificate_sha256: Digest


class ReportExamined(Message, tag="report.examined", frozen=True, kw_only=True):
    """What the platform found in the registered PDF (终稿查验): strict PAdES examination by the worker."""

    registration: EntryRef
    accepted: bool
    root_kind: Literal["licensed", "demo", "none"]
    signer: Label | None = None
    problems: list[GateReason] = []


class ReportWithdrawn(Message, tag="report.withdrawn", frozen=True, kw_only=True):
    """The institution withdraws a registered report (撤回), with reason."""

    registration: EntryRef
    because: Prose


class ReportDelivered(Message, tag="report.delivered", frozen=True, kw_only=True):
    """The report was handed to its receiver (发放)."""

    registration: EntryRef
    to: PartyRef
    copies: Count


class AuthenticityConfirmed(Message, tag="authenticity.confirmed", frozen=True, kw_only=True):
    """The receiver checked that the report is genuine (收方确认真伪), Guangxi 十五."""

    registration: EntryRef
    person: PersonRef | None = None
    genuine: bool


class ComplaintFiled(Message, tag="complaint.filed", frozen=True, kw_only=True):
    """Somebody holds a paper that does not agree with the registered report (纸面不一致举报)."""

    code: SupervisionCodeText
    differs: list[Literal["grade", "strength", "structural_part", "tested_on", "client", "number", "other"]]
    paper_value: Label | None = None
    file_sha256: Digest | None = None
    note: Prose | None = None


class DossierArchived(Message, tag="dossier.archived", frozen=True, kw_only=True):
    """The file of a report is archived (归档)."""

    registration: EntryRef
    kept_until: Day
    shelf: Label | None = None


class CompletionChecked(Message, tag="completion.checked", frozen=True, kw_only=True):
    """Check of a project's reports before completion (竣工核查)."""

    project: EntryRef
    complete: bool
    missing: list[Label] = []


__all__ = [
    "AuthenticityConfirmed",
    "CodeReleased",
    "CodeReserved",
    "CodeWithheld",
    "ComplaintFiled",
    "CompletionChecked",
    "Conclusion",
    "DossierArchived",
    "GateReason",
    "NumberTaken",
    "NumberVoided",
    "ReportApplied",
    "ReportDelivered",
    "ReportExamined",
    "ReportRegistered",
    "ReportWithdrawn",
    "ReportedParameter",
    "ReportedValue",
]
