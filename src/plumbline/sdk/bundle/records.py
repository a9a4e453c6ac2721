"""Entries of a bundle that their receipts prove (已证明的条目): bytes as logged, decoded, in the order of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from plumbline.domain.basics.calendar import local_text
from plumbline.evidence.note import NoteVerifier
from plumbline.evidence.receipt import ReceiptCheck, verify_receipt
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.submission import Envelope, decode_envelope
from plumbline.sdk.bundle.check import Step, failed, held
from plumbline.sdk.bundle.format import BundleContent, BundleEntry, folder_of

_Kind = TypeVar("_Kind", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One proven entry."""

    #: `NNN`, its number in the bundle
    place: str
    part: BundleEntry
    message: Message
    envelope: Envelope
    receipt: ReceiptCheck

    @property
    def entry(self) -> str:
        """Entry id, 32 hex digits."""
        return self.part.entry

    @property
    def index(self) -> int:
        """Place in the log."""
        return self.part.index

    @property
    def order(self) -> tuple[int, int]:
        """(epoch, index): compares as the log's order."""
        return self.part.place

    @property
    def title(self) -> str:
        """What kind of entry it is, Chinese."""
        return kind_of(self.message).title

    @property
    def label(self) -> str:
        """`NNN 试验`: how steps name it."""
        return f"{self.place} {self.title}"

    @property
    def logged(self) -> str:
        """When it was logged, local time, for the reader."""
        at = self.receipt.logged_at
        return local_text(at) if at else "?"


class Records:
    """Every proven entry, by id and by kind. Lists are in the order of the log."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.all = sorted(records, key=lambda record: record.order)
        self._by_entry = {record.entry: record for record in self.all}

    def __iter__(self) -> Iterator[Record]:
        return iter(self.all)

    def of(self, kind: type[_Kind]) -> list[tuple[Record, _Kind]]:
        """Records of one message type, each with its message."""
        return [(record, record.message) for record in self.all if isinstance(record.message, kind)]

    def root(self, entry: str) -> str:
        """The id of the object: the entry that `entry` is, through any number of steps, a version of."""
        seen = {entry}
        while (record := self._by_entry.get(entry)) and record.message.supersedes:
            entry = record.message.supersedes
            if entry in seen:
                break
            seen.add(entry)
        return entry

    def newest(
        self, entry: str, kind: type[_Kind], *, before: tuple[int, int] | None = None
    ) -> tuple[Record, _Kind] | None:
        """The version in force of the object that `entry` names, as of (epoch, index) `before`; None when it is not here.

        A later version counts when it supersedes the one in force, by the same sender; of two that do, the
        first (PROTOCOL: edit conflicts).
        """
        current: tuple[Record, _Kind] | None = None
        for record, message in self.of(kind):
            if before is not None and record.order >= before:
                break
            if current is None:
                if record.entry == self.root(entry):
                    current = (record, message)
            elif message.supersedes == current[0].entry and message.sender == current[1].sender:
                current = (record, message)
        return current


def prove(content: BundleContent, verifiers: Sequence[NoteVerifier]) -> tuple[list[Record], list[Step]]:
    """Check every entry's receipt, bytes and place against the caller's log keys."""
    checks = [_receipt_check(each, verifiers) for each in content.entries]
    if checks and all(_is_untrusted(check) for check in checks):
        zh = "所有回执都不是由您给的日志密钥签名的：这个包属于另一个日志，或是伪造的。"
        en = "No receipt is signed by the log keys you gave: another log's bundle, or a forged one."
        return [], [failed("log", zh, en)]
    records, steps = [], []
    for position, (part, check) in enumerate(zip(content.entries, checks, strict=True)):
        place = f"{position + 1:03d}"
        found = _entry_failure(part, check, place, folder_of(position, part.role))
        if found is None:
            record = _decoded(part, check, place)
            found = record if isinstance(record, Step) else _message_failure(record)
            if found is None and isinstance(record, Record):
                records.append(record)
        steps += [found] if found else []
    return records, steps + _order_failures(content)


def as_told(content: BundleContent) -> list[Record]:
    """Every entry as its bytes tell it, for whoever holds the log itself and needs no proof; ValueError where that is not readable."""
    records = []
    for position, part in enumerate(content.entries):
        place = f"{position + 1:03d}"
        record = _decoded(part, _receipt_check(part, ()), place)
        if isinstance(record, Step):
            raise ValueError(record.sentence_zh)
        records.append(record)
    return records


def _is_untrusted(check: ReceiptCheck) -> bool:
    return check.failure is not None and check.failure.code == "checkpoint.untrusted"


def _receipt_check(part: BundleEntry, verifiers: Sequence[NoteVerifier]) -> ReceiptCheck:
    """One receipt; of which log its checkpoint is, and how the epochs hang together, is asked when all are known."""
    return verify_receipt(
        part.receipt,
        verifiers,
        part.message,
        part.envelope,
        sender_id=bytes.fromhex(part.sender),
        uid=part.uid,
    )


def _entry_failure(part: BundleEntry, check: ReceiptCheck, place: str, folder: str) -> Step | None:
    name = f"entry:{place}"
    if (step := check.failure) is not None:
        return failed(name, f"{folder}：{step.sentence_zh}", f"{folder}: {step.sentence_en}")
    if check.index != part.index:
        zh = f"{folder}：清单写的是第 {part.index} 条，回执证明的是第 {check.index} 条。"
        return failed(name, zh, f"{folder}: listed as index {part.index}, proven at index {check.index}.")
    return None


def _decoded(part: BundleEntry, check: ReceiptCheck, place: str) -> Record | Step:
    """Only bytes that the log holds are decoded: they passed the door once."""
    try:
        message, envelope = parse_message(part.message), decode_envelope(part.envelope)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        zh = f"{place}：在日志里，但本版本读不懂这条消息。"
        return failed(f"entry:{place}", zh, f"{place}: logged, but this version cannot read it.")
    return Record(place=place, part=part, message=message, envelope=envelope, receipt=check)


def _message_failure(record: Record) -> Step | None:
    message, part, name = record.message, record.part, f"entry:{record.place}"
    if kind_of(message).tag != part.role:
        zh = f"{record.label}：清单里写成了 {part.role}。"
        return failed(name, zh, f"{record.place}: is {kind_of(message).tag}, listed as {part.role}.")
    if (message.sender, message.uid) != (part.sender, part.uid):
        zh = f"{record.label}：消息里的发送单位或编号与日志条目不符。"
        return failed(name, zh, f"{record.place}: sender or uid of the message is not that of the leaf.")
    return None


def _order_failures(content: BundleContent) -> list[Step]:
    places = [part.place for part in content.entries]
    if places == sorted(set(places)):
        return []
    zh = "条目没有按日志的顺序排列，或有重复。"
    return [failed("manifest", zh, "The entries are not in the order of the log, or one stands twice.")]


def proven_step(record: Record, proof_zh: str, proof_en: str) -> Step:
    """The one line of an entry that holds, with what proves its sender."""
    zh = f"{record.label}：第 {record.index} 条，{record.logged} 入账，逐字节一致；{proof_zh}。"
    en = f"{record.place} {record.part.role}: entry {record.index}, logged {record.logged}, unchanged; {proof_en}."
    return held(f"entry:{record.place}", zh, en)
