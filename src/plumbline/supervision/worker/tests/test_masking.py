"""What the worker writes itself never carries a number of a person, and a decision is always made (遮去个人号码)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import msgspec
import pytest

from plumbline.domain.basics.personal_text import personal_spans
from plumbline.exchange.decode import decode_message
from plumbline.exchange.messages.reports import CodeWithheld, GateReason
from plumbline.supervision.journal.submit import encode_message
from plumbline.supervision.worker.masking import masked, masked_text

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("标识 13812345678 没有领用", "标识 ＊＊＊＊＊＊＊＊＊＊＊ 没有领用"),
        ("标识 138 1234 5678", "标识 ＊＊＊＊＊＊＊＊＊＊＊＊＊"),
        ("编号 HC-2026-000123", "编号 HC-2026-000123"),
        ("13812345678，13912345678", "＊＊＊＊＊＊＊＊＊＊＊，＊＊＊＊＊＊＊＊＊＊＊"),
    ],
)
def test_numbers_are_masked_and_the_rest_stays(text: str, wanted: str) -> None:
    assert masked_text(text) == wanted
    assert not personal_spans(masked_text(text))


def _withheld(sentence: str) -> CodeWithheld:
    return CodeWithheld(
        v=1,
        uid=uuid.UUID("01939a00-0000-7000-8000-000000000001"),
        sender="0" * 32,
        occurred_at=NOW,
        application="1" * 32,
        institution="2" * 32,
        reasons=[GateReason(code="custody.unissued_tag", clause="BJ 4.2.2", sentence=sentence)],
    )


def test_a_decision_that_repeats_a_telephone_number_passes_our_own_door() -> None:
    message = _withheld("标识 13812345678 没有领用")
    with pytest.raises(Exception, match=r"personal-data|证件号或手机号"):
        decode_message(encode_message(message))
    decode_message(encode_message(masked(message)))


def test_a_message_without_such_numbers_stays_the_very_same() -> None:
    message = _withheld("标识 T-1 没有领用")
    assert masked(message) is message


def test_identifiers_are_never_touched() -> None:
    message = msgspec.structs.replace(_withheld("标识 13812345678"), application="13812345678" + "0" * 21)
    assert masked(message).application == message.application
