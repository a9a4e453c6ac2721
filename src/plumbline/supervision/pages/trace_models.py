"""What the trace page shows: steps, curves, the three answers, findings, evidence (追溯页的视图模型).

Pure: no Django, no database, no clock. Times are aware UTC instants; measured values are strings as measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from plumbline.supervision.pages.wording import (
    PROOF_LOOKS,
    STEP_ICONS,
    STEP_TITLES,
    TONE_ICONS,
    Look,
    PictureKind,
    ProofState,
    StepKind,
    Tone,
)


class StepState(StrEnum):
    """How one step of the custody chain stands; the ring of its node takes this colour."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A status tag: icon and word on the tint of its tone (状态标签)."""

    tone: Tone
    text: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofChip:
    """Where a claim comes from and whether the log holds it (存证标签); opens to its source."""

    state: ProofState
    #: e.g. 网页 · 个人签名, 机构 LIMS · 机构密钥
    source: str = ""
    #: instant of the log entry, not of the event
    logged_at: datetime | None = None
    #: who signed, in words, with the short key id
    signer: str = ""
    receipt_url: str | None = None
    log_index: int | None = None
    #: one sentence when something must be said (which check failed, why it is unsigned)
    note: str = ""

    @property
    def look(self) -> Look:
        """Icon, word and tone of the state."""
        return PROOF_LOOKS[self.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPicture:
    """One key picture of a step (关键影像); without ``url`` it is drawn as missing with its reason."""

    kind: PictureKind
    caption: str
    sha256: str | None = None
    captured_at: datetime | None = None
    url: str | None = None
    #: why there is none; the page says 没有记录 when this is empty
    missing_reason: str = ""

    @property
    def is_missing(self) -> bool:
        """True when no picture can be shown."""
        return self.url is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The time between two steps with its limit; a breach is told where it happened (步骤之间的间隔)."""

    #: e.g. 取样后 4 分钟
    text: str
    #: e.g. 成型到登记 34 分钟，限 30 分钟，超 4 分钟
    breach: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One step of the custody chain; a step without a record stays in its place as missing (保管链一步)."""

    kind: StepKind
    state: StepState
    #: instant of the event, device or capture time; None only for a missing step
    when: datetime | None = None
    #: person and capacity: 王海涛 · 取样员证 QY-20418
    who: str = ""
    #: what happened, one line
    what: str = ""
    #: place; empty when the step has none
    where: str = ""
    #: e.g. 手机 · 设备密钥
    source: str = ""
    proof: ProofChip | None = None
    pictures: tuple[KeyPicture, ...] = ()
    #: interval between the step before and this one
    interval_before: Interval | None = None
    reason_if_missing: str = ""
    #: word beside a second entry of the same kind, e.g. 第 2 次收样
    title_note: str = ""
    #: counted from 1 among the steps of this kind; a report of several samples has several
    place: int = 1
    #: page of the record itself, where it has one
    url: str = ""

    @property
    def anchor(self) -> str:
        """Name of the step within the page's address."""
        return self.kind.value if self.place == 1 else f"{self.kind.value}-{self.place}"

    @property
    def title_zh(self) -> str:
        """Chinese title of the step."""
        return STEP_TITLES[self.kind]

    @property
    def icon(self) -> str:
        """Icon name in the sprite."""
        return STEP_ICONS[self.kind]

    @property
    def is_missing(self) -> bool:
        """True when there is no record of the step."""
        return self.state is StepState.MISSING

    @property
    def missing_pictures(self) -> int:
        """How many key pictures of the step are missing."""
        return sum(picture.is_missing for picture in self.pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFact:
    """One figure of the fact strip above a curve (曲线上方的数值)."""

    label: str
    value: str
    unit: str = ""


class Agreement(StrEnum):
    """What comparing the institution's value with the platform's recomputation gave (机构值与复算)."""

    AGREE = "agree"
    DIFFER = "differ"
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenCurve:
    """One specimen: its curve's address, the facts of the strip and its row of the table (试件)."""

    #: 试件 2
    label: str
    #: tag on the specimen: S8KF-20-2
    tag: str
    #: answers the curve document of the README: unit, time_s, force_kN, rate, band, marks, gaps, peers
    data_url: str | None
    facts: tuple[CurveFact, ...]
    #: cells of the table under the chart, aligned with ``CurvePanel.columns``
    cells: tuple[str, ...]
    institution_value_agrees: Agreement = Agreement.NOT_COMPARED
    #: what the institution wrote, when it differs
    institution_value: str = ""
    #: e.g. 50 Hz 原始值
    sampling_note: str = ""
    video_url: str | None = None
    #: why there is no curve (no machine record, buffer-limited recording …)
    reason_if_missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePanel:
    """The curves of one group of specimens, drawn on one scale so that they compare (曲线面板)."""

    #: 力值–时间曲线
    title: str
    #: headings of the table under the chart after 试件 and 样品码, unit included: 荷载 kN
    columns: tuple[str, ...]
    specimens: tuple[SpecimenCurve, ...]
    #: which specimen is open at first, counted from 0
    selected: int = 0
    #: index of the column printed bold (the value that decides), or None
    decisive_column: int | None = None
    #: highest value of the force axis in kN, the same for the whole group
    force_axis_max_kN: float | None = None


def cube_facts(
    *, peak_kN: str, strength_MPa: str, rate_MPa_per_s: str, permitted: str, duration_s: str
) -> tuple[CurveFact, ...]:
    """Return the fact strip of a cube in compression; values are strings as measured (立方体抗压)."""
    return (
        CurveFact(label="极限荷载", value=peak_kN, unit="kN"),
        CurveFact(label="抗压强度", value=strength_MPa, unit="MPa"),
        CurveFact(label="加荷速度", value=rate_MPa_per_s, unit="MPa/s"),
        CurveFact(label="允许", value=permitted, unit="MPa/s"),
        CurveFact(label="用时", value=duration_s, unit="s"),
    )


def tension_facts(
    *, peak_kN: str, rm_MPa: str, rel_MPa: str, agt_percent: str, duration_s: str
) -> tuple[CurveFact, ...]:
    """Return the fact strip of a bar in tension; an empty value is shown as an en dash (钢筋拉伸)."""
    return (
        CurveFact(label="最大力", value=peak_kN, unit="kN"),
        CurveFact(label="抗拉强度 Rm", value=rm_MPa, unit="MPa"),
        CurveFact(label="下屈服 ReL", value=rel_MPa, unit="MPa"),
        CurveFact(label="总延伸率 Agt", value=agt_percent, unit="%"),
        CurveFact(label="用时", value=duration_s, unit="s"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of the three answers: its state, one short sentence, one line of reason."""

    tone: Tone
    headline: str
    detail: str = ""

    @property
    def icon(self) -> str:
        """Icon of the tone."""
        return TONE_ICONS[self.tone]

    @property
    def css_class(self) -> str:
        """Class that gives an icon the colour of the answer."""
        return f"t-{self.tone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictBlock:
    """Three separate answers, never one light: 真伪, 结果, 过程."""

    authenticity: Answer
    result: Answer
    process: Answer

    @property
    def authenticity_icon(self) -> str:
        """Genuine and forged have icons of their own, so that 真 never looks like 合格."""
        own = {Tone.OK: "rosette-discount-check", Tone.BAD: "shield-x"}
        return own.get(self.authenticity.tone, self.authenticity.icon)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCard:
    """One finding: the measured value and the limit in one sentence, the clause, the clock (发现)."""

    code: str
    tone: Tone
    #: 提醒, 预警, 严重
    level: str
    title: str
    sentence: str
    clause: str = ""
    clause_url: str | None = None
    #: e.g. 说明还剩 1 天 6 时
    clock: str = ""
    clock_tone: Tone = Tone.OFF
    owner: str = ""
    #: 疑点，尚未认定 until a person has decided; then the decision
    standing: str = ""
    #: page of the finding; a remark of the gate has none
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsPanel:
    """All that the rules said about the report; satisfied rules collapse to one line."""

    judged: int
    cards: tuple[FindingCard, ...] = ()
    #: (sentence, clause) of each rule that is kept
    satisfied: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceBlock:
    """Where the report stands in the evidence log and how to check it without us (存证)."""

    proof: ProofChip
    origin: str
    log_index: int | None = None
    checkpoint_size: int | None = None
    checkpoint_at: datetime | None = None
    #: hexadecimal root hash of the checkpoint, whole; templates shorten it
    root: str = ""
    #: (name, trust domain) of those who cosigned
    cosigners: tuple[tuple[str, str], ...] = ()
    #: cosigners outside the operator's own trust domain; zero is shown in amber
    external_cosigners: int = 0
    verify_command: str = ""
    receipt_url: str | None = None
    bundle_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that a version changed (一处修改)."""

    field_name: str
    #: empty for a field that was not there before
    before: str
    #: empty for a field that is no longer there
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One entry that changed a record: who, when, what from what to what, why (修改记录的一条)."""

    #: 第 2 版, 人工更正
    title: str
    at: datetime
    who: str
    reason: str
    changes: tuple[Change, ...]
    proof: ProofChip | None = None
    #: how many changes are not written out
    omitted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The change history of a record, newest first; a record of one version says so (修改记录)."""

    entries: tuple[HistoryEntry, ...] = ()
    #: 第 1 版 2026-09-01 10:20 由某单位报送
    first: str = ""
    #: whether there are changes that this reader does not see
    is_withheld: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo:
    """Which version of the report this is and what became of it (版本)."""

    number: int
    #: 未更正、未撤回 · 已被第 2 版替代 · 11-18 撤回
    standing: str
    tone: Tone = Tone.OFF
    newer_url: str | None = None
    #: 21 个文件，6.4 MB
    dossier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportHead:
    """The head of a trace page: what, which number and code, where, by whom, how it stands."""

    #: 混凝土立方体抗压强度
    title: str
    number: str
    #: supervision code in groups, or empty when none was given
    code: str
    project: str
    part: str
    institution: str
    project_url: str = ""
    institution_url: str = ""
    chips: tuple[Chip, ...] = ()
    document_url: str | None = None
    verification_url: str | None = None
    dossier_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePage:
    """Everything that happened to one report, in the order of events (报告追溯页)."""

    head: ReportHead
    #: contract → commission → sampling → witnessing → receipt → test → report → evidence; all eight
    steps: tuple[TraceStep, ...]
    panels: tuple[CurvePanel, ...]
    verdict: VerdictBlock
    findings: FindingsPanel
    evidence: EvidenceBlock
    version: VersionInfo
    history: History = History()
    #: said on top when entries about this report are parked or still being projected
    pending_note: str = ""
    #: why there is no curve at all, when ``panels`` is empty
    curves_missing_reason: str = ""

    @property
    def pictures(self) -> tuple[tuple[TraceStep, KeyPicture], ...]:
        """All key pictures with the step they belong to, in the order of events."""
        return tuple((step, picture) for step in self.steps for picture in step.pictures)

    @property
    def missing_steps(self) -> int:
        """How many of the steps have no record."""
        return sum(step.is_missing for step in self.steps)

    @property
    def unproved_steps(self) -> int:
        """How many recorded steps are not in the log under a checkpoint."""
        proved = {ProofState.LOGGED}
        return sum(
            not step.is_missing and (step.proof is None or step.proof.state not in proved)
            for step in self.steps
        )

    @property
    def missing_pictures(self) -> int:
        """How many key pictures are missing."""
        return sum(step.missing_pictures for step in self.steps)

    @property
    def signature_summary(self) -> str:
        """One line over the chain: how many steps, how many are missing or unproved."""
        notes = []
        if self.missing_steps:
            notes.append(f"{self.missing_steps} 步没有记录")
        if self.unproved_steps:
            notes.append(f"{self.unproved_steps} 步未完成存证")
        return f"{len(self.steps)} 步，{'，'.join(notes) if notes else '全部有签名'}"
