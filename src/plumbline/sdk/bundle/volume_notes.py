"""The checkpoints of a volume (合订案卷包的检查点): each signed by the log, all of one log without fork."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from plumbline.evidence.checkpoint import Checkpoint, UntrustedCheckpoint, VerifierAround, open_checkpoint
from plumbline.evidence.note import NoteError, NoteVerifier, decode_base64
from plumbline.evidence.paths import verify_consistency
from plumbline.evidence.position import place_of
from plumbline.sdk.bundle.check import Step, failed
from plumbline.sdk.bundle.volume_format import Volume, note_name

_EPOCH = re.compile(r"([1-9][0-9]{0,3})(-[1-9][0-9]{0,3})?")


@dataclass(frozen=True, slots=True)
class Remembered(VerifierAround):
    """A verifier that checks each signature once: thousands of entries stand under one checkpoint."""

    _known: dict[tuple[bytes, bytes], bool] = field(default_factory=dict)

    @property
    def until(self) -> datetime | None:
        """Until when the key is trusted; None without an end."""
        return getattr(self.of, "until", None)

    def verify(self, text: bytes, signature: bytes) -> bool:
        """As the verifier itself says."""
        key = (text, signature)
        if key not in self._known:
            self._known[key] = self.of.verify(text, signature)
        return self._known[key]


def note_failures(volume: Volume, notes: dict[str, str], verifiers: Sequence[NoteVerifier]) -> list[Step]:
    """What is wrong with the checkpoints; `notes` are their texts by digest."""
    faults: list[Step] = []
    opened: dict[str, Checkpoint] = {}
    untrusted = 0
    for digest, text in notes.items():
        name = note_name(digest)
        try:
            opened[digest] = open_checkpoint(text, verifiers).checkpoint
        except UntrustedCheckpoint:
            untrusted += 1
            zh = f"{name}：没有您信任的日志密钥的签名。"
            faults.append(failed("note", zh, f"{name}: not signed by a log key that you trust."))
        except NoteError:
            zh = f"{name}：签名无效，内容被改动，或签名是伪造的。"
            faults.append(failed("note", zh, f"{name}: a signature does not hold."))
    if notes and untrusted == len(notes):
        zh = "所有检查点都不是由您给的日志密钥签名的：这个包属于另一个日志，或是伪造的。"
        return [
            failed("log", zh, "No checkpoint is signed by the log keys you gave: another log, or forged.")
        ]
    return faults or _fork_failures(volume, opened)


def _fork_failures(volume: Volume, opened: dict[str, Checkpoint]) -> list[Step]:
    """Each checkpoint must be a beginning of the largest one of its epoch."""
    epochs: dict[str, list[str]] = {}
    for digest, point in opened.items():
        match = _EPOCH.fullmatch(point.origin.removeprefix(f"{volume.origin}/"))
        if match is None or not point.origin.startswith(f"{volume.origin}/"):
            zh = f"{note_name(digest)}：属于另一个日志（{point.origin}）。"
            return [failed("note", zh, f"{note_name(digest)}: of another log, {point.origin!r}.")]
        epochs.setdefault(match[1], []).append(digest)
    listed = {line.sha256: line.consistency for line in volume.notes}
    epoch, size = place_of(volume.size)
    if max((opened[each].size for each in epochs.get(str(epoch), [])), default=0) < size:
        zh = "清单写的日志大小没有检查点证明。"
        return [failed("manifest", zh, "No checkpoint proves the size of the log that the manifest states.")]
    for digests in epochs.values():
        tip = opened[max(digests, key=lambda each: opened[each].size)]
        for digest in digests:
            if not _continued(opened[digest], tip, listed[digest]):
                point = opened[digest]
                zh = f"{point.size} 条的检查点与 {tip.size} 条的不是同一个日志：日志分了叉，或证明被改过；请保存这个包并举报。"
                en = f"The checkpoints of sizes {point.size} and {tip.size} are not proven to be of one log."
                return [failed("log", zh, en)]
    return []


def _continued(old: Checkpoint, new: Checkpoint, proof: Sequence[str]) -> bool:
    try:
        path = [decode_base64(each) for each in proof]
    except NoteError:
        return False
    return verify_consistency(old.size, new.size, path, old.root, new.root)
