"""What the public is told of a registered report (公众验证状态): without the institution's own signature it is never 真."""

from __future__ import annotations

import pytest

from plumbline.supervision.gateway.public_page import check_answer, offers_document, state_of
from plumbline.supervision.pages.verification import VerificationState

ROW = {
    "state": "registered",
    "examined": True,
    "accepted": True,
    "root_kind": "licensed",
    "application_attestation": "origin",
    "registration_attestation": "origin",
    "pdf_sha256": "ab" * 32,
    "examination": None,
    "report": {"issued_on": "2026-11-20"},
    "institution_name": "某机构",
    "registration": "x",
}


@pytest.mark.parametrize("proof", ["origin", "transport", "session", "internal"])
def test_a_sound_report_with_a_signature_is_genuine(proof):
    row = ROW | {"application_attestation": proof, "registration_attestation": proof}
    assert state_of(row) is VerificationState.GENUINE


@pytest.mark.parametrize("column", ["application_attestation", "registration_attestation"])
@pytest.mark.parametrize("root", ["licensed", "demo"])
def test_a_report_sent_with_a_shared_secret_alone_is_only_registered(column, root):
    row = ROW | {column: "hmac", "root_kind": root}
    assert state_of(row) is VerificationState.REGISTERED_ONLY
    told = check_answer(row, "ab" * 32)
    assert told["headline"] == "已登记，没有机构签名，不能证明"
    assert told["tone"] == "warn"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"examined": False}, VerificationState.RESERVED),
        ({"accepted": False}, VerificationState.UNSOUND),
        ({"state": "withdrawn"}, VerificationState.WITHDRAWN),
    ],
)
def test_a_worse_state_comes_before_the_missing_signature(changes, state):
    assert state_of(ROW | {"registration_attestation": "hmac"} | changes) is state


def test_a_file_that_failed_its_examination_is_told_with_the_reason():
    found = [{"sentence": "签章证书不是由受信任的机构签发的。"}]
    told = check_answer(ROW | {"accepted": False, "examination": found}, "ab" * 32)
    assert (told["kind"], told["tone"]) == ("unsound", "bad")
    assert told["detail"] == "机构登记的文件不能采用：签章证书不是由受信任的机构签发的。请向监督机构反映。"


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, True),
        ({"state": "withdrawn"}, True),
        ({"examined": False, "accepted": False}, False),
        ({"examined": None, "accepted": None}, False),
        ({"accepted": False}, False),
        ({"accepted": False, "state": "withdrawn"}, False),
        ({"pdf_sha256": None}, False),
    ],
)
def test_a_file_that_failed_its_examination_is_not_handed_to_the_public(changes, offered):
    assert offers_document(ROW | changes) is offered
