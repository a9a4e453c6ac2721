"""The one sentence that tells the public whether a report is genuine (真伪结论).

The order is fixed: code → registered → SHA-256 of the bytes → PAdES strict → the signer is the issuing
institution under an accepted root → not withdrawn or superseded. The first question that fails decides;
later ones are not asked.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import date
from typing import Literal

from plumbline.sdk.pdf.examine import PdfExamination

#: life of a supervision code: `withheld` was never issued, `unused` died before a report was registered
CodeState = Literal["unknown", "withheld", "reserved", "unused", "registered", "withdrawn", "superseded"]
VerdictKind = Literal[
    "unknown_code",
    "withheld",
    "reserved",
    "unused",
    "on_record",
    "changed",
    "different",
    "other_signer",
    "untrusted",
    "withdrawn",
    "superseded",
    "genuine",
    "genuine_demo",
]
#: verdicts under which the document in hand is the registered one and in force
GENUINE: frozenset[VerdictKind] = frozenset({"genuine", "genuine_demo"})
#: a headline is read at a glance on a phone
LONGEST_HEADLINE = 22

#: these say that the bytes were changed after signing; other problems only say that they are not ours
_TAMPERED = frozenset({"appended", "changed", "not_covered", "revisions", "several_signatures"})
_REGISTERED: frozenset[CodeState] = frozenset({"registered", "withdrawn", "superseded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRecord:
    """What the platform has on record for one supervision code (监管码登记)."""

    state: CodeState
    #: SHA-256 of the registered file; None before registration
    registered_sha256: bytes | None = None
    #: 统一社会信用代码 and name of the institution to which the code was issued
    issuing_uscc: str | None = None
    issuing_name: str | None = None
    #: day and reason of a withdrawal
    ended_on: date | None = None
    reason: str = ""
    #: number of the version that took its place
    newer_version: int | None = None


@dataclass(frozen=True, slots=True)
class OnlineVerdict:
    """Kind, headline (≤ 22 characters) and one or two sentences of detail, ready to print."""

    kind: VerdictKind
    sentence_zh: str
    detail_zh: str

    @property
    def is_genuine(self) -> bool:
        """Whether the file is the registered one, unchanged and in force."""
        return self.kind in GENUINE


def verdict(
    record: CodeRecord, *, data_sha256: bytes | None = None, examination: PdfExamination | None = None
) -> OnlineVerdict:
    """Judge a file (its digest and examination) against the record of its supervision code.

    Without a file the answer is `on_record` at best: a code alone proves nothing about the paper.
    """
    if record.state not in _REGISTERED or record.registered_sha256 is None:
        return _unregistered(record)
    if data_sha256 is None:
        return _ended(record) or OnlineVerdict(
            "on_record",
            "这个监管码登记过报告。",
            "请把手里的报告和下面的登记内容逐项核对，也可以把 PDF 文件拖进来比对。",
        )
    if not hmac.compare_digest(data_sha256, record.registered_sha256):
        return _other_bytes(examination)
    return _signature_fault(record, examination) or _ended(record) or _genuine(record, examination)


def _unregistered(record: CodeRecord) -> OnlineVerdict:
    if record.state == "withheld":
        return OnlineVerdict(
            "withheld", "这个监管码没有发出。", "报告没有登记，不能作为依据，请向出报告的机构询问。"
        )
    if record.state == "unused":
        return OnlineVerdict(
            "unused", "这个监管码没有用过，已失效。", "机构申请后没有登记报告，印着它的报告不能采用。"
        )
    if record.state == "unknown":
        return OnlineVerdict(
            "unknown_code", "查不到这个监管码。", "请核对每一组字符，或看看是不是别省的报告。"
        )
    return OnlineVerdict(
        "reserved", "这个监管码还没有启用。", "机构已经申请，签好的报告还没有登记；登记以前的报告不能采用。"
    )


def _other_bytes(examination: PdfExamination | None) -> OnlineVerdict:
    codes = {each.code for each in examination.problems} if examination else set()
    if examination is not None and examination.ok:
        return OnlineVerdict(
            "different",
            "这不是登记的那份报告。",
            "文件签章完好，但和这个监管码登记的不是同一份，请以登记的报告为准。",
        )
    if examination is not None and examination.appended_bytes:
        count = examination.appended_bytes
        return OnlineVerdict(
            "changed", "这份文件被改过，请不要采用。", f"签发之后又被人写入了 {count} 个字节的内容。"
        )
    if codes & _TAMPERED:
        return OnlineVerdict(
            "changed", "这份文件被改过，请不要采用。", "签发之后内容有改动，和登记的不一样。"
        )
    return OnlineVerdict(
        "different",
        "这份文件和登记的不一样。",
        "它没有完好的机构签章，可能是另存、扫描或改动过的，请以登记的报告为准。",
    )


def _signature_fault(record: CodeRecord, examination: PdfExamination | None) -> OnlineVerdict | None:
    if examination is None:
        return OnlineVerdict(
            "untrusted", "签章还没有检查完。", "文件和登记的相同，签章没有检查，现在不能下结论。"
        )
    if not examination.ok:
        reason = examination.problems[0].sentence_zh if examination.problems else ""
        return OnlineVerdict("untrusted", "登记的文件签章有问题。", f"{reason}请向监督机构反映。")
    if examination.root_kind is None:
        return OnlineVerdict(
            "untrusted", "签章证书不受信任。", "文件和登记的相同，但签章证书不是由受信任的机构签发的。"
        )
    if not record.issuing_uscc or examination.signer_uscc != record.issuing_uscc:
        signer, issuer = examination.signer_name or "无法确认的单位", record.issuing_name or "登记的机构"
        return OnlineVerdict(
            "other_signer",
            "签章的不是出报告的机构。",
            f"监管码发给了{issuer}，文件却由{signer}签章，请不要采用。",
        )
    return None


def _ended(record: CodeRecord) -> OnlineVerdict | None:
    if record.state == "withdrawn":
        day = f" {record.ended_on:%m-%d}" if record.ended_on else ""
        reason = f"原因：{record.reason}。" if record.reason else "机构没有写明原因。"
        return OnlineVerdict(
            "withdrawn", f"这份报告{day} 已撤回。" if day else "这份报告已撤回。", f"{reason}请不要再采用。"
        )
    if record.state == "superseded":
        newer = f"第 {record.newer_version} 版" if record.newer_version else "新版"
        return OnlineVerdict("superseded", f"这份报告已被{newer}替代。", "请看新版，这一版不要再采用。")
    return None


def _genuine(record: CodeRecord, examination: PdfExamination | None) -> OnlineVerdict:
    if examination is not None and examination.root_kind == "licensed":
        return OnlineVerdict("genuine", "这份报告是真的。", "签发后内容没有改动，也没有撤回。")
    return OnlineVerdict(
        "genuine_demo",
        "这份演示报告是真的（演示证书）。",
        "签发后内容没有改动，也没有撤回；签章用的是演示证书，不作任何用途。",
    )
