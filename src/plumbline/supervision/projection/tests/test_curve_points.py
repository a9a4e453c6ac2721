"""Points of a curve as arrays (曲线点) are those of the wire's own decoding, and so are the refusals."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np
import pytest

from plumbline.exchange.curves import (
    MAX_VALUE,
    CurveProblem,
    channel_times_us,
    channel_values,
    encode_dzv,
)
from plumbline.exchange.messages.testing import CurveChannel
from plumbline.supervision.projection.curve_points import point_times_us, point_values
from plumbline.supervision.projection.curve_rows import begin_digest, end_digest, pack, times_of, unpack


def _channel(data: bytes, count: int, **fields: Any) -> CurveChannel:
    given = {"dzv": base64.b64encode(data).decode(), "period_us": 50_000} | fields
    return CurveChannel(channel="force", unit="kN", scale="0.01", count=count, **given)


def _told(form: Any, channel: CurveChannel) -> Any:
    try:
        return [int(each) for each in form(channel)]
    except CurveProblem as problem:
        return problem.reason


@pytest.mark.parametrize("spread", [3, 200, 20_000, 3_000_000, 2**40])
def test_numbers_of_every_length_are_those_of_the_long_way(spread: int) -> None:
    rng = np.random.default_rng(spread)
    values = [int(each) for each in rng.integers(-spread, spread, 400)]
    channel = _channel(encode_dzv(values), len(values))
    assert point_values(channel).tolist() == channel_values(channel) == values
    times = point_times_us(channel)
    assert times.tolist() == channel_times_us(channel)
    assert unpack(pack(point_values(channel))) == values
    assert end_digest(begin_digest(times), point_values(channel)) == end_digest(
        begin_digest(times.tolist()), values
    )


@pytest.mark.parametrize("place", [0, 1, 40, 99])
@pytest.mark.parametrize("leap", [10_000, 1_000_000, 2**26, 2**27, 2**40])
@pytest.mark.parametrize("step", [1, 90])
def test_a_break_among_short_numbers_is_that_of_the_long_way(place: int, leap: int, step: int) -> None:
    """Numbers of one and two bytes, and one that is longer, wherever it stands."""
    values = [step * each + (leap if each >= place else 0) for each in range(100)]
    channel = _channel(encode_dzv(values), len(values))
    assert point_values(channel).tolist() == channel_values(channel) == values


@pytest.mark.parametrize("period_us", [100_000, None])
def test_times_that_are_remembered_go_with_any_values(period_us: int | None) -> None:
    """A digest begun with times that another curve had before is the digest of these times and these values."""
    for count, step in ((3, 1), (5, 2), (3, 7)):
        values = [step * each for each in range(count)]
        listed = None if period_us else [9 * each for each in range(count)]
        channel = _channel(encode_dzv(values), count, period_us=period_us, times_us=listed)
        times, (packed, begun) = channel_times_us(channel), times_of(channel)
        assert unpack(packed) == times
        whole = b"".join(each.to_bytes(8, "big", signed=True) for each in (*times, *values))
        assert end_digest(begun, point_values(channel)) == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize(
    "channel",
    [
        _channel(b"", 0),
        _channel(b"\x80", 1),
        _channel(b"\x02\x80", 1),
        _channel(b"\x02\x02", 3),
        _channel(b"\x80\x00\x02", 2),
        _channel(b"\xff" * 40, 1),
        _channel(encode_dzv([MAX_VALUE]), 1),
        _channel(encode_dzv([MAX_VALUE + 1]), 1),
        _channel(b"\x02", 1, dzv="*"),
        _channel(b"\x02", 1, values=[1]),
        _channel(b"\x02", 1, dzv=None, values=[7]),
        _channel(b"\x02", 2_000_000),
        _channel(b"\x02", -1, start_us=-MAX_VALUE),
        _channel(b"\x02\x02", 1),
        _channel(b"\x02", 1, period_us=0),
        _channel(b"\x02", 1, period_us=MAX_VALUE),
        _channel(b"\x02", 1, period_us=None, times_us=[5]),
        _channel(b"\x02", 1, times_us=[5]),
        _channel(b"\x02", 1, start_us=-MAX_VALUE - 1),
    ],
)
def test_what_is_not_the_usual_form_is_told_as_before(channel: CurveChannel) -> None:
    for quick, long in ((point_values, channel_values), (point_times_us, channel_times_us)):
        assert _told(quick, channel) == _told(long, channel)
