"""The epochs of a log in a bundle (日志各期): each is a tree of its own, and what the later one says of the former must be true.

A log that was restored to an earlier state is continued in a next epoch, whose first entry says what is still there of the one before
and what had been signed. Entries of an ended epoch are proven against its closing checkpoint, which has a name of its own
(`<origin>/<kept>-<epoch>`). With that first entry in the bundle, a reader without any network sees how the trees hang together.
"""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.evidence.checkpoint import Checkpoint
from plumbline.evidence.position import position_of
from plumbline.exchange.messages.registry import Continuation, LogOpened
from plumbline.sdk.bundle.check import Step, failed
from plumbline.sdk.bundle.format import BundleContent
from plumbline.sdk.bundle.records import Record


def epoch_failures(content: BundleContent, proven: Sequence[Record]) -> list[Step]:
    """What is wrong with checkpoints, epochs and the size of the log; every entry's receipt has been checked before."""
    points = [(record, record.receipt.checkpoint) for record in proven if record.receipt.checkpoint]
    roots: dict[tuple[str, int], bytes] = {}
    for _, point in points:
        if roots.setdefault((point.origin, point.size), point.root) != point.root:
            zh = f"两份回执的检查点都有 {point.size} 条而根不同：日志分了叉，请保存这个包并举报。"
            en = f"Two checkpoints of size {point.size} have different roots: a forked log."
            return [failed("log", zh, en)]
    told = _openings(proven)
    faults = [
        fault for record, point in points if (fault := _place_failure(content.origin, record, point, told))
    ]
    return faults[:1] or _chain_failures(told, proven) or _size_failures(content, proven)


def _openings(proven: Sequence[Record]) -> dict[int, Continuation | None]:
    """Epoch → what its first entry says that it continues; None in the first."""
    return {
        record.part.epoch: message.continues
        for record in proven
        if isinstance(message := record.message, LogOpened)
        and record.part.index == 0
        and message.epoch == record.part.epoch
    }


def _place_failure(
    origin: str, record: Record, point: Checkpoint, told: dict[int, Continuation | None]
) -> Step | None:
    """A checkpoint must be of the entry's epoch: the epoch's own, or the closing one that a later epoch's first entry repeats."""
    epoch = record.part.epoch
    if point.origin == f"{origin}/{epoch}":
        return None
    head, _, later = point.origin.rpartition("-")
    if head == f"{origin}/{epoch}" and later.isascii() and later.isdigit():
        said = told.get(int(later))
        if said is None or said.kept_epoch != epoch:
            return _missing(int(later))
        if (point.size, point.root.hex()) == (said.kept_size, said.kept_root):
            return None
        zh = f"日志第 {later} 期说它接着第 {epoch} 期的 {said.kept_size} 条，与回执的检查点不符：请保存这个包并举报。"
        return failed(
            "log", zh, f"Epoch {later} does not continue the epoch {epoch} that the receipts prove."
        )
    zh = f"{record.label}：回执属于另一个日志（{point.origin}）。"
    return failed(
        f"entry:{record.place}", zh, f"{record.place}: the receipt is of another log, {point.origin!r}."
    )


def _chain_failures(told: dict[int, Continuation | None], proven: Sequence[Record]) -> list[Step]:
    """Every epoch but the first needs its first entry, the epoch that it continues, and a place within what was kept of that."""
    for epoch in sorted({record.part.epoch for record in proven} - {1}):
        said = told.get(epoch)
        if said is None:
            return [_missing(epoch)]
        if said.kept_epoch >= epoch or (said.kept_epoch != 1 and said.kept_epoch not in told):
            return [_missing(said.kept_epoch)]
        beyond = [r for r in proven if r.part.epoch == said.kept_epoch and r.part.index >= said.kept_size]
        if beyond:
            zh = f"{beyond[0].label}：日志第 {epoch} 期说第 {said.kept_epoch} 期只有 {said.kept_size} 条。"
            en = f"{beyond[0].place}: epoch {epoch} says that epoch {said.kept_epoch} has {said.kept_size} entries."
            return [failed("log", zh, en)]
    return []


def _missing(epoch: int) -> Step:
    zh = f"缺少日志第 {epoch} 期的第 0 条：不知道它接着什么。"
    return failed(
        "log", zh, f"Entry 0 of epoch {epoch} of the log is missing: what it continues is not known."
    )


def _size_failures(content: BundleContent, proven: Sequence[Record]) -> list[Step]:
    """The size that the bundle speaks of must lie within what is proven."""
    if not proven:
        return []
    last = max(position_of(*record.order) for record in proven)
    reach = max(
        position_of(record.part.epoch, record.receipt.checkpoint.size)
        for record in proven
        if record.receipt.checkpoint
    )
    if last < content.size <= reach:
        return []
    zh = "清单写的日志大小与回执证明的不符。"
    return [failed("manifest", zh, "The manifest speaks of another size of the log than the receipts prove.")]
