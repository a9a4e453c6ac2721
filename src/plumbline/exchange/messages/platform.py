"""What the platform itself records (平台类消息): files, deadlines, recomputation, clock, re-evaluation."""

from __future__ import annotations

from typing import Literal

from plumbline.exchange.messages.header import Message, Part
from plumbline.exchange.messages.reports import GateReason
from plumbline.exchange.wire import (
    BigCount,
    Code,
    Count,
    Digest,
    EntryRef,
    Instant,
    Label,
    PartyRef,
    PersonRef,
    Prose,
)


class BlobStored(Message, tag="blob.stored", frozen=True, kw_only=True):
    """A file arrived whole, its hash was checked and it is durable (文件落盘)."""

    sha256: Digest
    bytes: BigCount
    media_type: Label
    uploaded_by: PartyRef


class DeadlinePassed(Message, tag="clock.deadline_passed", frozen=True, kw_only=True):
    """Time alone brought something about (期限已过): which rule, for what, when it was due."""

    rule: Code
    subject: EntryRef
    due_at: Instant


class ClockCorrected(Message, tag="clock.corrected", frozen=True, kw_only=True):
    """A wrong step of the platform's clock was lifted by two persons (时钟更正)."""

    first_person: PersonRef
    second_person: PersonRef
    because: Prose


class ComputedValue(Part, frozen=True, kw_only=True):
    """A value that the platform computed from the raw readings or the curve."""

    symbol: Code
    value: Label
    ordinal: Count | None = None


class EvaluationComputed(Message, tag="evaluation.computed", frozen=True, kw_only=True):
    """The platform's own recomputation of a run (平台复算), appended by the worker."""

    run: EntryRef
    method: Code
    edition: Code
    version: Code
    outcome: Literal["computed", "not_computable"]
    verdict: Literal["PASS", "FAIL", "NOT_JUDGED", "VOID"]
    values: list[ComputedValue] = []
    findings: list[GateReason] = []
    because: Prose | None = None


class RulesReevaluated(Message, tag="rules.re-evaluated", frozen=True, kw_only=True):
    """A change of rules was applied to earlier records (规则重评)."""

    rules_version: Code
    because: Prose


class RetransmitRequested(Message, tag="retransmit.requested", frozen=True, kw_only=True):
    """The platform asks a party to send again what it lacks (请求补传)."""

    party: PartyRef
    entries: list[EntryRef]
