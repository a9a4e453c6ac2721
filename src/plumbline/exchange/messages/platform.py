"""What the platform itself records (平台类消息): files, deadlines, recomputation, clock, re-evaluation."""

from __future__ import annotations

from typing import Literal

from plumbline.exchange.messages.header import Message, Part
from plumbline.exchange.messages.reports import GateReason
from plumbline.exchange.wire import (
    Base32Text,
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
    """A wrong step of the platform's clock was lifted by two persons (时钟更正).

    The one entry at which the time of the log steps back: from `last_wrong`, the time of the entry before it, to `corrected_to`, its own.
    Positions `wrong_from` up to its own were entered by the wrong clock; they stay as they were recorded.
    """

    first_person: PersonRef
    second_person: PersonRef
    because: Prose
    position: BigCount
    wrong_from: BigCount
    last_wrong: Instant
    corrected_to: Instant


class TrailSealed(Message, tag="trail.sealed", frozen=True, kw_only=True):
    """Audit events since the last seal are bound to the log (审计记录封存): how many, and the root over them in the order of their numbers.

    The root is RFC 6962's over what `supervision.journal.trail.event_hash` makes of each event. The log holds nothing of what they say.
    """

    number: BigCount
    events: BigCount
    first: BigCount
    last: BigCount
    root: Digest
    sealed_at: Instant


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


class LostRange(Part, frozen=True, kw_only=True):
    """Indexes of one epoch that were signed for and are gone (缺少的一段): from `first`, up to before `end` where that is known."""

    epoch: Count
    first: BigCount
    end: BigCount | None = None


class RetransmitRequested(Message, tag="retransmit.requested", frozen=True, kw_only=True):
    """The platform asks a party to send again what it lacks (请求补传): entries by name, ranges of the log, or, where nobody knows
    the range, everything since an instant that the party has a receipt for and the platform does not know; or files by their hash,
    whose stored copies are damaged."""

    party: PartyRef
    entries: list[EntryRef]
    ranges: list[LostRange] = []
    since: Instant | None = None
    files: list[Digest] = []
    because: Prose | None = None


class ShownCode(Part, frozen=True, kw_only=True):
    """A supervision code that the platform had issued for an application: its own signed claims show it (出示原监管码)."""

    application: EntryRef
    claims: Base32Text


class NoLongerHeld(Part, frozen=True, kw_only=True):
    """An entry of which the party holds the receipt and not the content any more, or that the platform refused (无法补传)."""

    entry: EntryRef
    because: Label


class RetransmitAnswered(Message, tag="retransmit.answered", frozen=True, kw_only=True):
    """What a party says to a request to send again (补传答复): codes that it was given, then how it went."""

    request: EntryRef
    #: `waiting`: all is sent up to what has to wait, for a decision of the platform or for what others have to send.
    stage: Literal["begun", "waiting", "done"]
    resent: Count = 0
    present: Count = 0
    codes: list[ShownCode] = []
    not_held: list[NoLongerHeld] = []
