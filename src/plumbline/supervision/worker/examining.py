"""What the platform finds in a registered file (终稿查验): strict PAdES, one revision, the institution's own signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.exchange.messages.reports import GateReason, ReportExamined
from plumbline.exchange.uids import derived_uid
from plumbline.sdk.pdf.examine import examine_pdf
from plumbline.sdk.pdf.roots import TrustRoot

_CLAUSE = "CECS 4.1.2-c"
_MOST_REASONS = 20


def report_examined(
    row: Mapping[str, Any], data: bytes, *, roots: Sequence[TrustRoot], operator: str
) -> ReportExamined:
    """The entry on the file `data` of a registration: its `id`, `logged_at`, `uscc` and `institution_name`."""
    found = examine_pdf(data, roots=roots, at=row["logged_at"])
    problems = [
        GateReason(code=f"pdf.{each.code}", clause=_CLAUSE, sentence=each.sentence_zh)
        for each in found.problems
    ]
    if found.ok and found.signer_uscc != row["uscc"]:
        sentence = f"签章人是 {found.signer_name}，不是 {row['institution_name']}"
        problems.append(GateReason(code="pdf.other_signer", clause=_CLAUSE, sentence=sentence))
    return ReportExamined(
        **_header(row, operator),
        accepted=found.ok and not problems,
        root_kind=found.root_kind or "none",
        signer=found.signer_name[:200] if found.signer_name else None,
        problems=problems[:_MOST_REASONS],
    )


def report_unsound(row: Mapping[str, Any], *, operator: str) -> ReportExamined:
    """The entry on a file that broke the examination itself."""
    reason = GateReason(code="pdf.unreadable", clause=_CLAUSE, sentence="文件结构异常，查验程序读不下去")
    return ReportExamined(**_header(row, operator), accepted=False, root_kind="none", problems=[reason])


def _header(row: Mapping[str, Any], operator: str) -> dict[str, Any]:
    at = row["logged_at"]
    return {
        "v": 1,
        "uid": derived_uid("report.examined", "pades", row["id"], at),
        "sender": operator,
        "occurred_at": at,
        "registration": row["id"],
    }
