"""Receipts: proof that a message stands in the log (存证回执).

A receipt is a C2SP tlog-proof whose ``extra`` line holds the 145-byte leaf. With the trusted keys of the log
anyone can check it offline; with the message and the envelope at hand also that they are the very bytes that
were logged. Every step says in one plain sentence what it found, so that a failure names what differs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from plumbline.evidence.checkpoint import (
    Checkpoint,
    NoteError,
    NoteVerifier,
    OpenedCheckpoint,
    UntrustedCheckpoint,
    open_checkpoint,
    parse_note,
)
from plumbline.evidence.cosignature import names_of
from plumbline.evidence.leaf import Leaf, leaf_hash, sha256, sm3
from plumbline.evidence.paths import verify_inclusion
from plumbline.evidence.proof import ProofError, TlogProof, format_proof, parse_proof

#: The steps in the order in which they are taken.
STEPS = ("format", "leaf", "checkpoint", "inclusion", "entry", "message", "envelope")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a check and what it found."""

    #: One of ``STEPS``.
    name: str
    ok: bool
    #: The finding in one sentence for the reader, Chinese and English.
    sentence_zh: str
    sentence_en: str
    #: Stable word for programs, for example ``message.changed``.
    code: str


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """What a check of a receipt found. Unless ``ok``, the other fields are only what the receipt *claims*."""

    #: True if every step that was taken holds. Which were not taken stands in ``not_checked``.
    ok: bool
    steps: tuple[Step, ...]
    #: Names of steps not taken: nothing to compare with, or an earlier step left nothing to check.
    not_checked: tuple[str, ...]
    leaf: Leaf | None = None
    index: int | None = None
    checkpoint: Checkpoint | None = None
    #: Key names of trusted cosigners of the checkpoint; empty means that only the log vouches for it.
    cosigned_by: tuple[str, ...] = ()
    #: Each of them with the algorithm of each of its keys that signed.
    cosigned_with: tuple[tuple[str, str], ...] = ()
    #: Key names of those whose cosignature was made after their key had been retired: it does not count.
    cosigned_late: tuple[str, ...] = ()

    @property
    def origin(self) -> str | None:
        """The log's identity, as the checkpoint states it."""
        return self.checkpoint.origin if self.checkpoint else None

    @property
    def is_demo(self) -> bool:
        """True if the log's origin begins ``demo.``: 演示数据, whose clock may have been shifted."""
        return self.checkpoint is not None and self.checkpoint.is_demo

    @property
    def logged_at(self) -> datetime | None:
        """When the entry was logged, aware UTC."""
        return self.leaf.logged_at if self.leaf else None

    @property
    def failure(self) -> Step | None:
        """The first step that does not hold."""
        return next((step for step in self.steps if not step.ok), None)


def make_receipt(leaf: Leaf, index: int, path: Sequence[bytes], checkpoint_note: str) -> str:
    """Receipt of the leaf at ``index``, with its path against the head that ``checkpoint_note`` signs."""
    return format_proof(index, path, checkpoint_note, leaf.encode())


def verify_receipt(
    text: str | bytes,
    verifiers: Iterable[NoteVerifier],
    message: bytes | None = None,
    envelope: bytes | None = None,
    *,
    origin: str | None = None,
    sender_id: bytes | None = None,
    uid: uuid.UUID | None = None,
) -> ReceiptCheck:
    """Check a receipt offline against the caller's trusted keys; never raises for what the receipt holds.

    ``message`` and ``envelope`` are the bytes to compare, if at hand. ``origin``, ``sender_id`` and ``uid``
    say which log and entry the receipt must be of, if the caller knows. Only ValueError for two verifiers of
    one key.
    """
    proof, step = _read_proof(text)
    if proof is None:
        return _check([step])
    steps = [step]
    leaf, step = _read_leaf(proof)
    steps.append(step)
    covers = leaf.logged_at if leaf else None
    checkpoint, opened, step = _read_checkpoint(proof.checkpoint_note, list(verifiers), origin, covers)
    steps.append(step)
    if checkpoint is not None:
        steps.append(_inclusion_step(proof, checkpoint))
    if leaf is not None:
        steps.extend(_identity_steps(leaf, sender_id, uid))
        steps.extend(_content_steps(leaf, message, envelope))
    return _check(steps, leaf, proof.index, checkpoint, opened)


