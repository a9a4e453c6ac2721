from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.exchange.curves import (
    MAX_POINTS,
    MAX_VALUE,
    CurveProblem,
    channel_times_us,
    channel_values,
    decode_dzv,
    encode_dzv,
)
from plumbline.exchange.decode import decode_message
from plumbline.exchange.handbook.examples import example_bytes
from plumbline.exchange.messages.testing import CurveChannel
from plumbline.exchange.problems import Problem

_POINT = st.integers(-(2**53), 2**53)


def channel(**changes: Any) -> CurveChannel:
    fields: dict[str, Any] = {
        "channel": "force",
        "unit": "kN",
        "scale": "0.01",
        "count": 3,
        "period_us": 100,
        "values": [1, 2, 3],
    }
    return CurveChannel(**{name: value for name, value in (fields | changes).items() if value is not None})


def sent(**changes: Any) -> Problem | None:
    body = json.loads(example_bytes("run.recorded"))
    one = body["specimens"][0]["curve"]["channels"][0]
    one.update(changes)
    body["specimens"][0]["curve"]["channels"][0] = {k: v for k, v in one.items() if v is not None}
    try:
        decode_message(json.dumps(body).encode())
    except Problem as problem:
        return problem
    return None


@settings(max_examples=100, deadline=None)
@given(st.lists(_POINT, max_size=50))
def test_dzv_round_trips(values: list[int]) -> None:
    assert decode_dzv(encode_dzv(values)) == values


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_points_or_a_problem(data: bytes) -> None:
    with contextlib.suppress(CurveProblem):
        assert encode_dzv(decode_dzv(data)) is not None


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (-1, "01"), (1, "02"), (63, "7e"), (64, "8001"), (-64, "7f"), (-65, "8101")],
)
def test_the_borders_of_one_byte(value: int, encoded: str) -> None:
    assert encode_dzv([value]).hex() == encoded


def test_a_list_that_ends_inside_a_number_is_refused() -> None:
    with pytest.raises(CurveProblem, match="断了"):
        decode_dzv(b"\x80")


def test_a_number_without_end_is_refused() -> None:
    with pytest.raises(CurveProblem, match="8 个字节"):
        decode_dzv(b"\xff" * 40)


def test_a_point_ends_at_53_bits() -> None:
    assert decode_dzv(encode_dzv([MAX_VALUE])) == [MAX_VALUE]
    with pytest.raises(CurveProblem, match="53 位"):
        decode_dzv(encode_dzv([MAX_VALUE + 1]))


@pytest.mark.parametrize(
    ("points", "too_many"), [(MAX_POINTS - 1, False), (MAX_POINTS, False), (MAX_POINTS + 1, True)]
)
def test_a_curve_ends_at_a_million_points(points: int, too_many: bool) -> None:
    if not too_many:
        assert len(decode_dzv(bytes(points))) == points
        return
    with pytest.raises(CurveProblem) as caught:
        decode_dzv(bytes(points))
    assert caught.value.too_long


@pytest.mark.parametrize(
    "changes",
    [
        {"count": MAX_POINTS + 1},
        {"count": 10**7},
        {"dzv": base64.b64encode(bytes(MAX_POINTS + 1)).decode(), "count": MAX_POINTS},
    ],
)
def test_a_curve_of_more_points_is_answered_413(changes: dict[str, Any]) -> None:
    problem = sent(**changes)
    assert problem is not None
    assert (problem.slug, problem.kind.status) == ("curve-too-long", 413)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"count": 9}, "count"),
        ({"count": 11}, "count"),
        ({"count": -1}, "count"),
        ({"dzv": None}, "只能给一个"),
        ({"values": [1] * 10}, "只能给一个"),
        ({"times_us": list(range(10))}, "三者"),
        ({"period_us": None}, "三者"),
        ({"period_us": 0}, "大于 0"),
        ({"period_us": -5}, "大于 0"),
        ({"period_us": None, "times_us": [1, 2]}, "时间"),
        ({"dzv": "!!!"}, ""),
        ({"dzv": "AAA"}, "base64"),
        ({"dzv": None, "values": [2**60] * 10}, ""),
        ({"period_us": None, "times_us": [2**60] * 10}, ""),
        ({"start_us": 2**53}, "53 位"),
        ({"period_us": 2**52}, "53 位"),
        ({"channel": "weight"}, ""),
        ({"scale": 0.01}, ""),
    ],
)
def test_a_curve_that_contradicts_itself_is_refused(changes: dict[str, Any], reason: str) -> None:
    problem = sent(**changes)
    assert problem is not None
    assert problem.slug == "schema"
    assert reason in problem.detail


@pytest.mark.parametrize(
    "times",
    [
        [0, 100, 200, 900_000, 900_100, 900_200, 900_300, 900_400, 900_500, 900_600],
        [0, 100, 50, 150, 200, 250, 300, 350, 400, 450],
        [0] * 10,
    ],
)
def test_gaps_and_times_that_run_back_are_facts_and_come_in(times: list[int]) -> None:
    assert sent(period_us=None, times_us=times) is None
    assert sent(period_us=None, times_dzv=base64.b64encode(encode_dzv(times)).decode()) is None


def test_no_points_come_in_as_a_fact() -> None:
    assert sent(count=0, dzv="") is None


def test_both_forms_give_the_same_points() -> None:
    dzv = encode_dzv([1, 2, 3])
    assert channel_values(channel()) == [1, 2, 3]
    assert channel_values(channel(values=None, dzv=base64.b64encode(dzv).decode())) == [1, 2, 3]


def test_times_are_counted_from_the_start_of_the_channel() -> None:
    assert channel_times_us(channel(start_us=7)) == [7, 107, 207]
    assert channel_times_us(channel(period_us=None, times_us=[3, 1, 2])) == [3, 1, 2]
