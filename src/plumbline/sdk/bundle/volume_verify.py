"""Verification of a volume (合订案卷包核验): offline, report by report, against trust that the caller names and never the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from plumbline.domain.basics.calendar import local_date
from plumbline.evidence.checkpoint import trusted_verifiers
from plumbline.evidence.note import NoteVerifier
from plumbline.evidence.position import place_text
from plumbline.evidence.proof import parse_proof
from plumbline.exchange.messages.custody import CommissionPlaced
from plumbline.exchange.messages.project import ContractSigned, ProjectRegistered
from plumbline.sdk.bundle.archive import BundleProblem
from plumbline.sdk.bundle.check import Step, failed, held, note
from plumbline.sdk.bundle.epochs import epoch_failures
from plumbline.sdk.bundle.format import BundleContent, statement_bytes
from plumbline.sdk.bundle.keybook import KeyBook
from plumbline.sdk.bundle.links import Chain
from plumbline.sdk.bundle.outcome import CodeKey
from plumbline.sdk.bundle.records import Record, prove
from plumbline.sdk.bundle.stamps import stamp_steps
from plumbline.sdk.bundle.standing import STANDINGS, standing_of, standing_steps, unfinished_steps
from plumbline.sdk.bundle.verify import chain_of, report_evidence, statement_fault
from plumbline.sdk.bundle.volume_format import CONTEXT, WHY_ABSENT, ReportLine, ReportPart, Scope, Volume
from plumbline.sdk.bundle.volume_notes import Remembered, note_failures
from plumbline.sdk.bundle.volume_read import ReadReport, VolumeReader, chosen
from plumbline.sdk.pdf.roots import TrustRoot
from plumbline.sdk.timestamp.authority import StampAuthority

#: Steps that tell that a part of a report could not be checked.
_UNCHECKED = {"claims": "code_claims", "report_signature": "report_signature", "report": "report_file"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeTrust:
    """What the caller trusts: keys of logs and cosigners, roots of signatures, code issuers, time stamp authorities."""

    log_keys: Sequence[str]
    roots: Sequence[TrustRoot] = ()
    code_keys: Sequence[CodeKey] = ()
    authorities: Sequence[StampAuthority] = ()
    #: when a cosigner's key was retired, by vkey
    ended: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFinding:
    """What was found of one report. `ok`: nothing that was checked failed, whatever its standing."""

    ordinal: int
    line: ReportLine
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return all(step.ok for step in self.steps)

    @property
    def failure(self) -> Step | None:
        """The first step that does not hold."""
        return next((step for step in self.steps if not step.ok), None)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What could not be checked."""
        return tuple(
            word
            for name, word in _UNCHECKED.items()
            if any(step.name == name and step.is_note for step in self.steps)
        )


@dataclass(slots=True)
class VolumeCheck:
    """The result for the whole. Reports are told one by one while they are checked; here they are only counted."""

    steps: list[Step] = field(default_factory=list)
    volume: Volume | None = None
    checked: int = 0
    failed: list[tuple[ReportLine, Step]] = field(default_factory=list)
    standings: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[str] = field(default_factory=Counter)
    #: entries, and how many of them a cosigner's signature covers
    entries: int = 0
    cosigned: Counter[str] = field(default_factory=Counter)
    #: the same by cosigner and algorithm
    cosigned_with: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: entries whose cosignature was made after its key had been retired, by cosigner
    cosigned_late: Counter[str] = field(default_factory=Counter)
    #: checkpoint, as its note → entries that it proves
    notes: Counter[str] = field(default_factory=Counter)
    #: title of the project, when the volume is of one
    title: str = ""

    @property
    def is_incomplete(self) -> bool:
        """Nobody has stated that no report is missing."""
        return any(step.name == "statement" and step.is_note for step in self.steps)

    @property
    def left_out(self) -> int:
        """How many reports are listed and not here: nobody can check them with this file."""
        return len(self.volume.left_out) if self.volume else 0

    @property
    def ok(self) -> bool:
        """Nothing that was checked failed."""
        return not self.failed and all(step.ok for step in self.steps)

    @property
    def failure(self) -> Step | None:
        """The first step that does not hold: of the checkpoints, else of a report, else of the whole, which is then an echo."""
        whole = [step for step in self.steps if not step.ok]
        of_notes = [step for step in whole if step.name in ("log", "note")]
        of_reports = [step for _, step in self.failed]
        return next(iter([*of_notes, *of_reports, *whole]), None)

    @property
    def is_demo(self) -> bool:
        """True for a demonstration log: 演示数据."""
        return self.volume is not None and self.volume.origin.startswith("demo.")


