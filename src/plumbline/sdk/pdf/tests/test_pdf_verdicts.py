"""The verdict asks its questions in order and answers in one short sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from plumbline.sdk.pdf.examine import PdfExamination
from plumbline.sdk.pdf.problems import problem
from plumbline.sdk.pdf.verdict import LONGEST_HEADLINE, CodeRecord, CodeState, OnlineVerdict, verdict

USCC = "91350100M000100Y43"
REGISTERED, OTHER = b"r" * 32, b"o" * 32
RECORD = CodeRecord(
    state="registered", registered_sha256=REGISTERED, issuing_uscc=USCC, issuing_name="甲检测"
)
WITHDRAWN = replace(RECORD, state="withdrawn", ended_on=date(2026, 11, 18), reason="样品编号写错")
GOOD = PdfExamination(ok=True, signer_name="甲检测", signer_uscc=USCC, root_kind="licensed", revisions=2)
APPENDED = replace(GOOD, ok=False, appended_bytes=7, problems=(problem("appended", count=7),))
UNSIGNED = PdfExamination(ok=False, problems=(problem("no_signature"),))


def judged(record: CodeRecord, digest: bytes | None, examination: PdfExamination | None) -> OnlineVerdict:
    found = verdict(record, data_sha256=digest, examination=examination)
    assert len(found.sentence_zh) <= LONGEST_HEADLINE
    assert found.detail_zh
    return found


@pytest.mark.clause("CECS 2.0.13")
def test_the_registered_file_in_force_is_genuine() -> None:
    found = judged(RECORD, REGISTERED, GOOD)
    assert (found.kind, found.sentence_zh) == ("genuine", "这份报告是真的。")


def test_a_demo_certificate_is_named() -> None:
    found = judged(RECORD, REGISTERED, replace(GOOD, root_kind="demo"))
    assert found.kind == "genuine_demo"
    assert "演示证书" in found.sentence_zh


@pytest.mark.parametrize(
    ("state", "kind"),
    [("unknown", "unknown_code"), ("withheld", "withheld"), ("reserved", "reserved"), ("unused", "unused")],
)
def test_a_code_without_registered_report_decides_first(state: CodeState, kind: str) -> None:
    assert judged(CodeRecord(state=state), REGISTERED, GOOD).kind == kind


@pytest.mark.clause("CECS 4.1.2-c")
def test_appended_content_is_counted() -> None:
    found = judged(RECORD, OTHER, APPENDED)
    assert (found.kind, "7 个字节" in found.detail_zh) == ("changed", True)


@pytest.mark.parametrize("examination", [GOOD, UNSIGNED, None])
def test_other_bytes_without_sign_of_tampering_are_only_different(examination: PdfExamination | None) -> None:
    assert judged(RECORD, OTHER, examination).kind == "different"


def test_other_bytes_are_told_before_a_withdrawal() -> None:
    assert judged(WITHDRAWN, OTHER, APPENDED).kind == "changed"


@pytest.mark.clause("CECS 2.0.13")
def test_the_registered_bytes_with_a_bad_signature_are_not_genuine() -> None:
    assert judged(RECORD, REGISTERED, UNSIGNED).kind == "untrusted"
    assert judged(RECORD, REGISTERED, None).kind == "untrusted"
    assert judged(RECORD, REGISTERED, replace(GOOD, root_kind=None)).kind == "untrusted"


@pytest.mark.parametrize("signer", ["91350100M000100Y44", None])
def test_another_signer_is_named(signer: str | None) -> None:
    found = judged(RECORD, REGISTERED, replace(GOOD, signer_uscc=signer, signer_name="乙检测"))
    assert found.kind == "other_signer"
    assert "乙检测" in found.detail_zh


def test_a_record_without_institution_matches_no_signer() -> None:
    record = replace(RECORD, issuing_uscc=None)
    assert judged(record, REGISTERED, replace(GOOD, signer_uscc=None)).kind == "other_signer"


def test_a_withdrawn_report_says_when_and_why() -> None:
    found = judged(WITHDRAWN, REGISTERED, GOOD)
    assert (found.kind, found.sentence_zh) == ("withdrawn", "这份报告 11-18 已撤回。")
    assert "样品编号写错" in found.detail_zh


def test_a_superseded_report_points_to_the_newer_one() -> None:
    record = replace(RECORD, state="superseded", newer_version=2)
    assert judged(record, REGISTERED, GOOD).sentence_zh == "这份报告已被第 2 版替代。"


def test_a_code_alone_is_never_genuine() -> None:
    found = judged(RECORD, None, None)
    assert (found.kind, found.is_genuine) == ("on_record", False)
    assert judged(WITHDRAWN, None, None).kind == "withdrawn"
