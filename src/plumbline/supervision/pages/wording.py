"""Words, icons and tones of every state that a page can show, in one place (状态的词、图标、颜色).

A state always reads without colour: each look has an icon and a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """The colour family of a state; the tokens of the same names are in ``tokens.css``."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    TODO = "acc"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Look:
    """Icon of the sprite, word, tone, and what the state means in one sentence."""

    icon: str
    word: str
    tone: Tone
    meaning: str


class ProofState(StrEnum):
    """Whether the log holds a claim and who can be shown to have made it (存证状态)."""

    LOGGED = "logged"
    AWAITING_CHECKPOINT = "awaiting_checkpoint"
    AWAITING_SYNC = "awaiting_sync"
    UNSIGNED = "unsigned"
    SYMMETRIC = "symmetric"
    MISMATCH = "mismatch"
    VERIFYING = "verifying"


PROOF_LOOKS: dict[ProofState, Look] = {
    ProofState.LOGGED: Look("shield-check", "已存证", Tone.OK, "有签名，已入日志，检查点已覆盖。"),
    ProofState.AWAITING_CHECKPOINT: Look(
        "hourglass", "待检查点", Tone.OFF, "有签名和回执，等下一个检查点，通常不到 1 分钟。"
    ),
    ProofState.AWAITING_SYNC: Look("hourglass", "待同步", Tone.OFF, "还在手机或试验机上排队，没有上传。"),
    ProofState.UNSIGNED: Look("shield-off", "手工补录", Tone.WARN, "已保存，但没有机器签名，证明不了来源。"),
    ProofState.SYMMETRIC: Look("shield-off", "对称签名", Tone.WARN, "对称签名，不能向第三方证明。"),
    ProofState.MISMATCH: Look("shield-x", "对不上", Tone.BAD, "内容、签名或证明有一处不成立。"),
    ProofState.VERIFYING: Look("hourglass", "正在验证", Tone.OFF, "验证还没有做完。"),
}


class StepKind(StrEnum):
    """The eight steps of the custody chain, in their right order (保管链八步)."""

    CONTRACT = "contract"
    COMMISSION = "commission"
    SAMPLING = "sampling"
    WITNESSING = "witnessing"
    RECEIPT = "receipt"
    TEST = "test"
    REPORT = "report"
    EVIDENCE = "evidence"


STEP_TITLES: dict[StepKind, str] = {
    StepKind.CONTRACT: "合同",
    StepKind.COMMISSION: "委托",
    StepKind.SAMPLING: "取样",
    StepKind.WITNESSING: "见证",
    StepKind.RECEIPT: "收样",
    StepKind.TEST: "试验",
    StepKind.REPORT: "报告",
    StepKind.EVIDENCE: "存证",
}

STEP_ICONS: dict[StepKind, str] = {
    StepKind.CONTRACT: "file-text",
    StepKind.COMMISSION: "clipboard-text",
    StepKind.SAMPLING: "hand-stop",
    StepKind.WITNESSING: "eye-check",
    StepKind.RECEIPT: "package-import",
    StepKind.TEST: "gauge",
    StepKind.REPORT: "signature",
    StepKind.EVIDENCE: "link",
}


class PictureKind(StrEnum):
    """Which moment a key picture shows (关键影像)."""

    PLACARD = "placard"
    SEALED_SAMPLE = "sealed_sample"
    SAMPLER = "sampler"
    WITNESS = "witness"
    PRESS_START = "press_start"
    BREAK = "break"


PICTURE_TITLES: dict[PictureKind, str] = {
    PictureKind.PLACARD: "举牌",
    PictureKind.SEALED_SAMPLE: "加封的样品",
    PictureKind.SAMPLER: "取样人员",
    PictureKind.WITNESS: "见证人员",
    PictureKind.PRESS_START: "试验开始",
    PictureKind.BREAK: "试件破坏",
}

#: Icon that stands for a tone where no closer one is given.
TONE_ICONS: dict[Tone, str] = {
    Tone.OK: "circle-check",
    Tone.WARN: "alert-triangle",
    Tone.BAD: "circle-x",
    Tone.TODO: "clock",
    Tone.OFF: "circle-dashed",
}
