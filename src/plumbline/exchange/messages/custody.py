"""From the mould to the bench (样品保管链): sampling, witnessing, curing, commission, receipt, transfer, disposal."""

from __future__ import annotations

from typing import Literal

from plumbline.exchange.messages.header import Dimension, Environment, Message, Part, Picture, Position
from plumbline.exchange.wire import (
    Code,
    Count,
    Day,
    Digest,
    EntryRef,
    Instant,
    Label,
    PartyRef,
    PersonRef,
    Prose,
)

SampleKind = Literal["concrete_cube", "mortar_cube", "rebar", "rebar_joint", "cement", "other"]
TestingCategory = Literal[
    "witnessed",
    "client_submitted",
    "on_site",
    "supervision_spot",
    "doubled_retest",
    "disputed_retest",
    "after_treatment",
    "parallel",
    "comparison",
]
Curing = Literal["standard", "field", "natural", "none"]


class SpecimenMade(Part, frozen=True, kw_only=True):
    """One specimen (件) of a group, with its own tag."""

    ordinal: Count
    tag: Code
    nominal: list[Dimension] = []


class SamplingRecorded(Message, tag="sampling.recorded", frozen=True, kw_only=True):
    """Sampling and making of one group (取样制样): a group of 1..n specimens, each tagged."""

    project: EntryRef
    pour: EntryRef | None = None
    arrival: EntryRef | None = None
    sample_kind: SampleKind
    unit_work: Label | None = None
    structural_part: Label
    grade: Code | None = None
    curing: Curing = "none"
    required_age_d: Count | None = None
    represented_quantity: Label | None = None
    made_at: Instant
    sampler: PersonRef
    specimens: list[SpecimenMade]
    position: Position | None = None
    pictures: list[Picture] = []
    missing_pictures: Prose | None = None
    unwitnessed_because: Prose | None = None


class WitnessingRecorded(Message, tag="witnessing.recorded", frozen=True, kw_only=True):
    """The witness saw the sampling and applied the seal (见证与施封)."""

    sample: EntryRef
    witness: PersonRef
    witnessed_at: Instant
    seal: Code | None = None
    face_verification: Literal["passed", "alternative", "not_done"] = "not_done"
    position: Position | None = None
    pictures: list[Picture] = []
    missing_pictures: Prose | None = None


class CuringRecorded(Message, tag="curing.recorded", frozen=True, kw_only=True):
    """Into or out of a curing room (养护出入)."""

    sample: EntryRef
    room: Label
    entered_at: Instant | None = None
    left_at: Instant | None = None
    environment: Environment | None = None


class RequestedWork(Part, frozen=True, kw_only=True):
    """Category, parameters and method asked for."""

    category: Code
    parameters: list[Code]
    method: Code
    edition: Code


class CommissionPlaced(Message, tag="commission.placed", frozen=True, kw_only=True):
    """A commission (委托单): who asks which institution for which test of which samples, and of what test category."""

    contract: EntryRef
    institution: PartyRef
    number: Code
    test_category: TestingCategory
    samples: list[EntryRef]
    requests: list[RequestedWork]
    submitter: PersonRef | None = None
    witness: PersonRef | None = None
    required_on: Day | None = None


class TagScanned(Part, frozen=True, kw_only=True):
    """One tag read at the reception window and what was seen."""

    tag: Code
    seal_intact: bool
    condition: Label


class ReceiptRecorded(Message, tag="receipt.recorded", frozen=True, kw_only=True):
    """Reception (收样): every specimen scanned, accepted or refused with reason."""

    commission: EntryRef
    sample: EntryRef
    site: Code
    receiver: PersonRef
    scanned: list[TagScanned]
    accepted: bool
    refusal: Prose | None = None
    witness_present: bool
    pictures: list[Picture] = []
    missing_pictures: Prose | None = None


class SampleTransferred(Message, tag="sample.transferred", frozen=True, kw_only=True):
    """A sample handed from one person to another inside the institution (流转)."""

    sample: EntryRef
    from_person: PersonRef
    to_person: PersonRef


class RetainedDisposed(Message, tag="retained.disposed", frozen=True, kw_only=True):
    """A retained or broken sample disposed of after its time (留样处置)."""

    sample: EntryRef
    kept_until: Day
    method: Label
    picture_sha256: Digest | None = None