def _check(
    steps: list[Step],
    leaf: Leaf | None = None,
    index: int | None = None,
    checkpoint: Checkpoint | None = None,
    opened: OpenedCheckpoint | None = None,
) -> ReceiptCheck:
    taken = {step.name for step in steps}
    cosigned = opened.cosigned_by if opened else ()
    return ReceiptCheck(
        ok=all(step.ok for step in steps),
        steps=tuple(steps),
        not_checked=tuple(name for name in STEPS if name not in taken),
        leaf=leaf,
        index=index,
        checkpoint=checkpoint,
        cosigned_by=names_of(cosigned),
        cosigned_with=tuple((each.name, each.algorithm) for each in cosigned),
        cosigned_late=names_of(opened.cosigned_late) if opened else (),
    )


def _held(name: str, zh: str, en: str) -> Step:
    return Step(name, True, zh, en, f"{name}.ok")


def _failed(code: str, zh: str, en: str) -> Step:
    return Step(code.partition(".")[0], False, zh, en, code)


def _read_proof(text: str | bytes) -> tuple[TlogProof | None, Step]:
    try:
        proof = parse_proof(text.decode() if isinstance(text, bytes) else text)
    except (ProofError, UnicodeDecodeError) as error:
        zh = "这不是一份完整的回执，无法读取。"
        return None, _failed("format.unreadable", zh, f"Not a readable receipt: {error}.")
    return proof, _held("format", "回执格式正确。", "The receipt is well formed.")


def _read_leaf(proof: TlogProof) -> tuple[Leaf | None, Step]:
    try:
        leaf = Leaf.decode(proof.extra)
    except ValueError as error:
        zh = "回执中没有可读的日志条目。"
        return None, _failed("leaf.unreadable", zh, f"The receipt carries no readable leaf: {error}.")
    return leaf, _held("leaf", "回执中的日志条目可读。", "The receipt carries a readable leaf.")


def _read_checkpoint(
    note: str, verifiers: list[NoteVerifier], origin: str | None, covers: datetime | None
) -> tuple[Checkpoint | None, OpenedCheckpoint | None, Step]:
    """The stated checkpoint even if it is not trusted, so that the later steps can still say what differs."""
    stated: Checkpoint | None = None
    try:
        stated = Checkpoint.parse(parse_note(note).text)
        opened = open_checkpoint(note, verifiers, covers=covers)
    except UntrustedCheckpoint as error:
        zh = "检查点没有受信任的日志密钥签名。"
        return stated, None, _failed("checkpoint.untrusted", zh, f"The checkpoint is not trusted: {error}.")
    except NoteError as error:
        if stated is None:
            zh = "回执中的检查点无法读取。"
            return (
                None,
                None,
                _failed("checkpoint.unreadable", zh, f"The checkpoint is not readable: {error}."),
            )
        zh = "检查点的签名无效：内容被改动，或签名是伪造的。"
        en = f"The checkpoint is forged or changed: {error}."
        return stated, None, _failed("checkpoint.bad_signature", zh, en)
    if origin is not None and stated.origin != origin:
        zh = "回执属于另一个日志。"
        en = f"The receipt is of the log {stated.origin!r}, not of {origin!r}."
        return stated, opened, _failed("checkpoint.other_log", zh, en)
    return stated, opened, _signed_step(opened)


