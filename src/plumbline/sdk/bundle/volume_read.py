"""Reading a volume (读取合订案卷包): manifest and checkpoints first, then one report at a time, never more than that in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import msgspec

from plumbline.evidence.note import NoteError
from plumbline.evidence.proof import ProofError
from plumbline.sdk.bundle.archive import BundleProblem
from plumbline.sdk.bundle.check import Step, failed, held, note
from plumbline.sdk.bundle.container import ContainerReader, Member
from plumbline.sdk.bundle.format import BundleContent, BundleEntry, BundlePicture, Statement
from plumbline.sdk.bundle.volume_format import (
    MANIFEST,
    MAX_NOTES_BYTES,
    MAX_REPORTS,
    PICTURE_BYTES,
    README,
    STATEMENT,
    VOLUME_VERSION,
    WHY_ABSENT,
    EntryPart,
    ReportLine,
    ReportPart,
    Volume,
    bundle_entry,
    digest_of,
    encoded,
    note_name,
    pdf_name,
    picture_name,
    report_name,
    shared_name,
)
from plumbline.sdk.bundle.volume_readme import README_BYTES

_Part = TypeVar("_Part", bound=msgspec.Struct)
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, NoteError, ProofError, ValueError)


def is_volume(path: Path) -> bool:
    """Whether a file begins as a volume does."""
    with path.open("rb") as stream:
        head = stream.read(30 + len(README))
    return head[:2] == b"PK" and head[30:] == README.encode()


@dataclass(slots=True)
class ReadReport:
    """One report as found: its parts, unless they cannot be read, what is wrong with its members, and what is missing."""

    content: BundleContent | None = None
    part: ReportPart | None = None
    faults: list[Step] = field(default_factory=list)
    remarks: list[Step] = field(default_factory=list)

    def fault(self, name: str, zh: str, en: str) -> None:
        """Remember what is wrong."""
        self.faults.append(failed(name, zh, en))


class VolumeReader:
    """A volume in a file. What is wrong with the whole raises :class:`BundleProblem`; what is wrong with one report is told with it."""

    def __init__(self, path: Path) -> None:
        self._container = ContainerReader(path)
        self._used = {README, MANIFEST}
        try:
            if self._whole(README) != README_BYTES:
                raise BundleProblem(f"{README} 被改过。", f"{README} was changed.", "readme")
            self.manifest_bytes = self._whole(MANIFEST)
            self.volume = _volume(self.manifest_bytes)
            self.statement = self._statement()
        except BaseException:
            self.close()
            raise
        self.notes: dict[str, str] = {}

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _whole(self, name: str) -> bytes:
        found = self._member(name)
        if found is None:
            raise BundleProblem(f"包里缺少 {name}。", f"{name} is missing.")
        if not found.is_intact:
            raise BundleProblem(f"{name} 损坏：与压缩包里的校验值不符。", f"{name} is damaged.", "manifest")
        return found.data

    def _member(self, name: str) -> Member | None:
        self._used.add(name)
        return self._container.read(name) if name in self._container.places else None

    def _statement(self) -> Statement | None:
        if STATEMENT not in self._container.places:
            return None
        data = self._whole(STATEMENT)
        try:
            return _exact(data, Statement)
        except _UNREADABLE as error:
            raise BundleProblem(f"{STATEMENT} 被改过。", f"{STATEMENT} was changed.", "statement") from error

    def read_notes(self) -> list[Step]:
        """Take in every checkpoint that the manifest lists; what is wrong with their bytes."""
        faults = []
        places, names = self._container.places, {note_name(line.sha256) for line in self.volume.notes}
        if sum(places[name].size for name in names if name in places) > MAX_NOTES_BYTES:
            return [failed("log", "检查点太大，没有检查。", "The checkpoints are too large; not checked.")]
        for line in self.volume.notes:
            name = note_name(line.sha256)
            found = self._member(name)
            if found is None:
                faults.append(failed("note", f"缺少检查点 {name}。", f"The checkpoint {name} is missing."))
            elif not found.is_intact or digest_of(found.data) != line.sha256:
                faults.append(
                    failed("note", f"检查点 {name} 被改过。", f"The checkpoint {name} was changed.")
                )
            else:
                try:
                    self.notes[line.sha256] = found.data.decode()
                except UnicodeDecodeError:
                    faults.append(failed("note", f"检查点 {name} 读不懂。", f"{name} is not readable."))
        return faults

    def extra(self) -> list[str]:
        """Members that nothing in the volume names, once everything was read."""
        return sorted(self._container.places.keys() - self._used)

    def report(self, ordinal: int) -> ReadReport:
        """The report at `ordinal` (from 1)."""
        line, found, name = self.volume.reports[ordinal - 1], ReadReport(), report_name(ordinal)
        member = self._member(name)
        if member is None:
            zh = f"缺少 {name}：报告 {line.number} 被拿掉了。"
            found.fault("report", zh, f"{name} is missing: report {line.number} was taken out.")
            return found
        try:
            part = found.part = _exact(member.data, ReportPart)
        except _UNREADABLE:
            zh = f"{name} 被改过：读不懂，或写法不是规定的写法。"
            found.fault("report", zh, f"{name} was changed: it is not as a volume is written.")
            return found
        if (part.application, part.code, part.number) != (line.application, line.code, line.number):
            zh = f"{name} 里是报告 {part.number}，清单里这个位置是 {line.number}：两份对调了，或换成了别的。"
            en = f"{name} holds report {part.number} where {line.number} is listed: swapped or replaced."
            found.fault("report", zh, en)
            return found
        found.content = self._content(part, found, name)
        if not found.faults and not (member.is_intact and digest_of(member.data) == line.sha256):
            zh = f"{name} 被改过：与清单里写的摘要不符。"
            found.fault("manifest", zh, f"{name} was changed: its digest is not the listed one.")
        return found

    def _content(self, part: ReportPart, found: ReadReport, name: str) -> BundleContent | None:
        if any(one >= other for one, other in pairwise(part.places)):
            zh = f"{name} 里的条目没有按日志的顺序各列一次。"
            found.fault("entry", zh, f"{name} does not list its entries once each, in the order of the log.")
            return None
        own = {(each.epoch, each.index): each for each in part.own}
        entries: list[BundleEntry] = []
        for place in part.places:
            where = name if place in own else shared_name(place)
            entry = own.pop(place, None) or self._shared(place, found)
            if entry is None:
                continue
            try:
                entries.append(bundle_entry(entry, self.notes[entry.note]))
            except KeyError:
                zh = f"{where}：第 {entry.index} 条的检查点不在清单里。"
                found.fault("entry", zh, f"{where}: the checkpoint of entry {entry.index} is not listed.")
            except _UNREADABLE:
                zh = f"{where}：第 {entry.index} 条的回执读不懂。"
                found.fault("entry", zh, f"{where}: the receipt of entry {entry.index} is not readable.")
        if own:
            zh = f"{name} 里有它的目录没有列的条目。"
            found.fault("entry", zh, f"{name} holds entries that it does not list.")
        if found.faults or self._has_too_much(part, found):
            return None
        pdf, pictures = self._pdf(part, found), self._pictures(part, found)
        if found.faults:
            return None
        volume = self.volume
        return BundleContent(
            origin=volume.origin,
            size=volume.size,
            application=part.application,
            code=part.code,
            number=part.number,
            entries=tuple(entries),
            pdf=pdf,
            pictures=pictures,
        )

    def _shared(self, place: tuple[int, int], found: ReadReport) -> EntryPart | None:
        name = shared_name(place)
        member = self._member(name)
        if member is None:
            zh = f"缺少 {name}：第 {place[1]} 条被拿掉了。"
            found.fault("entry", zh, f"{name} is missing: entry {place[1]} was taken out.")
            return None
        try:
            part = _exact(member.data, EntryPart)
        except _UNREADABLE:
            part = None
        if part is None or (part.epoch, part.index) != place:
            found.fault("entry", f"{name} 被改过。", f"{name} was changed.")
            return None
        if not member.is_intact:
            found.remarks.append(
                failed("entry", f"{name} 损坏：校验值不符。", f"{name} is damaged: wrong checksum.")
            )
        return part

    def _file(self, name: str, because: str | None, found: ReadReport) -> bytes | None:
        """The bytes of a file of the report; None when the volume says why it is not there."""
        if because is not None:
            if because not in WHY_ABSENT:
                found.fault("file", f"{name} 缺失的原因读不懂。", f"Why {name} is missing is not readable.")
            return None
        member = self._member(name)
        if member is None:
            found.fault("file", f"缺少 {name}：文件被拿掉了。", f"{name} is missing: it was taken out.")
            return None
        if not member.is_intact:
            zh = f"{name} 损坏：与压缩包里的校验值不符。"
            found.remarks.append(failed("file", zh, f"{name} is damaged: wrong checksum."))
        return member.data

    def _has_too_much(self, part: ReportPart, found: ReadReport) -> bool:
        """Whether the pictures of a report are more than one report has; one that is named often counts as often."""
        places, room = self._container.places, PICTURE_BYTES
        for each in part.pictures:
            place = places.get(picture_name(each.sha256)) if each.because is None else None
            room -= place.size if place else 0
        if room < 0:
            zh = f"报告 {part.number} 的影像超过 {PICTURE_BYTES >> 20} MB，没有检查。"
            found.fault("file", zh, f"Report {part.number} has too many pictures; not checked.")
        return room < 0

    def _pdf(self, part: ReportPart, found: ReadReport) -> bytes | None:
        if part.pdf is None:
            return None
        data = self._file(pdf_name(part.pdf.sha256), part.pdf.because, found)
        if part.pdf.because in WHY_ABSENT:
            found.remarks.append(
                _absent(f"报告 PDF {part.pdf.sha256[:16]}…", "The report PDF", part.pdf.because)
            )
        return data

    def _pictures(self, part: ReportPart, found: ReadReport) -> tuple[BundlePicture, ...]:
        pictures, gone = [], dict.fromkeys(WHY_ABSENT, 0)
        for each in part.pictures:
            data = self._file(picture_name(each.sha256), each.because, found)
            if each.because in gone:
                gone[each.because] += 1
            pictures.append(
                BundlePicture(entry=each.entry, picture=each.picture, sha256=each.sha256, data=data)
            )
        found.remarks += [
            _absent(f"影像 {count} 张", f"{count} pictures", why) for why, count in gone.items() if count
        ]
        return tuple(pictures)


def _absent(zh: str, en: str, because: str) -> Step:
    """What is not in the volume, and why; pictures that may show people never are, which is no gap."""
    why = WHY_ABSENT[because]
    make = held if because == "people" else note
    return make(f"absent.{because}", f"{zh}没有随包：{why[0]}。", f"{en} not in the volume: {why[1]}.")


def _exact(data: bytes, shape: type[_Part]) -> _Part:
    """One part from its one spelling; ValueError for any other, else a changed byte could go unnoticed."""
    part = msgspec.json.decode(data, type=shape)
    if encoded(part) != data:
        raise ValueError("not the one spelling")
    return part


def _volume(data: bytes) -> Volume:
    try:
        volume = _exact(data, Volume)
    except _UNREADABLE as error:
        zh = f"{MANIFEST} 被改过：读不懂，或写法不是规定的写法。"
        raise BundleProblem(zh, f"{MANIFEST} was changed.", "manifest") from error
    if volume.version != VOLUME_VERSION:
        zh = f"这是第 {volume.version} 版的合订案卷包，本程序只会核验第 {VOLUME_VERSION} 版。"
        en = f"A volume of version {volume.version}; this program verifies version {VOLUME_VERSION}."
        raise BundleProblem(zh, en, "manifest")
    if len(volume.reports) > MAX_REPORTS:
        raise BundleProblem("包里的报告太多。", "Too many reports.", "manifest")
    repeated = _repeated([each.application for each in volume.reports])
    if repeated:
        zh = f"清单里有一份报告列了两次：{repeated}。"
        raise BundleProblem(zh, f"A report is listed twice: {repeated}.", "manifest")
    return volume


def _repeated(keys: Sequence[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return ""


def chosen(volume: Volume, wanted: str) -> list[tuple[int, ReportLine]]:
    """(ordinal, line) of the reports that a code, number or application id names."""
    key = wanted.strip().upper().replace("-", "").replace(" ", "")
    return [
        (ordinal, line)
        for ordinal, line in enumerate(volume.reports, 1)
        if wanted.strip() in (line.number, line.application)
        or (line.code or "").upper().replace("-", "") == key
    ]
