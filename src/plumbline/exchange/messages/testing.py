"""Testing itself (试验类消息): a run with its curves, corrections, review and approval, on-site work."""

from __future__ import annotations

from typing import Literal

from plumbline.exchange.messages.header import Dimension, Environment, Message, Named, Part, Picture
from plumbline.exchange.wire import (
    BigCount,
    Code,
    Count,
    CurveText,
    Day,
    Digest,
    EntryRef,
    Instant,
    Label,
    Measured,
    PersonRef,
    Prose,
    Whole,
)

DataOrigin = Literal["acquired", "keyed"]


class CurveChannel(Part, frozen=True, kw_only=True):
    """One channel of one specimen: scaled integers at the sensor's resolution (曲线通道).

    The value of point i is `integer[i] × scale` in `unit`. Times are either regular (`period_us`, from `start_us`) or a second list
    of integers in microseconds. Points come as `values`, or as `dzv`: base64 of delta-zigzag-varint (handbook §曲线). `count` is
    checked against either. They stand in the message itself, so that its signature covers them.
    """

    channel: Literal["force", "displacement", "extension", "strain", "stress"]
    unit: Code
    scale: Measured
    count: Count
    start_us: Whole = 0
    period_us: Whole | None = None
    times_us: list[Whole] | None = None
    times_dzv: CurveText | None = None
    values: list[Whole] | None = None
    dzv: CurveText | None = None


class Curve(Part, frozen=True, kw_only=True):
    """What the exchange must know of a recording (METHODS §0.4): device, calibration, clock, and whether it is whole."""

    started_at: Instant
    sampling_rate_hz: Measured
    measured_channel: bool = True
    smoothing: Label | None = None
    truncated: bool = False
    controller: Label | None = None
    device_counter: BigCount | None = None
    preload_kN: Measured | None = None
    set_rate: Label | None = None
    recording_sha256: Digest | None = None
    recording_format: Code | None = None
    channels: list[CurveChannel]


class SpecimenRun(Part, frozen=True, kw_only=True):
    """One specimen in the machine: dimensions, raw readings, curve."""

    ordinal: Count
    tag: Code
    started_at: Instant
    finished_at: Instant
    dimensions: list[Dimension] = []
    readings: list[Dimension]
    curve: Curve | None = None
    break_note: Label | None = None


class RunRecorded(Message, tag="run.recorded", frozen=True, kw_only=True):
    """A test of one sample by one method on one instrument (试验): description, process, result (T/CECS 2.0.7)."""

    commission: EntryRef
    sample: EntryRef
    site: Code
    category: Code
    parameters: list[Code]
    method: Code
    edition: Code
    instrument: Code
    technician: PersonRef
    data_origin: DataOrigin
    keyed_because: Prose | None = None
    load_control: Literal["automatic", "manual"] = "automatic"
    software: Label | None = None
    started_at: Instant
    finished_at: Instant
    environment: Environment | None = None
    grade: Code | None = None
    specimens: list[SpecimenRun]
    pictures: list[Picture] = []
    missing_pictures: Prose | None = None
    discarded: bool = False
    discarded_because: Prose | None = None


class ValueCorrected(Message, tag="value.corrected", frozen=True, kw_only=True):
    """A value read anew on the curve by a person (人工更正): before, after, who, why; the curve stays."""

    run: EntryRef
    ordinal: Count
    symbol: Code
    before: Measured
    after: Measured
    person: PersonRef
    because: Prose


class OnSiteRecorded(Message, tag="onsite.recorded", frozen=True, kw_only=True):
    """A test of an in-situ item (现场检测)."""

    item: EntryRef
    commission: EntryRef
    category: Code
    parameters: list[Code]
    method: Code
    edition: Code
    technician: PersonRef
    started_at: Instant
    finished_at: Instant
    readings: list[Dimension]
    pictures: list[Picture] = []


class ReviewRecorded(Message, tag="review.recorded", frozen=True, kw_only=True):
    """A reviewer's or approver's step (审核、批准)."""

    run: EntryRef
    step: Literal["review", "approval"]
    person: PersonRef
    decision: Literal["accepted", "returned"]
    note: Prose | None = None


class NonconformityNotified(Message, tag="nonconformity.notified", frozen=True, kw_only=True):
    """The institution told the client and the station of a failing result (不合格告知)."""

    run: EntryRef
    told: list[Literal["client", "station"]]
    note: Prose | None = None


class NonconformityDisposed(Message, tag="nonconformity.disposed", frozen=True, kw_only=True):
    """What was done about a failing result (不合格处置)."""

    run: EntryRef
    disposition: Prose
    retest_commission: EntryRef | None = None
    closed: bool


class InstrumentChecked(Message, tag="instrument.checked", frozen=True, kw_only=True):
    """An intermediate check of an instrument (期间核查)."""

    instrument: Code
    checked_on: Day
    results: list[Named]
    passed: bool