def _signed_step(opened: OpenedCheckpoint) -> Step:
    count = len(names_of(opened.cosigned_by))
    zh = f"检查点由受信任的日志密钥签名，{f'另有 {count} 方联署' if count else '尚无联署'}。"
    en = f"The checkpoint is signed by a trusted key of the log; cosigned: {count or 'none yet'}."
    if late := "、".join(names_of(opened.cosigned_late)):
        zh += f"{late} 有一个联署签于公钥停用以后，不算。"
        en += f" Not counted, for the key had been retired: {late}."
    return _held("checkpoint", zh, en)


def _inclusion_step(proof: TlogProof, checkpoint: Checkpoint) -> Step:
    if proof.index >= checkpoint.size:
        zh = "回执的序号超出检查点的范围。"
        return _failed("inclusion.beyond_head", zh, "The index lies beyond the size of the checkpoint.")
    if verify_inclusion(leaf_hash(proof.extra), proof.index, checkpoint.size, proof.path, checkpoint.root):
        zh = f"条目确在日志第 {proof.index} 号位置。"
        return _held("inclusion", zh, f"The leaf is in the log at index {proof.index}.")
    zh = "证明路径与检查点的根不符：条目、序号、路径或检查点被改动。"
    en = "The path does not lead to the checkpoint's root: leaf, index, path or checkpoint was changed."
    return _failed("inclusion.other_root", zh, en)


def _identity_steps(leaf: Leaf, sender_id: bytes | None, uid: uuid.UUID | None) -> list[Step]:
    if sender_id is None and uid is None:
        return []
    if sender_id is not None and leaf.sender_id != sender_id:
        en = "The receipt is of another sender's entry."
        return [_failed("entry.other_sender", "回执属于另一报送方的条目。", en)]
    if uid is not None and leaf.uid != uid:
        en = f"The receipt is of entry {leaf.uid}, not of {uid}."
        return [_failed("entry.other_uid", "回执属于另一条目（编号不同）。", en)]
    return [_held("entry", "回执属于所查的条目。", "The receipt is of the entry in question.")]


def _content_steps(leaf: Leaf, message: bytes | None, envelope: bytes | None) -> list[Step]:
    steps: list[Step] = []
    envelope_is_same = envelope is not None and sha256(envelope) == leaf.envelope_sha256
    if message is not None:
        # Both differing is the mark of a mix-up, not of a changed message: say so.
        steps.append(_message_step(leaf, message, envelope is not None and not envelope_is_same))
    if envelope is not None:
        steps.append(_envelope_step(envelope_is_same))
    return steps


def _envelope_step(is_same: bool) -> Step:
    if is_same:
        zh = "信封与入账时逐字节一致。"
        return _held("envelope", zh, "The envelope is byte for byte the logged one.")
    zh = "信封与入账时不一致。"
    return _failed("envelope.changed", zh, "The envelope is not the one that was logged.")


def _message_step(leaf: Leaf, message: bytes, envelope_differs: bool) -> Step:
    by_sha256, by_sm3 = sha256(message) == leaf.message_sha256, sm3(message) == leaf.message_sm3
    if by_sha256 and by_sm3:
        zh = "报文与入账时逐字节一致。"
        return _held("message", zh, "The message is byte for byte the logged one.")
    if by_sha256 or by_sm3:
        agrees, differs = ("SHA-256", "SM3") if by_sha256 else ("SM3", "SHA-256")
        zh = f"报文的 {agrees} 相符而 {differs} 不符：条目中的摘要自相矛盾。"
        en = f"The message agrees by {agrees} but not by {differs}: the leaf contradicts itself."
        return _failed("message.digests_disagree", zh, en)
    if envelope_differs:
        zh = "报文和信封都与回执不符：回执属于另一条目。"
        en = "Message and envelope both differ: the receipt is of another entry."
        return _failed("message.other_entry", zh, en)
    zh = "报文与入账时不一致：内容被改动过，或不是这一条。"
    en = "The message is not the one that was logged: its bytes differ."
    return _failed("message.changed", zh, en)
