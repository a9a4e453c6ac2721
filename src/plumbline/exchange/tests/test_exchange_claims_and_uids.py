from __future__ import annotations

import base64
import dataclasses
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.exchange.claims import (
    VERDICTS,
    ClaimsProblem,
    CodeClaims,
    claims_hold,
    read_claims,
    sign_claims,
)
from plumbline.exchange.handbook.example_cast import SUPERVISION_CODE
from plumbline.exchange.make_vectors import CODE, ORIGIN, public_material
from plumbline.exchange.uids import derived_uid, new_uid, uid_instant, uid_time_problem

KEY = public_material(CODE)
NOW = datetime(2026, 11, 19, 6, 2, tzinfo=UTC)


def claims(**changes: Any) -> CodeClaims:
    made = CodeClaims(
        key_number=1,
        code=SUPERVISION_CODE,
        issued_on=date(2026, 12, 17),
        institution=bytes(8),
        verdict="FAIL",
        report_digest=bytes(16),
        report_number="HNT-S1-2026-00417",
    )
    return dataclasses.replace(made, **changes)


@pytest.mark.clause("CECS 4.1.2-a")
@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(sorted(VERDICTS)), st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.text(max_size=10)
)
def test_claims_come_back_as_they_were_signed(verdict: str, day: date, number: str) -> None:
    made = claims(verdict=verdict, issued_on=day, report_number=number)
    fragment = sign_claims(made, CODE)
    assert claims_hold(fragment, "ed25519", KEY) == made
    assert len(made.encode()) <= 100
    assert set(fragment) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


@pytest.mark.parametrize("number", ["x" * 40, "报" * 13 + "x"])
def test_a_number_of_40_bytes_is_the_longest(number: str) -> None:
    claims(report_number=number).encode()
    with pytest.raises(ClaimsProblem):
        claims(report_number=number + "x").encode()


def test_every_single_changed_byte_breaks_the_claims() -> None:
    fragment = sign_claims(claims(), CODE)
    raw = base64.b32decode(fragment + "=" * (-len(fragment) % 8))
    for place in range(len(raw)):
        forged = bytearray(raw)
        forged[place] ^= 1
        text = base64.b32encode(bytes(forged)).decode().rstrip("=")
        assert claims_hold(text, "ed25519", KEY) is None


def test_claims_of_another_key_do_not_hold() -> None:
    assert claims_hold(sign_claims(claims(), ORIGIN), "ed25519", KEY) is None


@pytest.mark.parametrize(
    "text", ["", "A", "########", "0189", "A" * 50, "A" * 300, "\u4fe1" * 8, "=" * 8, "MFRGG" * 1000]
)
def test_what_are_no_claims_is_refused_without_another_error(text: str) -> None:
    with pytest.raises(ClaimsProblem):
        read_claims(text)
    assert claims_hold(text, "ed25519", KEY) is None


def test_the_fragment_may_be_typed_in_lower_case_with_its_mark() -> None:
    assert claims_hold("#" + sign_claims(claims(), CODE).lower(), "ed25519", KEY) == claims()


@settings(max_examples=80, deadline=None)
@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 (made aware below)
def test_a_uid_carries_its_instant_to_the_millisecond(naive: datetime) -> None:
    at = naive.replace(tzinfo=UTC)
    uid = new_uid(at)
    assert (uid.version, uid.variant) == (7, uuid.RFC_4122)
    assert abs(uid_instant(uid) - at) <= timedelta(milliseconds=1)


def test_uids_of_one_instant_differ() -> None:
    assert len({new_uid(NOW) for _ in range(1000)}) == 1000


def test_two_workers_make_the_same_uid_of_a_conclusion() -> None:
    made = derived_uid("clock.deadline_passed", "code.unused", "ab" * 16, NOW)
    assert made == derived_uid("clock.deadline_passed", "code.unused", "ab" * 16, NOW)
    assert made.version == 7
    others = {
        derived_uid("x", "code.unused", "ab" * 16, NOW),
        derived_uid("clock.deadline_passed", "code.unuse", "dab" * 16, NOW),
        derived_uid("clock.deadline_passed", "code.unused", "ab" * 16, NOW + timedelta(milliseconds=1)),
    }
    assert len(others | {made}) == 4


@pytest.mark.parametrize(
    ("seconds", "refused"),
    [
        (299, False),
        (302, True),
        (0, False),
        (-400 * 86_400 + 2, False),
        (-400 * 86_400 - 2, True),
    ],
)
def test_the_door_takes_uids_from_400_days_ago_to_300_seconds_ahead(seconds: int, refused: bool) -> None:
    problem = uid_time_problem(new_uid(NOW + timedelta(seconds=seconds)), NOW)
    assert (problem is not None) == refused


@pytest.mark.parametrize("uid", [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.uuid4()])
def test_a_uid_of_another_version_is_refused(uid: uuid.UUID) -> None:
    assert uid_time_problem(uid, NOW) == "uid 不是 UUIDv7"


@pytest.mark.parametrize("ms", [0, 2**48 - 1])
def test_the_first_and_last_instants_of_a_uid_are_refused_without_an_error(ms: int) -> None:
    uid = uuid.UUID(int=ms << 80 | 0x7 << 76 | 0b10 << 62)
    assert uid_time_problem(uid, NOW)