#: Called with each report, and how many there are.
Told = Callable[[ReportFinding, int], None]


def _nobody(finding: ReportFinding, total: int) -> None:
    """Tell nobody."""


def verify_volume(path: Path, trust: VolumeTrust, *, only: str = "", told: Told = _nobody) -> VolumeCheck:
    """Check a volume; never raises for anything that the file may hold. `only`: a code or number, for that report alone.

    NoteError for a vkey that is none, OSError for a file that cannot be read.
    """
    verifiers = [Remembered(each) for each in trusted_verifiers(trust.log_keys, trust.ended)]
    check = VolumeCheck()
    try:
        reader = VolumeReader(path)
    except BundleProblem as problem:
        check.steps.append(failed(problem.name, problem.zh, problem.en))
        return check
    try:
        check.volume = reader.volume
        check.steps += reader.read_notes()
        check.steps += note_failures(reader.volume, reader.notes, verifiers)
        if check.failure is None or check.failure.name != "log":
            _Round(reader, trust, verifiers, check, told).go(only)
    finally:
        reader.close()
    return check


@dataclass(slots=True)
class _Round:
    """One verification on its way through the reports."""

    reader: VolumeReader
    trust: VolumeTrust
    verifiers: Sequence[NoteVerifier]
    check: VolumeCheck
    told: Told
    keys: KeyBook | None = None
    counted: set[tuple[int, int]] = field(default_factory=set)

    def go(self, only: str) -> None:
        """Every report, or the one that was asked for; then what concerns them all."""
        volume, check = self.reader.volume, self.check
        lines = list(enumerate(volume.reports, 1))
        if only and not (lines := chosen(volume, only)):
            check.steps.append(_unlisted(volume, only))
            return
        for ordinal, line in lines:
            finding = self._finding(ordinal, line)
            check.checked += 1
            check.unchecked.update(finding.unchecked)
            if (failure := finding.failure) is not None:
                check.failed.append((line, failure))
            self.told(finding, len(lines))
        check.steps += [_statement_step(self.reader, self.keys), *_left_out(volume)]
        # Files of a report that could not be read would seem to belong to nobody.
        if not only and not check.failed and (extra := self.reader.extra()):
            shown = "、".join(extra[:5])
            zh = f"包里有 {len(extra)} 个文件不属于清单里的任何报告，可能有报告从清单里拿掉了：{shown}。"
            en = f"{len(extra)} members belong to no listed report; one may have been taken off the list: {shown}."
            check.steps.append(failed("manifest", zh, en))

    def _finding(self, ordinal: int, line: ReportLine) -> ReportFinding:
        found = self.reader.report(ordinal)
        if found.content is None or found.part is None:
            return ReportFinding(ordinal=ordinal, line=line, steps=tuple(found.faults))
        steps = self._steps(line, found, found.content, found.part)
        return ReportFinding(ordinal=ordinal, line=line, steps=(*steps, *found.remarks, *found.faults))

    def _steps(
        self, line: ReportLine, found: ReadReport, content: BundleContent, part: ReportPart
    ) -> list[Step]:
        proven, faults = prove(content, self.verifiers)
        self._count(proven)
        if faults := faults or epoch_failures(content, proven):
            return faults
        chain = chain_of(content, proven)
        if self.keys is None or self.keys.operator is None:
            self.keys = chain.keys
        steps = report_evidence(chain, self.trust.code_keys, self.trust.roots)
        steps += scope_failures(chain, self.reader.volume.scope) + _file_failures(chain, part)
        standing = standing_of(chain)
        steps = unfinished_steps(chain, steps)
        self.check.standings[standing] += 1
        if standing != line.standing:
            zh = f"清单写的状态是{_standing(line.standing)}，条目证明的是{STANDINGS[standing][0]}。"
            en = f"Listed as {line.standing}, the entries prove {standing}."
            steps.append(failed("standing", zh, en))
        if not self.check.title and self.reader.volume.scope.project:
            self.check.title = _title(chain, self.reader.volume.scope.project)
        return steps + stamp_steps(proven, self.trust.authorities) + standing_steps(chain)

    def _count(self, proven: Sequence[Record]) -> None:
        """Who cosigned how many entries; one that several reports share counts once."""
        for record in proven:
            if record.order in self.counted:
                continue
            self.counted.add(record.order)
            self.check.entries += 1
            self.check.cosigned.update(set(record.receipt.cosigned_by))
            self.check.cosigned_with.update(set(record.receipt.cosigned_with))
            self.check.cosigned_late.update(set(record.receipt.cosigned_late))
            self.check.notes[parse_proof(record.part.receipt.decode()).checkpoint_note] += 1


