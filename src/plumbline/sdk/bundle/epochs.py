"""The epochs of a log in a bundle (日志各期): each is a tree of its own, and what the later one says of the former must be true.

A log that was restored to an earlier state is continued in a next epoch, whose first entry says what is still there of the one before
and what had been signed. With that entry in the bundle, a reader without any network sees how the trees hang together.
"""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.evidence.checkpoint import Checkpoint
from plumbline.exchange.messages.registry import Continuation, LogOpened
from plumbline.sdk.bundle.check import Step, failed
from plumbline.sdk.bundle.format import BundleContent
from plumbline.sdk.bundle.records import Record


def epoch_failures(content: BundleContent, proven: Sequence[Record]) -> list[Step]:
    """What is wrong with checkpoints, epochs and the size of the log; every entry's receipt has been checked before."""
    heads: dict[int, Checkpoint] = {}
    for record in proven:
        point, epoch = record.receipt.checkpoint, record.part.epoch
        if point is None:
            continue
        known = heads.setdefault(epoch, point)
        if known.size == point.size and known.root != point.root:
            zh = f"两份回执的检查点都有 {point.size} 条而根不同：日志分了叉，请保存这个包并举报。"
            en = f"Two checkpoints of size {point.size} have different roots: a forked log."
            return [failed("log", zh, en)]
        if known.size < point.size:
            heads[epoch] = point
    bases, faults = _bases(proven, heads)
    return faults or _size_failures(content, proven, heads, bases)


def _bases(proven: Sequence[Record], heads: dict[int, Checkpoint]) -> tuple[dict[int, int], list[Step]]:
    """Epoch → entries before it, from what the first entry of each says; and what does not hang together."""
    bases = {1: 0}
    told = {
        record.part.epoch: message.continues
        for record in proven
        if isinstance(message := record.message, LogOpened)
        and record.part.index == 0
        and message.epoch == record.part.epoch
    }
    for epoch in sorted(heads):
        if epoch in bases:
            continue
        said = told.get(epoch)
        if said is None or said.kept_epoch not in bases or said.kept_epoch >= epoch:
            zh = f"缺少日志第 {epoch} 期的第 0 条，或它接着的那一期：不知道它接着什么。"
            en = f"Entry 0 of epoch {epoch} of the log, or the epoch that it continues, is missing."
            return bases, [failed("log", zh, en)]
        if not _is_end_of(said, heads.get(said.kept_epoch)):
            zh = f"日志第 {epoch} 期说它接着第 {said.kept_epoch} 期的 {said.kept_size} 条，与那一期回执的检查点不符：请保存这个包并举报。"
            en = f"Epoch {epoch} does not continue the epoch {said.kept_epoch} that the receipts prove."
            return bases, [failed("log", zh, en)]
        bases[epoch] = bases[said.kept_epoch] + said.kept_size
    return bases, []


def _is_end_of(said: Continuation, head: Checkpoint | None) -> bool:
    """Whether receipts of the former epoch are against the head at which it ended, or an earlier one."""
    if head is None or head.size < said.kept_size:
        return True
    return head.size == said.kept_size and head.root.hex() == said.kept_root


def _size_failures(
    content: BundleContent, proven: Sequence[Record], heads: dict[int, Checkpoint], bases: dict[int, int]
) -> list[Step]:
    """The size that the bundle speaks of must lie within what is proven."""
    last = max((bases[record.part.epoch] + record.part.index for record in proven), default=-1)
    reach = max((bases[epoch] + point.size for epoch, point in heads.items()), default=0)
    if not heads or last < content.size <= reach:
        return []
    zh = f"清单写的是截至第 {content.size} 条，与回执证明的不符。"
    return [failed("manifest", zh, "The manifest speaks of another size of the log than the receipts prove.")]