def _unlisted(volume: Volume, only: str) -> Step:
    """Why a report that was asked for cannot be checked."""
    if any(only.strip() in (each.number, each.application) for each in volume.left_out):
        zh = f"报告 {only} 列在清单里，但没有随包：取包的人看不全它引用的记录。"
        return failed("report", zh, f"Report {only!r} is listed, but not in this volume.")
    zh = f"这个包的清单里没有报告 {only}。"
    return failed("report", zh, f"No report {only!r} is listed in this volume.")


def _standing(word: str) -> str:
    return STANDINGS[word][0] if word in STANDINGS else ascii(word)


def scope_failures(chain: Chain, scope: Scope) -> list[Step]:
    """Why a report does not belong into this volume."""
    if chain.application is None:
        return []
    wrong: list[tuple[str, str]] = []
    sender = chain.application[1].sender
    if scope.institution is not None and sender != scope.institution:
        wrong.append(("不是这家机构的报告", "of another institution"))
    if scope.project is not None and not chain.same(project_of(chain) or "", scope.project):
        wrong.append(("不是这个工程的报告", "of another project"))
    if scope.year is not None and _year(chain) != scope.year:
        wrong.append(("不是这一年申请的报告", "applied for in another year"))
    return [failed("scope", f"{zh}，却在这个包里。", f"This report is {en}.") for zh, en in wrong]


def project_of(chain: Chain) -> str | None:
    """The project of a report, by commission and contract; None when its entries do not tell."""
    assert chain.application is not None
    commission = chain.records.newest(chain.application[1].commission, CommissionPlaced)
    contract = chain.records.newest(commission[1].contract, ContractSigned) if commission else None
    return contract[1].project if contract else None


def _year(chain: Chain) -> int | None:
    """The year, in China, in which the first version of the application was logged."""
    for record in chain.records:
        if record.entry == chain.content.application and record.receipt.logged_at:
            return local_date(record.receipt.logged_at).year
    return None


def _title(chain: Chain, project: str) -> str:
    found = chain.records.newest(project, ProjectRegistered)
    return found[1].name if found else ""


def _file_failures(chain: Chain, part: ReportPart) -> list[Step]:
    """A registered report has its PDF, or the volume says why not."""
    registered = chain.registration[1].pdf_sha256 if chain.registration else None
    told = part.pdf.sha256 if part.pdf else None
    if registered == told:
        return []
    zh = "登记了终稿，包里却没有写它的 PDF 在哪里。" if told is None else "包里的 PDF 不是登记的那一份。"
    return [failed("report", zh, "The volume does not hold, or name, the registered PDF.")]


def _statement_step(reader: VolumeReader, keys: KeyBook | None) -> Step:
    """The platform's word that the list is complete; without it a report that was taken out goes unnoticed."""
    size, statement = place_text(reader.volume.size), reader.statement
    if statement is None:
        zh = "没有平台的齐全声明：整份拿掉一份报告，离线看不出来。"
        return note("statement", zh, "No statement of completeness: a report taken out could not be noticed.")
    fault = (
        statement_fault(statement, statement_bytes(reader.manifest_bytes, CONTEXT), keys) if keys else "key"
    )
    if fault == "key":
        zh = "齐全声明不是平台的网页密钥签的，或没有一份报告能证明平台的密钥。"
        return failed("statement", zh, "The statement is not signed by the platform's web key.")
    if fault == "signature":
        zh = "volume.json 或 volume.sig 被改过：平台的齐全声明不成立，可能有报告被拿掉、换掉或对调。"
        en = "volume.json or volume.sig was changed: a report may have been taken out, replaced or swapped."
        return failed("statement", zh, en)
    total = len(reader.volume.reports) + len(reader.volume.left_out)
    zh = f"平台声明：截至日志第 {size} 条，这个范围里平台知道的报告共 {total} 份，都列在清单里；清单以外还有没有，只有平台的这句话作保。"
    en = f"The platform states that as of log size {size} it knew {total} reports of this scope; for others there is its word only."
    return held("statement", zh, en)


def _left_out(volume: Volume) -> list[Step]:
    """Reports that are listed and not here, with the reason."""
    steps = []
    for each in volume.left_out:
        why = WHY_ABSENT.get(each.because, ("没有写明原因", "no reason given"))
        zh, en = f"报告 {each.number} 没有随包：{why[0]}。", f"Report {each.number} is not here: {why[1]}."
        steps.append(note("left_out", zh, en))
    return steps
